#include "model/slowdowns.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

constexpr double alike = 0.015;
constexpr double own_variance = 1e-4;  // of a prediction that is sure to 1 %

/// Workloads that were predicted 4 % and 20 % slower than under the highest limit.
std::vector<SlowdownMiss> misses(double near_four, double near_twenty, double scatter = 0.0) {
  std::vector<SlowdownMiss> all;
  for (std::size_t group = 0; group < 8; ++group) {
    const double side = group % 2 == 0 ? scatter : -scatter;
    all.push_back({0.04, near_four + side, 1, group});
    all.push_back({0.20, near_twenty + side, 1, group});
  }
  return all;
}

TEST(ExpectedSlowdown, IsMovedToWhatCurvesPredictedAsSlowTurnedOutToBe) {
  const auto all = misses(0.02, -0.05);
  EXPECT_NEAR(expected_slowdown(all, 0.04, own_variance, alike).shift, 0.02, 0.004);
  EXPECT_NEAR(expected_slowdown(all, 0.20, own_variance, alike).shift, -0.05, 0.01);
}

TEST(ExpectedSlowdown, IsAsUnsureAsOtherWorkloadsScatter) {
  const double sure = expected_slowdown(misses(0, 0, 0.002), 0.04, own_variance, alike).variance;
  const double unsure = expected_slowdown(misses(0, 0, 0.03), 0.04, own_variance, alike).variance;
  EXPECT_LT(std::sqrt(sure), 0.006);
  EXPECT_GT(std::sqrt(unsure), 0.02);
}

TEST(ExpectedSlowdown, StaysWhatWasBelievedWhereNoCurveWasAsSlow) {
  for (const auto& all : {misses(0.02, 0.02), std::vector<SlowdownMiss>{}}) {
    const Slowdown far = expected_slowdown(all, 0.5, own_variance, alike);
    EXPECT_NEAR(far.shift, 0, 1e-6);
    EXPECT_NEAR(far.variance, own_variance, 1e-6);
  }
}

TEST(ExpectedSlowdown, OneWorkloadIsNotEnoughToBeSure) {
  const std::vector<SlowdownMiss> one{{0.04, 0.0, 1, 0}};
  EXPECT_GT(expected_slowdown(one, 0.04, own_variance, alike).variance, 0.4 * own_variance);
}

TEST(ExpectedSlowdown, OneWorkloadFarOffMovesItLittle) {
  auto all = misses(0.0, 0.0, 0.005);
  all.front().size = 0.2;
  EXPECT_LT(expected_slowdown(all, 0.04, own_variance, alike).shift, 0.005);
}

}  // namespace
}  // namespace ergo
