#include "ergo/core/files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace ergo {
namespace {

using testing::HasSubstr;

TEST(Files, AMissingFileIsNamedWithTheReason) {
  const auto text = read_text("/nonexistent/file");
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code, Errc::not_found);
  EXPECT_THAT(text.error().message, HasSubstr("/nonexistent/file"));
}

TEST(Files, AnAtomicWriteReplacesTheWholeFileAndLeavesNothingElse) {
  const auto folder = TemporaryFolder::create("ergo-test");
  const auto path = folder->path() / "report.json";
  ASSERT_TRUE(write_text_atomically(path, "a long first version").ok());
  ASSERT_TRUE(write_text_atomically(path, "short").ok());
  EXPECT_EQ(*read_text(path), "short");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder->path()), {}), 1);
}

TEST(Files, AFullDiskIsAnErrorWithARemedy) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const auto file = std::fopen("/dev/full", "w");
  const auto written = write_all(fileno(file), std::string(1 << 16, 'x'), "/dev/full");
  std::fclose(file);
  ASSERT_FALSE(written.ok());
  EXPECT_THAT(written.error().text(), HasSubstr("free some space"));
}

TEST(Files, ADeviceIsWrittenToAndNeverReplaced) {
  ASSERT_TRUE(write_text_atomically("/dev/null", "gone").ok());
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_FALSE(write_text_atomically("/dev/full", "text").ok());
}

TEST(Files, AFileAboveTheLimitIsRefused) {
  const auto folder = TemporaryFolder::create("ergo-test");
  ASSERT_TRUE(write_text_atomically(folder->path() / "big", std::string(100, 'x')).ok());
  EXPECT_FALSE(read_text(folder->path() / "big", 99).ok());
  EXPECT_TRUE(read_text(folder->path() / "big", 100).ok());
}

TEST(Files, ATemporaryFolderGoesWithItsObject) {
  std::filesystem::path path;
  {
    const auto folder = TemporaryFolder::create("ergo-test");
    path = folder->path();
    EXPECT_TRUE(std::filesystem::is_directory(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace ergo
