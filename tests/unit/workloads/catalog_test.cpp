#include "networks/catalog.hpp"

#include <gtest/gtest.h>

namespace ergo::workload {
namespace {

TEST(Catalog, AnUnknownNameIsRefusedWithTheKnownOnes) {
  const auto entry = find_network("alexnett");
  ASSERT_FALSE(entry.ok());
  EXPECT_EQ(entry.error().code, Errc::invalid_argument);
  EXPECT_NE(entry.error().remedy.find("alexnet, resnet50"), std::string::npos);
}

TEST(Catalog, SizesAreCheckedBeforeAnythingIsBuilt) {
  const auto check = [](const char* name, int size) {
    const auto entry = find_network(name);
    return checked_size(*entry, size);
  };
  EXPECT_EQ(*check("alexnet", 0), 224);
  EXPECT_EQ(*check("alexnet", 63), 63);
  EXPECT_FALSE(check("alexnet", 62).ok());
  EXPECT_FALSE(check("alexnet", -1).ok());
  EXPECT_EQ(*check("vit_b_16", 384), 384);
  EXPECT_FALSE(check("vit_b_16", 225).ok());
  EXPECT_EQ(*check("yolov5s", 640), 640);
  EXPECT_FALSE(check("yolov5s", 650).ok());
  EXPECT_EQ(*check("bert", 512), 512);
  const auto too_long = check("bert", 513);
  ASSERT_FALSE(too_long.ok());
  EXPECT_EQ(too_long.error().remedy, "bert takes sizes from 2 to 512 tokens");
}

}  // namespace
}  // namespace ergo::workload
