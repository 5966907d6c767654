#include "ergo/stats/summary.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace ergo::stats {
namespace {

TEST(Summary, TheMedianOfAnEvenCountIsTheMeanOfTheMiddleTwo) {
  EXPECT_DOUBLE_EQ(median(std::vector<double>{4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{9, 1, 5}), 5);
}

// numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0.25, 0.95]) (NumPy 1.24, default method "linear").
TEST(Summary, QuantilesAreThoseOfNumPy) {
  const std::vector<double> v{3, 1, 4, 1, 5, 9, 2, 6};
  EXPECT_DOUBLE_EQ(quantile(v, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(quantile(v, 0.95), 7.95);
}

TEST(Summary, NoValuesHaveNoMedian) {
  EXPECT_TRUE(std::isnan(median({})));
}

TEST(Summary, OneValueHasNoSpread) {
  const Estimate e = median_interval(std::vector<double>{12.3});
  EXPECT_DOUBLE_EQ(e.low, 12.3);
  EXPECT_DOUBLE_EQ(e.high, 12.3);
}

TEST(Summary, AnIntervalIsTheSameEveryTime) {
  const std::vector<double> v{1, 2, 3, 4, 5, 6, 7, 8, 9, 20};
  EXPECT_EQ(median_interval(v).low, median_interval(v).low);
  EXPECT_LE(median_interval(v).low, 5.5);
  EXPECT_GE(median_interval(v).high, 5.5);
}

// scipy.stats.norm.ppf (SciPy 1.10).
TEST(Summary, NormalQuantilesAreThoseOfSciPy) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306167813, 1e-10);
}

class Coverage : public testing::TestWithParam<std::size_t> {};

TEST_P(Coverage, TheIntervalHoldsTheTrueMedianAsOftenAsItClaims) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(100, 5);
  int held = 0;
  constexpr int trials = 1000;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> v(GetParam());
    for (double& x : v)
      x = normal(random);
    const Estimate e =
        median_interval(v, {.resamples = 500, .seed = static_cast<std::uint64_t>(trial)});
    held += e.low <= 100 && 100 <= e.high ? 1 : 0;
  }
  EXPECT_GE(held, 915) << "of " << trials;
}

INSTANTIATE_TEST_SUITE_P(Repeats, Coverage, testing::Values(3, 5, 7, 10, 20));

}  // namespace
}  // namespace ergo::stats
