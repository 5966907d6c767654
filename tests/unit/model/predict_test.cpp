#include "ergo/model/predict.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/model/decide.hpp"
#include "unit/model/generated.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

using generated::Card;
using testing::HasSubstr;

const SweepRow& row_at(const SweepTable& table, const std::string& workload, double limit) {
  for (const SweepRow& row : table) {
    if (row.workload == workload && row.power_limit_w == limit) return row;
  }
  throw std::logic_error("no such row");
}

/// Mean absolute relative error of EDP over limits that were not probed, each workload predicted
/// from the others.
double edp_error(const SweepTable& table, const std::vector<double>& probes,
                 const std::string& method) {
  double sum = 0;
  int n = 0;
  for (const auto& work : generated::workloads()) {
    const auto rows = predict_table(generated::without(table, work.name),
                                    generated::only(table, work.name, probes), {{}, method});
    EXPECT_TRUE(rows.ok());
    for (const PredictedRow& row : *rows) {
      if (std::find(probes.begin(), probes.end(), row.prediction.limit_w) != probes.end()) continue;
      const SweepRow& truth = row_at(table, work.name, row.prediction.limit_w);
      sum += std::abs(edp_of(row.prediction).value / (truth.energy_j * truth.time_s) - 1);
      ++n;
    }
  }
  return sum / n;
}

TEST(Predict, WritesTheColumnsOfTheContract) {
  const SweepTable table = generated::sweeps(Card{});
  const auto rows = predict_table(generated::without(table, "work3"),
                                  generated::only(table, "work3", {125, 250}));
  ASSERT_TRUE(rows.ok());
  const std::string text = format_predictions(*rows, "ergo");
  const auto lines = split(text, '\n');
  EXPECT_EQ(lines[0],
            "gpu,workload,config,power_limit_w,time_s,time_low,time_high,energy_j,energy_low,"
            "energy_high,edp_js,edp_low,"
            "edp_high,method");
  ASSERT_EQ(lines.size(), 1 + 7 + 1U);
  EXPECT_TRUE(lines[1].starts_with("card,work3,one,100,")) << lines[1];
  EXPECT_TRUE(lines[1].ends_with(",ergo"));
  EXPECT_EQ(split(lines[1], ',').size(), 14U);
}

TEST(Predict, ValuesLieInTheirIntervalsAndEdpIsTimeTimesEnergy) {
  const SweepTable table = generated::sweeps(Card{}, 8, 0.01);
  for (const std::string& method : method_names()) {
    for (const std::vector<double>& probes :
         {std::vector<double>{250}, {125, 250}, {125, 150, 250}, {150}}) {
      const auto rows = predict_table(generated::without(table, "work5"),
                                      generated::only(table, "work5", probes), {{}, method});
      ASSERT_TRUE(rows.ok());
      ASSERT_EQ(rows->size(), 7U);
      for (const PredictedRow& row : *rows) {
        const Estimate t = time_of(row.prediction);
        const Estimate e = energy_of(row.prediction);
        const Estimate d = edp_of(row.prediction);
        for (const Estimate& x : {t, e, d}) {
          ASSERT_TRUE(std::isfinite(x.low) && std::isfinite(x.high) && x.low > 0) << method;
          EXPECT_LE(x.low, x.value) << method;
          EXPECT_GE(x.high, x.value) << method;
        }
        EXPECT_NEAR(d.value, t.value * e.value, 1e-9 * d.value) << method;
      }
    }
  }
}

TEST(Predict, UnderProbedLimitsSaysWhatWasMeasured) {
  const SweepTable table = generated::sweeps(Card{}, 8, 0.02);
  const auto rows = predict_table(generated::without(table, "work2"),
                                  generated::only(table, "work2", {125, 250}));
  ASSERT_TRUE(rows.ok());
  for (const PredictedRow& row : *rows) {
    if (row.prediction.limit_w != 125 && row.prediction.limit_w != 250) continue;
    const SweepRow& truth = row_at(table, "work2", row.prediction.limit_w);
    EXPECT_NEAR(time_of(row.prediction).value, truth.time_s, 1e-9 * truth.time_s);
    EXPECT_NEAR(energy_of(row.prediction).value, truth.energy_j, 1e-9 * truth.energy_j);
  }
}

TEST(Predict, TwoProbesAndOtherWorkloadsGiveEdpWithinThreePercent) {
  EXPECT_LT(edp_error(generated::sweeps(Card{}), {125, 250}, "ergo"), 0.03);
}

TEST(Predict, TheCombinationIsAheadOfTheBaselines) {
  const SweepTable table = generated::sweeps(Card{}, 8, 0.01);
  const double ours = edp_error(table, {125, 250}, "ergo");
  for (const char* baseline : {"quadratic", "linear", "gpyjoules", "constant"}) {
    EXPECT_LT(ours, edp_error(table, {125, 250}, baseline)) << baseline;
  }
}

TEST(Predict, WorksWithoutAnyTrainingAndIsThenLessSure) {
  const SweepTable table = generated::sweeps(Card{});
  const SweepTable probes = generated::only(table, "work6", {250});
  const auto alone = predict_table({}, probes, {{100, 150, 200, 250}, "ergo"});
  const auto helped =
      predict_table(generated::without(table, "work6"), probes, {{100, 150, 200, 250}, "ergo"});
  ASSERT_TRUE(alone.ok() && helped.ok());
  const Estimate wide = time_of(alone->front().prediction);
  const Estimate narrow = time_of(helped->front().prediction);
  EXPECT_GT(wide.high / wide.low, narrow.high / narrow.low);
  const SweepRow& truth = row_at(table, "work6", 100);
  EXPECT_LT(wide.low, truth.time_s);
  EXPECT_GT(wide.high, truth.time_s);
}

TEST(Predict, CarriesCurvesOverToACardOfAnotherRange) {
  Card small{"small", 20, 0.2, 0.7, {50, 62.5, 75, 87.5, 100, 112.5, 125}};
  SweepTable train = generated::sweeps(Card{});
  SweepTable unseen;
  for (auto work : generated::workloads()) {
    work.dynamic_w *= 0.5;
    generated::append(unseen, small, work);
  }
  double sum = 0;
  int n = 0;
  for (const auto& work : generated::workloads()) {
    const auto rows = predict_table(train, generated::only(unseen, work.name, {62.5, 125}),
                                    {small.limits, "ergo"});
    ASSERT_TRUE(rows.ok());
    for (const PredictedRow& row : *rows) {
      const SweepRow& truth = row_at(unseen, work.name, row.prediction.limit_w);
      sum += std::abs(energy_of(row.prediction).value / truth.energy_j - 1);
      ++n;
    }
  }
  EXPECT_LT(sum / n, 0.05);
}

TEST(Predict, ACliffThatMayBeginBelowTheLowestProbeIsInTheInterval) {
  Card cliff;
  cliff.lowest_clock = 0.2;
  cliff.limits = {70, 85, 100, 125, 150, 200, 250};
  SweepTable table;
  generated::append(table, cliff, generated::Work{});
  const SweepTable probes = generated::only(table, "work", {125, 250});
  const auto rows = predict_table({}, probes, {{70, 85, 100}, "ergo"});
  ASSERT_TRUE(rows.ok());
  for (const PredictedRow& row : *rows) {
    const SweepRow& truth = row_at(table, "work", row.prediction.limit_w);
    EXPECT_LT(time_of(row.prediction).low, truth.time_s) << row.prediction.limit_w;
    EXPECT_GT(time_of(row.prediction).high, truth.time_s) << row.prediction.limit_w;
  }
}

TEST(Predict, AGridOfSingleWattsIsPredictedLikeACoarseOne) {
  Card fine;
  fine.limits.clear();
  for (int watts = 100; watts <= 250; ++watts)
    fine.limits.push_back(watts);
  const SweepTable coarse = generated::sweeps(Card{});
  const SweepTable dense = generated::sweeps(fine);
  const SweepTable probes = generated::only(coarse, "work5", {125, 250});
  const auto few = predict_table(generated::without(coarse, "work5"), probes);
  const auto many = predict_table(generated::without(dense, "work5"), probes);
  ASSERT_TRUE(few.ok() && many.ok());
  ASSERT_EQ(many->size(), fine.limits.size());
  for (const PredictedRow& row : *few) {
    const double limit = row.prediction.limit_w;
    const auto& same = (*many)[static_cast<std::size_t>(limit - 100)].prediction;
    EXPECT_EQ(same.limit_w, limit);
    EXPECT_NEAR(same.log_time, row.prediction.log_time, 0.02) << limit;
    EXPECT_NEAR(same.log_power, row.prediction.log_power, 0.02) << limit;
    EXPECT_GT(same.var_time, 0) << limit;
  }
  for (std::size_t i = 0; i < many->size(); i += 13) {
    const Prediction& among_many = (*many)[i].prediction;
    const auto asked =
        predict_table(generated::without(dense, "work5"), probes, {{among_many.limit_w}, "ergo"});
    ASSERT_TRUE(asked.ok());
    const Prediction& alone = asked->front().prediction;
    EXPECT_NEAR(among_many.log_time, alone.log_time, 0.003) << alone.limit_w;
    EXPECT_NEAR(among_many.log_power, alone.log_power, 0.003) << alone.limit_w;
    EXPECT_NEAR(among_many.var_time / alone.var_time, 1.0, 0.2) << alone.limit_w;
  }
}

TEST(Predict, WhichLimitsAreAskedForChangesNothingOnAKnownCard) {
  const SweepTable table = generated::sweeps(Card{});
  const SweepTable train = generated::without(table, "work5");
  const SweepTable probes = generated::only(table, "work5", {125, 250});
  const auto plain = predict_table(train, probes, {{150}, "ergo"});
  const auto wide = predict_table(train, probes, {{10, 150, 5000}, "ergo"});
  ASSERT_TRUE(plain.ok() && wide.ok());
  ASSERT_EQ(wide->size(), 3U);
  EXPECT_DOUBLE_EQ((*wide)[1].prediction.log_time, plain->front().prediction.log_time);
  EXPECT_DOUBLE_EQ((*wide)[1].prediction.log_power, plain->front().prediction.log_power);
  EXPECT_DOUBLE_EQ((*wide)[1].prediction.var_time, plain->front().prediction.var_time);
}

TEST(Predict, RowsOfTheTrainingTableAboutTheProbedWorkAreNotUsed) {
  const SweepTable table = generated::sweeps(Card{});
  const SweepTable probes = generated::only(table, "work4", {250});
  const auto clean = predict_table(generated::without(table, "work4"), probes);
  const auto leaky = predict_table(table, probes);
  ASSERT_TRUE(clean.ok() && leaky.ok());
  EXPECT_EQ(format_predictions(*clean, "ergo"), format_predictions(*leaky, "ergo"));
}

TEST(Predict, IsDeterministic) {
  const SweepTable table = generated::sweeps(Card{}, 8, 0.02);
  const auto once = predict_table(generated::without(table, "work1"),
                                  generated::only(table, "work1", {125, 250}));
  const auto again = predict_table(generated::without(table, "work1"),
                                   generated::only(table, "work1", {125, 250}));
  ASSERT_TRUE(once.ok() && again.ok());
  EXPECT_EQ(format_predictions(*once, "ergo"), format_predictions(*again, "ergo"));
}

TEST(Predict, AnUnknownMethodIsRefusedWithTheKnownOnes) {
  const SweepTable table = generated::sweeps(Card{});
  const auto rows = predict_table({}, table, {{}, "magic"});
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.error().code, Errc::invalid_argument);
  EXPECT_THAT(rows.error().remedy, HasSubstr("nearest"));
}

TEST(Ensemble, LeavesTheChoiceToDecideUnlessThereIsOneProbe) {
  const auto curves = group_curves(generated::sweeps(Card{}));
  Training train;
  for (std::size_t i = 1; i < curves.size(); ++i)
    train.push_back(&curves[i]);
  const auto ergo = std::move(make_method("ergo")).value();
  ergo->fit(train);
  Target target{curves.front(), {100, 250}, {100, 125, 150, 175, 200, 225, 250}};
  const auto measured_under = [&](std::vector<double> limits) {
    target.probes.points.clear();
    for (double limit : limits)
      target.probes.points.push_back(curves.front().points[*curves.front().find(limit)]);
  };
  measured_under({125, 250});
  EXPECT_FALSE(ergo->choice(target, {Objective::energy, {}, 0.0}));
  measured_under({250});
  EXPECT_FALSE(ergo->choice(target, {Objective::energy, 0.05, 0.0}));
  const auto chosen = ergo->choice(target, {Objective::energy, {}, 0.0});
  ASSERT_TRUE(chosen);
  EXPECT_TRUE(curves.front().find(*chosen));
  target.probes.gpu = "another card";
  EXPECT_FALSE(ergo->choice(target, {Objective::energy, {}, 0.0}));
}

}  // namespace
}  // namespace ergo
