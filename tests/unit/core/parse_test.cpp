#include "ergo/core/parse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseDuration, ReadsTheUnitsPeopleWrite) {
  EXPECT_DOUBLE_EQ(parse_duration("100ms")->value(), 0.1);
  EXPECT_DOUBLE_EQ(parse_duration("10us")->value(), 1e-5);
  EXPECT_DOUBLE_EQ(parse_duration("1s")->value(), 1.0);
  EXPECT_DOUBLE_EQ(parse_duration("2min")->value(), 120.0);
  EXPECT_DOUBLE_EQ(parse_duration("1h")->value(), 3600.0);
}

TEST(ParseDuration, ABareNumberIsSeconds) {
  EXPECT_DOUBLE_EQ(parse_duration("0.1")->value(), 0.1);
}

TEST(ParseDuration, RefusesWhatIsNoDurationAndSaysHowToWriteOne) {
  for (const char* text : {"", "ms", "fast", "-1s", "1 0s", "nan", "inf", "1e999"}) {
    const auto result = parse_duration(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_THAT(result.error().message, HasSubstr("100ms"));
  }
}

TEST(ParseNumbers, ReadsListsAndRangesWithBothEnds) {
  EXPECT_THAT(*parse_numbers("150,200,250"), ElementsAre(150, 200, 250));
  EXPECT_THAT(*parse_numbers("150..300:50"), ElementsAre(150, 200, 250, 300));
  EXPECT_THAT(*parse_numbers("8,32..96:32"), ElementsAre(8, 32, 64, 96));
}

TEST(ParseNumbers, ARangeThatMissesItsEndStopsBeforeIt) {
  EXPECT_THAT(*parse_numbers("112..400:112"), ElementsAre(112, 224, 336));
}

TEST(ParseNumbers, FractionalStepsDoNotDrift) {
  EXPECT_THAT(*parse_numbers("0.1..0.3:0.1"), ElementsAre(0.1, 0.2, 0.3));
}

TEST(ParseNumbers, ADescendingRangeNeedsANegativeStep) {
  EXPECT_THAT(*parse_numbers("300..200:-50"), ElementsAre(300, 250, 200));
  EXPECT_FALSE(parse_numbers("300..200:50").ok());
}

TEST(ParseNumbers, RefusesEndlessAndHugeRanges) {
  EXPECT_FALSE(parse_numbers("1..2:0").ok());
  EXPECT_FALSE(parse_numbers("0..1e9:1").ok());
  EXPECT_FALSE(parse_numbers("1..2").ok());
}

TEST(ParseValues, KeepsTextAndExpandsRanges) {
  EXPECT_THAT(*parse_values("relu, gelu"), ElementsAre("relu", "gelu"));
  EXPECT_THAT(*parse_values("112..336:112"), ElementsAre("112", "224", "336"));
  EXPECT_FALSE(parse_values("a,,b").ok());
}

TEST(ParseFraction, ReadsPercentAndPlainNumbers) {
  EXPECT_DOUBLE_EQ(*parse_fraction("5%"), 0.05);
  EXPECT_DOUBLE_EQ(*parse_fraction("0.05"), 0.05);
}

TEST(ParseDouble, TakesTheWholeTextOrNothing) {
  EXPECT_DOUBLE_EQ(*parse_double(" 12.5\n"), 12.5);
  EXPECT_FALSE(parse_double("12.5W").ok());
  EXPECT_FALSE(parse_uint("-1").ok());
  EXPECT_EQ(*parse_int("-1"), -1);
}

TEST(Shortest, ReadsBackAsTheSameNumber) {
  EXPECT_EQ(shortest(300), "300");
  EXPECT_EQ(shortest(0.1), "0.1");
}

}  // namespace
}  // namespace ergo
