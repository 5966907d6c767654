#include "ergo/stats/fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace ergo::stats {
namespace {

using Values = std::vector<double>;

// statsmodels 0.15.0: m = sm.OLS(y, sm.add_constant(x)).fit(); m.params, m.conf_int(),
// numpy.sqrt(m.mse_resid), m.rsquared. The data are Anscombe's first set (1973).
TEST(Line, ItsIntervalsAreThoseOfStatsmodels) {
  const auto fit =
      fit_line(Values{10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5},
               Values{8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68});
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->intercept.value, 3.000090909090908, 1e-12);
  EXPECT_NEAR(fit->intercept.low, 0.4557368999288407, 1e-11);
  EXPECT_NEAR(fit->intercept.high, 5.544444918252975, 1e-11);
  EXPECT_NEAR(fit->slope.value, 0.5000909090909091, 1e-13);
  EXPECT_NEAR(fit->slope.low, 0.2333701363851875, 1e-12);
  EXPECT_NEAR(fit->slope.high, 0.7668116817966308, 1e-12);
  EXPECT_NEAR(fit->residual_deviation, 1.236603322726321, 1e-12);
  EXPECT_NEAR(fit->r_squared, 0.666542459508775, 1e-12);
}

TEST(Line, ThereIsNoneWhereItIsNotDetermined) {
  EXPECT_FALSE(fit_line(Values{1, 2}, Values{1, 2}));
  EXPECT_FALSE(fit_line(Values{3, 3, 3}, Values{1, 2, 3}));
  EXPECT_FALSE(fit_line(Values{1, 2, 3}, Values{1, 2}));
  EXPECT_FALSE(fit_line(Values{1, 2, 3}, Values{1, std::numeric_limits<double>::infinity(), 3}));
}

TEST(Line, TheSlopesIntervalHoldsTheTruthAsOftenAsItClaims) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0, 2);
  const Values x{1, 2, 3, 4, 5, 6};
  constexpr int trials = 4000;
  int held = 0;
  for (int trial = 0; trial < trials; ++trial) {
    Values y;
    for (const double v : x)
      y.push_back(7 - 3 * v + noise(random));
    const auto fit = fit_line(x, y);
    held += fit->slope.low <= -3 && -3 <= fit->slope.high ? 1 : 0;
  }
  EXPECT_NEAR(held, 0.95 * trials, 0.015 * trials);
}

// A plateau and a rise. Break point, level and slopes agree with a search of SSE(c) on a grid of
// 90,001 points with numpy.linalg.lstsq (NumPy 2.4.6) and with piecewise-regression 1.5 (Muggeo's
// method: break 5.0092857142857135, slope 0.4000000000000007); the interval of the break point is
// where SSE(c) = SSE (1 + scipy.stats.f.ppf(.95, 1, 8) / 8), by scipy.optimize.brentq.
const Values plateau_x{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
const Values plateau_y{2.02, 1.97, 2.05, 1.99, 2.01, 2.38, 2.83, 3.19, 3.63, 4.02, 4.37, 4.81};

TEST(BrokenLine, TheBreakPointIsThatOfAGridSearch) {
  const auto fit = fit_broken_line(plateau_x, plateau_y, {.simulations = 200});
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->at.value, 5.0092857142857135, 1e-9);
  EXPECT_NEAR(fit->at.low, 4.767719397903978, 1e-6);
  EXPECT_NEAR(fit->at.high, 5.210530640678547, 1e-6);
  EXPECT_NEAR(fit->level, 2.008, 1e-9);
  EXPECT_NEAR(fit->slope_below.value, 0, 1e-9);
  EXPECT_NEAR(fit->slope_below.high, 0.018277443651172412, 1e-7);
  EXPECT_NEAR(fit->slope_above.value, 0.4, 1e-9);
  EXPECT_NEAR(fit->slope_above.high - 0.4, 0.009884710602299056, 1e-7);
  EXPECT_NEAR(fit->residual_deviation, 0.03010695221088579, 1e-9);
  EXPECT_NEAR(fit->r_squared, 0.9993916225247086, 1e-9);
  EXPECT_LT(fit->p_straight, 0.01);
}

TEST(BrokenLine, TheOrderOfThePointsDoesNotMatter) {
  const Values x(plateau_x.rbegin(), plateau_x.rend());
  const Values y(plateau_y.rbegin(), plateau_y.rend());
  EXPECT_NEAR(fit_broken_line(x, y, {.simulations = 10})->at.value, 5.0092857142857135, 1e-9);
}

TEST(BrokenLine, ABreakWithoutNoiseIsFoundExactly) {
  Values y;
  for (const double v : plateau_x)
    y.push_back(v <= 4.25 ? 3 - v : 3 - 4.25 + 2 * (v - 4.25));
  const auto fit = fit_broken_line(plateau_x, y, {.simulations = 100});
  EXPECT_NEAR(fit->at.value, 4.25, 1e-9);
  EXPECT_NEAR(fit->slope_below.value, -1, 1e-9);
  EXPECT_NEAR(fit->slope_above.value, 2, 1e-9);
  EXPECT_LE(fit->p_straight, 1.0 / 101 + 1e-12);
}

TEST(BrokenLine, ThereIsNoneWhereItIsNotDetermined) {
  EXPECT_FALSE(fit_broken_line(Values{1, 2, 3, 4, 5}, Values{1, 2, 3, 5, 8}));
  EXPECT_FALSE(fit_broken_line(Values{1, 1, 2, 2, 3, 3}, Values{1, 2, 3, 4, 6, 7}));
  EXPECT_FALSE(fit_broken_line(plateau_x, Values{1, 2}));
}

TEST(BrokenLine, TheIntervalOfTheBreakHoldsItAndStraightLinesSeldomSeemBroken) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> noise(0, 0.3);
  constexpr int trials = 300;
  int held = 0;
  int false_breaks = 0;
  for (int trial = 0; trial < trials; ++trial) {
    Values broken;
    Values straight;
    for (const double v : plateau_x) {
      broken.push_back(1 + std::max(0.0, v - 6.5) + noise(random));
      straight.push_back(1 + 0.5 * v + noise(random));
    }
    const auto fit = fit_broken_line(plateau_x, broken, {.simulations = 1});
    held += fit->at.low <= 6.5 && 6.5 <= fit->at.high ? 1 : 0;
    const auto other = fit_broken_line(
        plateau_x, straight, {.simulations = 100, .seed = static_cast<std::uint64_t>(trial)});
    false_breaks += other->p_straight < 0.05 ? 1 : 0;
  }
  EXPECT_GE(held, 0.92 * trials);
  EXPECT_LE(false_breaks, 0.08 * trials);
  EXPECT_GE(false_breaks, 0.015 * trials);
}

}  // namespace
}  // namespace ergo::stats
