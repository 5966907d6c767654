#include "ergo/stats/steady.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace ergo::stats {
namespace {

/// 100 exp(-i/6) + 20 + ((7919 i) mod 13) / 13, i = 0 … 99.
std::vector<double> warming_up() {
  std::vector<double> series;
  for (int i = 0; i < 100; ++i)
    series.push_back(100 * std::exp(-i / 6.0) + 20 + ((i * 7919) % 13) / 13.0);
  return series;
}

// The formulas in NumPy 2.4.6 on the same series: y = S.reshape(-1, 5).mean(1);
// argmin(((y[d:] - y[d:].mean())**2).sum() / (20 - d)**2) * 5 = 40; Geweke's z of S and of S[40:]
// with batch means.
TEST(Steady, TheWarmUpEndsWhereMser5SaysSo) {
  const auto steady = steady_state(warming_up());
  ASSERT_TRUE(steady);
  EXPECT_EQ(steady->from, 40U);
  EXPECT_NEAR(steady->geweke_z, 1.2776082942092002, 1e-9);
  EXPECT_FALSE(steady->drifts());
  EXPECT_NEAR(geweke(warming_up()), 6.43686449670725, 1e-9);
}

TEST(Steady, ASeriesThatOnlyRisesNeverSettles) {
  std::vector<double> series;
  for (int i = 0; i < 100; ++i)
    series.push_back(i);
  const auto steady = steady_state(series);
  EXPECT_TRUE(!steady || steady->drifts());
}

TEST(Steady, AConstantSeriesIsSteadyFromTheStart) {
  const auto steady = steady_state(std::vector<double>(50, 3.5));
  ASSERT_TRUE(steady);
  EXPECT_EQ(steady->from, 0U);
  EXPECT_EQ(steady->geweke_z, 0);
}

TEST(Steady, FewValuesSayNothing) {
  EXPECT_FALSE(steady_state(std::vector<double>(24, 1.0)));
  EXPECT_FALSE(steady_state({}));
  EXPECT_TRUE(std::isnan(geweke(std::vector<double>(19, 1.0))));
}

TEST(Steady, NoiseAloneLosesLittleAndAStepIsFound) {
  std::mt19937_64 random(17);
  std::normal_distribution<double> noise;
  std::size_t lost = 0;
  int found = 0;
  int drifting = 0;
  constexpr int trials = 200;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> flat(200);
    std::vector<double> step(200);
    for (std::size_t i = 0; i < flat.size(); ++i) {
      flat[i] = noise(random);
      step[i] = (i < 40 ? 8.0 : 0.0) + noise(random);
    }
    const auto steady = steady_state(flat);
    lost += steady ? steady->from : 100;
    drifting += steady && steady->drifts() ? 1 : 0;
    const auto after = steady_state(step);
    found += after && after->from >= 40 && after->from <= 100 ? 1 : 0;
  }
  EXPECT_LT(lost / trials, 50U);
  EXPECT_GE(found, 0.95 * trials);
  EXPECT_LE(drifting, 0.15 * trials);
}

}  // namespace
}  // namespace ergo::stats
