#include "ergo/experiment/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace ergo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Plan, AnAxisIsAListOrARange) {
  EXPECT_THAT(Axis::parse("size=112..336:112")->values, ElementsAre("112", "224", "336"));
  EXPECT_THAT(Axis::parse("act=relu,gelu")->values, ElementsAre("relu", "gelu"));
}

TEST(Plan, AnAxisThatMakesNoSenseIsRefusedWithTheRightForm) {
  for (const char* text : {"size", "=1", "a b=1", "size=", "size=1,1", "size=1..2:0"}) {
    EXPECT_FALSE(Axis::parse(text).ok()) << text;
  }
  EXPECT_THAT(Axis::parse("size").error().remedy, HasSubstr("NAME=V1,V2"));
  EXPECT_THAT(Axis::parse("size=1..8").error().text(),
              HasSubstr("has no step (write size=1..8:1)"));
  EXPECT_THAT(Axis::parse("path=a..b")->values, ElementsAre("a..b")) << "no numbers, no range";
}

TEST(Plan, TheGridHoldsEveryCombinationOnce) {
  const auto cells = grid_of({{"size", {"1", "2", "3"}}, {"batch", {"8", "16"}}});
  ASSERT_EQ(cells->size(), 6U);
  EXPECT_EQ(key_of((*cells)[0]), "batch=8 size=1");
  EXPECT_EQ(key_of((*cells)[1]), "batch=16 size=1");
}

TEST(Plan, WithoutAxesThereIsOneCell) {
  EXPECT_EQ(grid_of({})->size(), 1U);
}

TEST(Plan, OneParameterTwiceIsRefused) {
  EXPECT_FALSE(grid_of({{"a", {"1"}}, {"a", {"2"}}}).ok());
}

TEST(Plan, EveryRoundHoldsEveryCellOnce) {
  const auto cells = grid_of({{"size", {"1", "2", "3", "4", "5", "6", "7", "8"}}});
  const auto runs = plan_runs(*cells, 3, 42);
  ASSERT_EQ(runs.size(), 24U);
  for (int round = 0; round < 3; ++round) {
    std::map<std::string, int> seen;
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(runs[static_cast<std::size_t>(round * 8 + i)].repeat, round);
      ++seen[key_of(runs[static_cast<std::size_t>(round * 8 + i)].cell)];
    }
    EXPECT_EQ(seen.size(), 8U);
  }
}

TEST(Plan, TheOrderIsRandomButTheSameForASeed) {
  const auto cells = grid_of({{"size", {"1", "2", "3", "4", "5", "6", "7", "8"}}});
  const auto order = [&](std::uint64_t seed) {
    std::string text;
    for (const PlannedRun& run : plan_runs(*cells, 2, seed))
      text += run.cell.at("size");
    return text;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
  EXPECT_NE(order(1).substr(0, 8), "12345678");
  EXPECT_NE(order(1).substr(0, 8), order(1).substr(8));
}

TEST(Plan, PlaceholdersAreReplacedWhereverTheyStand) {
  const auto words =
      substitute({"./infer", "--size={size}", "{size}x{size}", "{other}"}, {{"size", "224"}});
  EXPECT_THAT(*words, ElementsAre("./infer", "--size=224", "224x224", "{other}"));
}

TEST(Plan, AParameterThatTheCommandNeverUsesIsAMistake) {
  const auto words = substitute({"./infer"}, {{"size", "224"}});
  ASSERT_FALSE(words.ok());
  EXPECT_THAT(words.error().remedy, HasSubstr("{size}"));
  EXPECT_TRUE(substitute({"./infer"}, {{"power_limit_w", "150"}}, {"power_limit_w"}).ok());
}

}  // namespace
}  // namespace ergo
