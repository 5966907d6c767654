#include "ergo/core/units.hpp"

#include <gtest/gtest.h>

namespace ergo {
namespace {

using namespace literals;

TEST(Units, PowerTimesTimeIsEnergy) {
  EXPECT_EQ(100_W * 2.5_s, 250_J);
}
TEST(Units, EnergyOverTimeIsPower) {
  EXPECT_EQ(250_J / 2.5_s, 100_W);
}
TEST(Units, EnergyOverPowerIsTime) {
  EXPECT_EQ(250_J / 100_W, 2.5_s);
}
TEST(Units, RatioOfLikeQuantitiesIsANumber) {
  EXPECT_DOUBLE_EQ(3_J / 6_J, 0.5);
}
TEST(Units, MillisecondsAreSeconds) {
  EXPECT_DOUBLE_EQ((100_ms).value(), 0.1);
}

}  // namespace
}  // namespace ergo
