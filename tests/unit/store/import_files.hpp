#pragma once
// A temporary folder to lay recordings of other tools into.

#include "ergo/core/files.hpp"
#include "ergo/store/import.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace ergo {

class ImportTest : public ::testing::Test {
 protected:
  [[nodiscard]] const std::filesystem::path& root() const { return folder_->path(); }
  std::filesystem::path put(const std::string& name, std::string_view text) {
    const auto file = root() / name;
    std::filesystem::create_directories(file.parent_path());
    EXPECT_TRUE(write_text_atomically(file, text));
    return file;
  }
  static const ChannelEnergy* channel(const std::vector<ChannelEnergy>& energies,
                                      const std::string& name) {
    for (const auto& energy : energies) {
      if (energy.channel == name) return &energy;
    }
    return nullptr;
  }
  static double alternative(const ChannelEnergy& energy, const std::string& source) {
    for (const auto& other : energy.alternatives) {
      if (other.source == source) return other.joules.value();
    }
    ADD_FAILURE() << "no alternative " << source;
    return 0.0;
  }

 private:
  Result<TemporaryFolder> folder_ = TemporaryFolder::create("ergo-import");
};

}  // namespace ergo
