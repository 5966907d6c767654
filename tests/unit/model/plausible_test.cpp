// What a decision does with noise: times that contradict physics, and promises that may break.

#include "model/plausible.hpp"

#include "ergo/model/decide.hpp"
#include "ergo/model/predict.hpp"
#include "unit/model/generated.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

Target probed(std::vector<CurvePoint> points) {
  Target target;
  target.probes.points = std::move(points);
  return target;
}

TEST(Plausible, TimesThatFallAsTheLimitRisesStayAsTheyAre) {
  const Target target = plausible(probed({{100, 2.0, 4.0}, {150, 1.5, 4.5}, {250, 1.0, 5.0}}));
  EXPECT_EQ(target.noise, 0.0);
  EXPECT_EQ(target.probes.points[1].log_time, 1.5);
}

TEST(Plausible, AProbeThatIsFasterUnderALowerLimitRaisesTheNoise) {
  const Target target = plausible(probed({{100, 1.0, 4.0}, {150, 1.2, 4.0}, {250, 0.5, 4.0}}));
  EXPECT_DOUBLE_EQ(target.probes.points[0].log_time, 1.1);
  EXPECT_DOUBLE_EQ(target.probes.points[1].log_time, 1.1);
  EXPECT_DOUBLE_EQ(target.probes.points[2].log_time, 0.5);
  EXPECT_NEAR(target.noise, std::sqrt(0.02), 1e-12);
}

TEST(Plausible, PredictionsDoNotFallAsTheLimitFallsAndKeepBetweenTheProbes) {
  const Target target = probed({{125, 1.0, 4.0}, {250, 0.0, 5.0}});
  std::vector<Prediction> p;
  for (const auto& [limit, time] :
       {std::pair{100.0, 0.8}, {150.0, 0.2}, {200.0, 0.4}, {225.0, -0.3}})
    p.push_back({limit, time, 4.0, 0.01, 0.01, 0});
  make_possible(p, target);
  EXPECT_DOUBLE_EQ(p[0].log_time, 1.0);
  EXPECT_DOUBLE_EQ(p[1].log_time, p[2].log_time);
  EXPECT_NEAR(p[1].log_time, 0.3, 1e-12);
  EXPECT_DOUBLE_EQ(p[3].log_time, 0.0);
}

TEST(Plausible, ADisturbedProbeWidensTheIntervals) {
  const SweepTable table = generated::sweeps(generated::Card{});
  SweepTable probes = generated::only(table, "work5", {125, 175, 250});
  const auto width = [&] {
    const auto rows = predict_table(generated::without(table, "work5"), probes, {{150}, "ergo"});
    const Estimate time = time_of(rows.value().front().prediction);
    return time.high / time.low;
  };
  const double clean = width();
  for (SweepRow& row : probes) {
    if (row.power_limit_w == 175) row.time_s *= 3;
  }
  EXPECT_GT(width(), 1.5 * clean);
}

TEST(Decide, ALimitThatMayBreakThePromiseMustSaveMoreThanTheRiskCosts) {
  const auto choice = [](double sd, double log_power) {
    std::vector<Prediction> p{{100, 0.045, log_power, sd * sd, 1e-6, 0}, {200, 0.0, 5.0, 0, 0, 0}};
    return decide(p, {Objective::energy, 0.05, 0.0});
  };
  EXPECT_EQ(choice(0.001, 4.90), 0U);
  EXPECT_EQ(choice(0.015, 4.93), 1U) << "saves 2 %, breaks the promise with 21 %";
  EXPECT_EQ(choice(0.015, 4.90), 0U) << "saves 5 %";
  EXPECT_EQ(choice(0.3, 4.00), 1U) << "however much it saves";
}

TEST(Gpyjoules, TakesRecordedClocksWhereTheTableHasThem) {
  // Delay is exactly linear in 1 / clock and the clock in the limit: least squares finds both.
  SweepTable table;
  for (const double scale : {1.0, 2.0, 3.0}) {
    for (const double limit : {100.0, 150.0, 200.0, 250.0}) {
      SweepRow row;
      row.gpu = "card";
      row.workload = "work" + std::to_string(static_cast<int>(scale));
      row.power_limit_w = limit;
      row.clock_mhz = 400 + 4 * limit;
      const double u = 1.0;
      const double f = *row.clock_mhz / 1000;
      row.time_s = scale * 10 * (0.4 + 0.6 * 1.4 / f);
      row.energy_j = row.time_s * u * (250 - 100 * (1.4 - f));
      table.push_back(row);
    }
  }
  SweepTable probes = generated::only(table, "work2", {250});
  const auto rows = predict_table(generated::without(table, "work2"), probes, {{}, "gpyjoules"});
  ASSERT_TRUE(rows.ok());
  for (const PredictedRow& row : *rows) {
    const SweepTable truth = generated::only(table, "work2", {row.prediction.limit_w});
    EXPECT_NEAR(time_of(row.prediction).value / truth.front().time_s, 1.0, 1e-6);
    EXPECT_NEAR(energy_of(row.prediction).value / truth.front().energy_j, 1.0, 1e-6);
  }
}

}  // namespace
}  // namespace ergo
