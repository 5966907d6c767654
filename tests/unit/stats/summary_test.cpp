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

const std::vector<double> skewed{3.1, 2.7, 3.8, 4.4, 2.9, 3.3, 9.2, 3.0, 3.6, 2.8, 3.4, 3.2};

// SciPy 1.17.1: scipy.stats.median_abs_deviation(v); NumPy 2.4.6: numpy.std(v, ddof=1),
// numpy.mean(v).
TEST(Summary, SpreadIsThatOfSciPy) {
  EXPECT_NEAR(median_absolute_deviation(skewed), 0.35, 1e-14);
  EXPECT_NEAR(standard_deviation(skewed), 1.7703791752735976, 1e-14);
  EXPECT_NEAR(mean(skewed), 3.783333333333333, 1e-14);
  EXPECT_DOUBLE_EQ(median(skewed), 3.25);
}

// SciPy 1.17.1: scipy.stats.bootstrap((v,), statistic, n_resamples=200000, method="BCa",
// random_state=numpy.random.default_rng(1)).confidence_interval. With other random numbers its ends
// move by about 0.01 (mean) and 0.05 (standard deviation); those of a median are values of the
// sample, or midway between two.
TEST(Summary, TheBootstrapIsThatOfSciPy) {
  const IntervalOptions many{.resamples = 50'000};
  const Estimate middle = bca_interval(skewed, median, many);
  EXPECT_DOUBLE_EQ(middle.low, 2.95);
  EXPECT_DOUBLE_EQ(middle.high, 3.7);
  const Estimate average = bca_interval(skewed, mean, many);
  EXPECT_NEAR(average.low, 3.2, 0.02);
  EXPECT_NEAR(average.high, 5.683333, 0.05);
  const Estimate spread = bca_interval(skewed, standard_deviation, many);
  EXPECT_NEAR(spread.low, 0.394181, 0.02);
  EXPECT_NEAR(spread.high, 3.111861, 0.06);
}

// SciPy 1.17.1: scipy.stats.t.interval(0.95, 4, loc=numpy.mean(v), scale=scipy.stats.sem(v)).
TEST(Summary, OfFewValuesTheIntervalIsStudents) {
  const Estimate e = median_interval(std::vector<double>{10.1, 9.8, 10.4, 10.0, 10.7});
  EXPECT_DOUBLE_EQ(e.value, 10.1);
  EXPECT_NEAR(e.low, 9.761005483457458, 1e-12);
  EXPECT_NEAR(e.high, 10.63899451654254, 1e-12);
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
  EXPECT_NEAR(normal_quantile(1e-10), -6.3613409024040557, 1e-9);
  EXPECT_NEAR(normal_quantile(0.2), -0.8416212335729143, 1e-12);
}

// scipy.stats.norm.cdf (SciPy 1.17.1).
TEST(Summary, TheNormalDistributionIsThatOfSciPy) {
  EXPECT_NEAR(normal_cdf(-3.5), 2.3262907903552502e-04, 1e-17);
  EXPECT_NEAR(normal_cdf(2.2), 0.9860965524865014, 1e-15);
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
