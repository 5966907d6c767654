#include "ergo/experiment/limits_results.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

/// Time falls and power rises with the limit; `b` is the share that the clock does not touch.
void add_curve(SweepTable& table, const std::string& gpu, const std::string& workload, double b,
               double seconds) {
  for (double limit = 150; limit <= 300; limit += 25) {
    const double clock = std::pow(limit / 300, 0.5);
    SweepRow row;
    row.gpu = gpu;
    row.workload = workload;
    row.power_limit_w = limit;
    row.time_s = seconds * ((1 - b) / clock + b);
    row.energy_j = row.time_s * limit * 0.97;
    table.push_back(row);
  }
}

SweepTable two_gpus() {
  SweepTable table;
  for (const char* gpu : {"V100", "T4"}) {
    const double slow = gpu[0] == 'T' ? 3 : 1;
    add_curve(table, gpu, "dense", 0.1, slow);
    add_curve(table, gpu, "mixed", 0.4, slow * 2);
    add_curve(table, gpu, "bandwidth", 0.8, slow * 1.5);
  }
  return table;
}

TEST(LimitsResults, SavingsAreRelativeToTheDefault) {
  const auto results = limits_results(two_gpus());
  ASSERT_TRUE(results.ok());
  ASSERT_EQ(results->curves.size(), 6U);
  const LimitCurve& c = results->curves[0];
  EXPECT_EQ(c.standard().limit_w, 300);
  EXPECT_EQ(c.points[c.best_energy].limit_w, 150) << "this law has no floor";
  const double time = 0.9 / std::sqrt(0.5) + 0.1;
  EXPECT_NEAR(c.energy_saving(c.best_energy), 1 - time / 2, 1e-9);
  EXPECT_NEAR(c.slowdown(c.best_energy), time - 1, 1e-9);
  EXPECT_EQ(c.energy_saving(c.points.size() - 1), 0);
}

TEST(LimitsResults, TheFrontHoldsWhatNoOtherGpuBeatsInBoth) {
  const auto results = limits_results(two_gpus());
  ASSERT_TRUE(results.ok());
  for (const LimitCurve& c : results->curves)
    EXPECT_EQ(c.on_front, c.gpu == "V100") << "the T4 here is slower and draws as much";
}

TEST(LimitsResults, BandsHoldAndErrorsNameEveryMethodAndGpu) {
  const auto results = limits_results(two_gpus());
  ASSERT_TRUE(results.ok());
  for (const LimitCurve& c : results->curves) {
    ASSERT_EQ(c.bands.size(), c.points.size());
    for (std::size_t i = 0; i < c.bands.size(); ++i) {
      EXPECT_EQ(c.bands[i].limit_w, c.points[i].limit_w);
      EXPECT_NEAR(c.bands[i].energy_j.value, c.points[i].energy_j, 0.15 * c.points[i].energy_j);
    }
  }
  EXPECT_EQ(results->errors.size(), 8U);
  for (const LimitErrors& e : results->errors)
    EXPECT_TRUE(e.scores.energy_mape) << e.method;
}

TEST(LimitsResults, WithTooLittleItSaysSoOrLeavesOut) {
  SweepTable table;
  add_curve(table, "V100", "dense", 0.1, 1);
  EXPECT_TRUE(limits_results(table)->errors.empty());
  table.resize(1);
  EXPECT_EQ(limits_results(table).error().code, Errc::not_supported);
  EXPECT_EQ(limits_results({}).error().code, Errc::not_supported);
}

}  // namespace
}  // namespace ergo
