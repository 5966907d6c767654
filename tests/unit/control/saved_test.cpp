#include "control/saved.hpp"

#include <gmock/gmock.h>

namespace ergo::control {
namespace {

SavedLimit example() {
  SavedLimit saved;
  saved.uuid = "GPU-8f3a";
  saved.boot_id = "9b2d0c52-1c1e-4a42-a6f5-0b8a4dd7f6de";
  saved.pid = 4242;
  saved.start_ticks = 98765;
  saved.found = Watts(250.0);
  saved.asked = Watts(162.5);
  return saved;
}

TEST(SavedLimit, ReadsWhatItWrote) {
  const auto read = parse_saved(format_saved(example()), "file");
  ASSERT_TRUE(read.ok()) << read.error().text();
  EXPECT_EQ(read->uuid, "GPU-8f3a");
  EXPECT_EQ(read->kind, SavedLimit::Kind::run);
  EXPECT_EQ(read->pid, 4242);
  EXPECT_EQ(read->start_ticks, 98765U);
  EXPECT_EQ(read->found, Watts(250.0));
  EXPECT_EQ(read->asked, Watts(162.5));
}

TEST(SavedLimit, CutOffAnywhereIsDamaged) {
  const std::string text = format_saved(example());
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto read = parse_saved(text.substr(0, length), "file");
    ASSERT_FALSE(read.ok()) << length;
    EXPECT_EQ(read.error().code, Errc::corrupt);
  }
}

TEST(SavedLimit, ThatLeadsOutOfTheFolderIsDamaged) {
  SavedLimit saved = example();
  for (const char* uuid : {"../GPU", "a/b", "", ".hidden"}) {
    saved.uuid = uuid;
    EXPECT_FALSE(parse_saved(format_saved(saved), "file").ok()) << uuid;
  }
}

TEST(SavedLimit, OfNoWattsIsDamaged) {
  SavedLimit saved = example();
  saved.found = Watts(0.0);
  EXPECT_FALSE(parse_saved(format_saved(saved), "file").ok());
}

}  // namespace
}  // namespace ergo::control
