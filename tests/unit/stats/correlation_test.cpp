#include "ergo/stats/correlation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>

namespace ergo::stats {
namespace {

using Values = std::vector<double>;

// Numbers of SciPy 1.17.1: scipy.stats.pearsonr(x, y) and .confidence_interval(0.95),
// scipy.stats.spearmanr(x, y).statistic, scipy.stats.rankdata(x).
const Values anscombe_x{10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5};
const Values anscombe_y{8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68};
const Values tied_x{1, 2, 2, 3, 5, 5, 5, 8, 9, 4, 7, 6};
const Values tied_y{2, 1, 4, 3, 6, 5, 5, 7, 7, 3, 9, 5};

TEST(Correlation, PearsonIsThatOfSciPy) {
  const auto e = pearson(anscombe_x, anscombe_y);
  ASSERT_TRUE(e);
  EXPECT_NEAR(e->value, 0.8164205163448395, 1e-14);
  EXPECT_NEAR(e->low, 0.4243912133932152, 1e-12);
  EXPECT_NEAR(e->high, 0.9506932537865604, 1e-12);
}

TEST(Correlation, SpearmanWithTiesIsThatOfSciPy) {
  EXPECT_NEAR(spearman(anscombe_x, anscombe_y)->value, 0.8181818181818182, 1e-14);
  EXPECT_NEAR(spearman(tied_x, tied_y)->value, 0.9055272853225629, 1e-14);
}

// numpy.tanh(numpy.arctanh(r) -+ scipy.stats.norm.ppf(.975) * numpy.sqrt((1 + r**2/2) / (n-3)))
// with r = 0.9055272853225629, n = 12.
TEST(Correlation, SpearmansIntervalIsThatOfBonettAndWright) {
  const auto e = spearman(tied_x, tied_y);
  EXPECT_NEAR(e->low, 0.62081383543805, 1e-12);
  EXPECT_NEAR(e->high, 0.9792052391230301, 1e-12);
}

TEST(Correlation, TiesShareTheMeanOfTheirRanks) {
  EXPECT_EQ(average_ranks(tied_x), (Values{1, 2.5, 2.5, 4, 7, 7, 7, 11, 12, 5, 10, 9}));
}

TEST(Correlation, ALineGoesTogetherPerfectly) {
  const Values x{1, 2, 3, 4, 5};
  EXPECT_NEAR(pearson(x, Values{3, 5, 7, 9, 11})->value, 1, 1e-15);
  EXPECT_NEAR(pearson(x, Values{-3, -5, -7, -9, -11})->value, -1, 1e-15);
}

TEST(Correlation, APerfectOrderOfFewPairsProvesLittle) {
  const auto e = spearman(Values{1, 2, 3, 4, 5}, Values{1, 4, 9, 16, 100});
  EXPECT_DOUBLE_EQ(e->value, 1);
  EXPECT_DOUBLE_EQ(e->high, 1);
  EXPECT_LT(e->low, 0.5);
  const auto down = spearman(Values{1, 2, 3, 4, 5}, Values{9, 7, 5, 3, 1});
  EXPECT_DOUBLE_EQ(down->low, -1);
  EXPECT_DOUBLE_EQ(down->high, -e->low);
}

TEST(Correlation, ThreePairsSayNothingAboutTheInterval) {
  for (const auto& e :
       {pearson(Values{1, 2, 4}, Values{1, 3, 4}), spearman(Values{1, 2, 4}, Values{1, 3, 4})}) {
    ASSERT_TRUE(e);
    EXPECT_DOUBLE_EQ(e->low, -1);
    EXPECT_DOUBLE_EQ(e->high, 1);
  }
}

TEST(Correlation, ItDoesNotDependOnUnits) {
  Values tiny;
  Values huge;
  for (const double v : anscombe_x)
    tiny.push_back(v * 1e-200);
  for (const double v : anscombe_y)
    huge.push_back(v * 1e200 + 1e200);
  EXPECT_NEAR(pearson(tiny, huge)->value, 0.8164205163448395, 1e-12);
}

TEST(Correlation, WhereNothingVariesThereIsNone) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& function : {pearson, spearman}) {
    EXPECT_FALSE(function(Values{5, 5, 5, 5}, Values{1, 2, 3, 4}));
    EXPECT_FALSE(function(Values{1, 2, 3, 4}, Values{0, 0, 0, 0}));
    EXPECT_FALSE(function(Values{1, 2}, Values{1, 2}));
    EXPECT_FALSE(function(Values{1, 2, 3}, Values{1, 2}));
    EXPECT_FALSE(function(Values{1, 2, nan}, Values{1, 2, 3}));
    EXPECT_FALSE(function({}, {}));
  }
}

struct CoverageCase {
  std::size_t pairs;
  double r;
};
void PrintTo(const CoverageCase& c, std::ostream* out) {
  *out << c.pairs << " pairs, r = " << c.r;
}
class CorrelationCoverage : public testing::TestWithParam<CoverageCase> {};

TEST_P(CorrelationCoverage, TheIntervalsHoldTheTruthAsOftenAsTheyClaim) {
  const auto [pairs, r] = GetParam();
  // Of a bivariate normal: Spearman's rho from Pearson's r (Pearson 1907).
  const double rho = 6.0 / std::numbers::pi * std::asin(r / 2.0);
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  constexpr int trials = 4000;
  int held_r = 0;
  int held_rho = 0;
  for (int trial = 0; trial < trials; ++trial) {
    Values x(pairs);
    Values y(pairs);
    for (std::size_t i = 0; i < pairs; ++i) {
      x[i] = normal(random);
      y[i] = r * x[i] + std::sqrt(1 - r * r) * normal(random);
    }
    const auto p = pearson(x, y);
    const auto s = spearman(x, y);
    held_r += p->low <= r && r <= p->high ? 1 : 0;
    held_rho += s->low <= rho && rho <= s->high ? 1 : 0;
  }
  EXPECT_NEAR(held_r, 0.95 * trials, 0.015 * trials);
  EXPECT_GE(held_rho, 0.93 * trials);
  EXPECT_LE(held_rho, 0.985 * trials);
}

INSTANTIATE_TEST_SUITE_P(Pairs, CorrelationCoverage,
                         testing::Values(CoverageCase{8, 0.0}, CoverageCase{8, 0.9},
                                         CoverageCase{20, -0.6}, CoverageCase{60, 0.95}));

}  // namespace
}  // namespace ergo::stats
