#pragma once
// Golden files: what a report must look like, byte for byte. tools/approve writes new ones after a
// look at the diff.

#include "test_paths.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace ergo::testing {

/// Compares `actual` with tests/golden/NAME; with ERGO_APPROVE set it writes that file instead.
inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::filesystem::path path = std::filesystem::path(ERGO_SOURCE_DIR) / "tests/golden" / name;
  if (std::getenv("ERGO_APPROVE") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path << " does not exist; look at the output and run tools/approve";
  const std::string expected((std::istreambuf_iterator<char>(file)),
                             std::istreambuf_iterator<char>());
  EXPECT_EQ(actual, expected) << name << " changed; if that is right, run tools/approve";
}

}  // namespace ergo::testing
