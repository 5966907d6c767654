#include "ergo/model/evaluate.hpp"

#include "ergo/model/method.hpp"
#include "unit/model/generated.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

using generated::Card;
using testing::ElementsAre;

/// No other workload was measured under the lowest limits: what is best there nobody knows.
SweepTable without_low(const SweepTable& table) {
  SweepTable rows;
  for (const SweepRow& row : table) {
    if (row.workload == "low" || row.power_limit_w > 125) rows.push_back(row);
  }
  return rows;
}

TEST(ProbeLimits, AreTheDefaultAndTheRuleOfTheReference) {
  const std::vector<double> limits{100, 125, 150, 175, 200, 225, 250};
  EXPECT_THAT(probe_limits(limits, 0), ElementsAre());
  EXPECT_THAT(probe_limits(limits, 1), ElementsAre(250));
  EXPECT_THAT(probe_limits(limits, 2), ElementsAre(125, 250));
  EXPECT_THAT(probe_limits(limits, 3), ElementsAre(125, 150, 250));
  EXPECT_THAT(probe_limits({250, 260}, 3), ElementsAre(250, 260));
}

TEST(Evaluate, IntervalsHoldBetween90And99Percent) {
  const auto scores = evaluate({{"made", generated::sweeps(Card{}, 10, 0.02)}},
                               {LeaveOut::workload, 2, {"ergo"}, 1});
  ASSERT_TRUE(scores.ok());
  const Scores& s = scores->front().macro;
  EXPECT_EQ(s.curves, 10U);
  for (const auto& coverage : {s.time_coverage, s.energy_coverage, s.edp_coverage}) {
    ASSERT_TRUE(coverage);
    EXPECT_GE(*coverage, 0.90);
    // Ten curves of five unprobed limits: all fifty inside is within chance of 99 %.
  }
  EXPECT_LT(*s.time_mape, 0.04);
}

TEST(Evaluate, IntervalsHoldWhereOnlyTwoOtherWorkloadsAreKnown) {
  std::vector<DataSource> sources;
  for (int i = 0; i < 12; ++i) {
    Card card;
    card.name = "card" + std::to_string(i);
    card.idle_w = 25 + 5 * i;
    card.voltage_floor = 0.6 + 0.025 * i;
    SweepTable table;
    for (int w = 0; w < 3; ++w) {
      const double share = std::fmod(0.618 * (3 * i + w), 1.0);
      const double memory = std::fmod(0.755 * (3 * i + w), 0.9);
      generated::append(table, card, {"work" + std::to_string(w), 50, 60 + 180 * share, memory},
                        0.015, static_cast<std::uint64_t>(3 * i + w + 1));
    }
    sources.push_back({card.name, table});
  }
  for (int probes : {1, 2}) {
    EvaluateOptions options;
    options.probes = probes;
    const auto scores = evaluate(sources, options);
    ASSERT_TRUE(scores.ok());
    const Scores& mean = scores->front().macro;
    EXPECT_GE(*mean.time_coverage, 0.9) << probes;
    EXPECT_GE(*mean.energy_coverage, 0.9) << probes;
    EXPECT_GE(*mean.edp_coverage, 0.9) << probes;
  }
}

TEST(Evaluate, NeverChangingTheLimitHasTheRegretOfTheDefault) {
  SweepTable table;
  for (const char* workload : {"a", "b"}) {
    table.push_back({"A", workload, "c", 100, 2.0, 100, {}, {}, {}, {}, {}, {}});
    table.push_back({"A", workload, "c", 200, 1.0, 150, {}, {}, {}, {}, {}, {}});
  }
  const auto scores = evaluate({{"made", table}}, {LeaveOut::workload, 1, {"default"}, 1});
  ASSERT_TRUE(scores.ok());
  const Scores& s = scores->front().macro;
  EXPECT_NEAR(*s.energy_regret, 0.5, 1e-9);    // 150 J where 100 J is possible
  EXPECT_NEAR(*s.edp_regret, 0.0, 1e-9);       // 150 Js against 200 Js
  EXPECT_NEAR(*s.slowdown_regret, 0.0, 1e-9);  // the lower limit is twice as slow
  EXPECT_NEAR(*s.violations, 0.0, 1e-9);
  EXPECT_FALSE(s.time_mape);  // a policy predicts no curve
}

TEST(Evaluate, AveragesConfigurationsThenWorkloadsThenDomains) {
  SweepTable
      many;  // one workload with three configurations, each with regret 0.5; one with regret 0
  for (const char* config : {"x", "y", "z"}) {
    many.push_back({"A", "a", config, 100, 1.0, 100, {}, {}, {}, {}, {}, {}});
    many.push_back({"A", "a", config, 200, 1.0, 150, {}, {}, {}, {}, {}, {}});
  }
  many.push_back({"A", "b", "x", 100, 1.0, 100, {}, {}, {}, {}, {}, {}});
  many.push_back({"A", "b", "x", 200, 1.0, 100, {}, {}, {}, {}, {}, {}});
  SweepTable flat;
  flat.push_back({"B", "b", "x", 100, 1.0, 100, {}, {}, {}, {}, {}, {}});
  flat.push_back({"B", "b", "x", 200, 1.0, 100, {}, {}, {}, {}, {}, {}});
  const auto scores =
      evaluate({{"one", many}, {"two", flat}}, {LeaveOut::workload, 1, {"default"}, 2});
  ASSERT_TRUE(scores.ok());
  const MethodScores& m = scores->front();
  ASSERT_EQ(m.domains.size(), 2U);
  EXPECT_NEAR(*m.domains[0].scores.energy_regret, 0.25, 1e-9);
  EXPECT_NEAR(*m.macro.energy_regret, 0.125, 1e-9);
  EXPECT_NEAR(*m.macro.worst_edp_regret, 0.5, 1e-9);
}

TEST(Evaluate, ALeftOutWorkloadIsNotLearnedFromUnderAnyConfiguration) {
  SweepTable table = generated::sweeps(Card{}, 6, 0.0);
  SweepTable twin = table;  // the same curves again, as another configuration
  for (SweepRow& row : twin)
    row.config = "two";
  table.insert(table.end(), twin.begin(), twin.end());
  const auto workload = evaluate({{"made", table}}, {LeaveOut::workload, 1, {"nearest"}, 1});
  const auto config = evaluate({{"made", table}}, {LeaveOut::config, 1, {"nearest"}, 1});
  ASSERT_TRUE(workload.ok() && config.ok());
  EXPECT_LT(*config->front().macro.edp_mape, 0.5 * *workload->front().macro.edp_mape);
}

TEST(Evaluate, WithNoProbeOnlyChoicesAreScored) {
  const auto scores = evaluate({{"made", generated::sweeps(Card{})}},
                               {LeaveOut::workload, 0, {"ergo", "constant"}, 1});
  ASSERT_TRUE(scores.ok());
  for (const MethodScores& m : *scores) {
    EXPECT_FALSE(m.macro.time_mape) << m.method;
    ASSERT_TRUE(m.macro.energy_regret) << m.method;
    EXPECT_LT(*m.macro.energy_regret, 0.15) << m.method;
  }
}

TEST(Evaluate, AWorkloadMeasuredUnderLowLimitsOnlyIsScoredByEveryMethod) {
  Card all;
  Card low;
  low.limits = {100, 125};
  SweepTable table = generated::sweeps(all, 4);
  generated::append(table, low, {"low", 80, 150, 0.4});
  for (const LeaveOut leave_out : {LeaveOut::workload, LeaveOut::config}) {
    for (int probes = 0; probes <= 3; ++probes) {
      EvaluateOptions options;
      options.leave_out = leave_out;
      options.probes = probes;
      options.methods = method_names();
      const auto scores = evaluate({{"one", without_low(table)}}, options);
      ASSERT_TRUE(scores.ok());
      for (const MethodScores& method : *scores) {
        const auto& curves = method.domains.front().curves;
        EXPECT_EQ(curves.size(), 5U);
        for (const CurveScores& curve : curves) {
          EXPECT_GE(*curve.scores.energy_regret, 0) << method.method << " " << curve.workload;
          EXPECT_LT(*curve.scores.energy_regret, 3) << method.method << " " << curve.workload;
        }
      }
    }
  }
}

TEST(Evaluate, TheNumberOfThreadsChangesNothing) {
  const std::vector<DataSource> data{{"one", generated::sweeps(Card{}, 6, 0.01)},
                                     {"two", generated::sweeps(Card{"other"}, 5, 0.02)}};
  const auto one = evaluate(data, {LeaveOut::workload, 2, {"ergo", "nearest"}, 1});
  const auto two = evaluate(data, {LeaveOut::workload, 2, {"ergo", "nearest"}, 2});
  ASSERT_TRUE(one.ok() && two.ok());
  for (std::size_t i = 0; i < one->size(); ++i)
    EXPECT_EQ(*(*one)[i].macro.edp_mape, *(*two)[i].macro.edp_mape);
}

TEST(Evaluate, ImpossibleRequestsAreRefused) {
  const std::vector<DataSource> data{{"made", generated::sweeps(Card{}, 3)}};
  EXPECT_FALSE(evaluate(data, {LeaveOut::gpu, 1, {"ergo"}, 1}).ok());
  EXPECT_FALSE(evaluate(data, {LeaveOut::workload, 4, {"ergo"}, 1}).ok());
  EXPECT_FALSE(evaluate(data, {LeaveOut::workload, 1, {"magic"}, 1}).ok());
  EXPECT_FALSE(evaluate({}, {}).ok());
}

}  // namespace
}  // namespace ergo
