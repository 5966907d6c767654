#include "ergo/stats/difference.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace ergo::stats {
namespace {

using Values = std::vector<double>;

const Values a{20.1, 19.8, 20.6, 20.3, 19.9, 20.4};
const Values b{19.3, 19.0, 19.9, 19.5, 19.2, 19.1, 19.7};
const Values b_paired{19.3, 19.0, 19.9, 19.5, 19.2, 20.7};

// SciPy 1.17.1: ttest_ind(b, a, equal_var=False).confidence_interval().
TEST(Difference, OfMeansIsWelchs) {
  const auto e = difference_of_means(a, b);
  EXPECT_NEAR(e->value, -0.7976190476190546, 1e-12);
  EXPECT_NEAR(e->low, -1.1859188098334816, 1e-11);
  EXPECT_NEAR(e->high, -0.4093192854046276, 1e-11);
}

// SciPy 1.17.1: ttest_rel(b, a).confidence_interval().
TEST(Difference, OfPairsIsStudents) {
  const auto e = paired_difference(a, b_paired);
  EXPECT_NEAR(e->value, -0.5833333333333339, 1e-12);
  EXPECT_NEAR(e->low, -1.0403702856466517, 1e-11);
  EXPECT_NEAR(e->high, -0.12629638102001622, 1e-11);
}

// Median and 7th smallest and largest of the 42 differences; 7 from all 1716 arrangements of ranks
// (itertools.combinations): P(U < 7) <= 0.025.
TEST(Difference, ShiftIsHodgesAndLehmanns) {
  const auto e = shift(a, b);
  EXPECT_NEAR(e->value, -0.8, 1e-12);
  EXPECT_NEAR(e->low, -1.3, 1e-12);
  EXPECT_NEAR(e->high, -0.4, 1e-12);
  EXPECT_FALSE(shift(Values{1, 2, 3}, Values{1, 2, 3}));
  EXPECT_FALSE(shift({}, b));
}

// SciPy 1.17.1: permutation_test((a, b), lambda x, y: abs(mean(x) - mean(y)), n_resamples=inf,
// alternative="greater").pvalue = 5 of 1716.
TEST(Permutation, AllArrangementsAreCounted) {
  const auto test = permutation_test(a, b);
  EXPECT_TRUE(test->exact);
  EXPECT_NEAR(test->p, 5.0 / 1716, 1e-12);
  EXPECT_NEAR(test->smallest, 1.0 / 1716, 1e-12);
}

// SciPy 1.17.1: permutation_test((a, b), ..., permutation_type="samples", n_resamples=inf).pvalue.
TEST(Permutation, OfPairsIsThatOfSciPy) {
  const auto test = paired_permutation_test(a, b_paired);
  EXPECT_TRUE(test->exact);
  EXPECT_DOUBLE_EQ(test->p, 0.0625);
  EXPECT_DOUBLE_EQ(test->smallest, 2.0 / 64);
}

TEST(Permutation, ManyValuesAreDealtAtRandomTheSameForASeed) {
  PermutationOptions few{.most = 1000, .seed = 4};
  const auto test = permutation_test(a, b, few);
  EXPECT_FALSE(test->exact);
  EXPECT_NEAR(test->p, 5.0 / 1716, 0.008);
  EXPECT_EQ(test->p, permutation_test(a, b, few)->p);
  EXPECT_NE(test->p, 0.0);
  EXPECT_NEAR(paired_permutation_test(a, b_paired, {.most = 50})->p, 0.0625, 0.08);
}

TEST(Permutation, EqualSidesAreNoDifference) {
  EXPECT_DOUBLE_EQ(permutation_test(Values{1, 2, 3}, Values{1, 2, 3})->p, 1);
  EXPECT_DOUBLE_EQ(paired_permutation_test(Values{5, 5, 5}, Values{5, 5, 5})->p, 1);
  EXPECT_FALSE(permutation_test({}, b));
  EXPECT_FALSE(paired_permutation_test(a, b));
}

TEST(Permutation, UnderNoDifferenceItRejectsAsOftenAsItSays) {
  std::mt19937_64 random(23);
  std::lognormal_distribution<double> skewed(0, 1);
  constexpr int trials = 2000;
  int rejected = 0;
  for (int trial = 0; trial < trials; ++trial) {
    Values x(5);
    Values y(5);
    for (double& v : x)
      v = skewed(random);
    for (double& v : y)
      v = skewed(random);
    rejected += permutation_test(x, y)->p <= 0.05 ? 1 : 0;
  }
  EXPECT_LE(rejected, 0.065 * trials);
  EXPECT_GE(rejected, 0.03 * trials);
}

// expm1 of ttest_rel(...).confidence_interval() and of ttest_ind(..., equal_var=False) on numpy.log
// of the values.
TEST(Relative, ItIsTheRatioOfGeometricMeans) {
  const auto pairs = relative_difference(a, b_paired, true);
  EXPECT_NEAR(pairs->change.value, -0.029206029414393365, 1e-12);
  EXPECT_NEAR(pairs->change.low, -0.05120894, 1e-8);
  EXPECT_NEAR(pairs->change.high, -0.00669286, 1e-8);
  EXPECT_NEAR(pairs->log_deviation, 0.021845704465055245, 1e-12);
  const auto apart = relative_difference(a, b, false);
  EXPECT_NEAR(apart->change.value, -0.03954461264733533, 1e-12);
  EXPECT_NEAR(apart->change.low, -0.05817708, 1e-8);
  EXPECT_NEAR(apart->change.high, -0.02054354, 1e-8);
}

TEST(Relative, ACommonGainErrorCancels) {
  Values a_high;
  Values b_high;
  for (const double v : a)
    a_high.push_back(1.05 * v);
  for (const double v : b)
    b_high.push_back(1.05 * v);
  EXPECT_NEAR(relative_difference(a_high, b_high, false)->change.low,
              relative_difference(a, b, false)->change.low, 1e-12);
}

TEST(Relative, WhatIsNotPositiveHasNoRatio) {
  EXPECT_FALSE(relative_difference(Values{1, 0}, Values{1, 2}, false));
  EXPECT_FALSE(relative_difference(Values{1, 2}, Values{1, -2}, true));
  EXPECT_FALSE(relative_difference(Values{1}, Values{2, 3}, false));
  EXPECT_FALSE(relative_difference(Values{1, 2}, Values{2, 3, 4}, true));
}

TEST(Relative, FewRunsAreBelievedByTheirIntervalAndManyMustPassTheTestToo) {
  const auto three = relative_difference(Values{100, 101, 99}, Values{80, 81, 79.5}, true);
  EXPECT_GT(three->test.smallest, 0.05);
  EXPECT_TRUE(is_told(*three));
  EXPECT_FALSE(is_told(*relative_difference(a, b_paired, true)))
      << "the interval alone excludes 0, the test of six pairs does not";
  EXPECT_TRUE(is_told(*relative_difference(a, b, false)));
  EXPECT_FALSE(is_told(*relative_difference(a, a, false)));
}

TEST(Relative, RoundingIsNoDifference) {
  const Values same{7, 7, 7, 7};
  const Values nearly{7 + 1e-14, 7 + 1e-14, 7 + 1e-14, 7 + 1e-14};
  EXPECT_FALSE(is_told(*relative_difference(same, nearly, true)));
  EXPECT_TRUE(is_told(*relative_difference(same, Values{8, 8, 8, 8}, false)));
}

TEST(Relative, ThePairsAskedForGiveTheResolution) {
  const auto found = relative_difference(a, b_paired, true);
  const std::size_t pairs = pairs_for(*found, 0.01);
  // 0.9708 t(n-1) 0.021846 / sqrt(n) <= 0.01 first holds at n = 20 (scipy.stats.t.ppf).
  EXPECT_EQ(pairs, 20U);
  EXPECT_EQ(pairs_for(*relative_difference(Values{2, 2}, Values{3, 3}, true), 0.01), 2U);
}

class RelativeCoverage : public testing::TestWithParam<bool> {};

TEST_P(RelativeCoverage, TheIntervalHoldsTheTruthAsOftenAsItClaims) {
  const bool paired = GetParam();
  std::mt19937_64 random(31);
  std::normal_distribution<double> normal;
  constexpr int trials = 2000;
  int held = 0;
  int shift_held = 0;
  for (int trial = 0; trial < trials; ++trial) {
    Values x;
    Values y;
    for (int i = 0; i < 6; ++i) {
      const double drift = paired ? 0.05 * normal(random) : 0.0;
      x.push_back(100 * std::exp(drift + 0.01 * normal(random)));
      y.push_back(96 * std::exp(drift + 0.02 * normal(random)));
    }
    const auto e = relative_difference(x, y, paired, {.most = 1});
    held += e->change.low <= -0.04 && -0.04 <= e->change.high ? 1 : 0;
    const auto s = shift(x, y);
    shift_held += s->low <= -4 && -4 <= s->high ? 1 : 0;
  }
  EXPECT_NEAR(held, 0.95 * trials, 0.015 * trials);
  EXPECT_GE(shift_held, 0.935 * trials);
}

INSTANTIATE_TEST_SUITE_P(Both, RelativeCoverage, testing::Bool());

}  // namespace
}  // namespace ergo::stats
