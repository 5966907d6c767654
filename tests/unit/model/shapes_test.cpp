#include "ergo/model/evaluate.hpp"
#include "ergo/model/predict.hpp"
#include "unit/model/generated.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

using generated::Card;

/// Two known cards, and one whose range of limits is another part of what it could draw.
const Card first{"first", 50, 0.2, 0.7, {100, 125, 150, 175, 200, 225, 250}};
const Card second{"second", 30, 0.3, 0.75, {75, 100, 125, 150, 175, 200}};
const Card unseen{"unseen", 45, 0.25, 0.65, {130, 150, 170, 190, 210, 230, 250}};

SweepTable known() {
  SweepTable table = generated::sweeps(first);
  for (const SweepRow& row : generated::sweeps(second))
    table.push_back(row);
  return table;
}

/// Mean absolute error of ln time on the unseen card.
double time_error(const std::string& method, const std::vector<double>& probes) {
  const SweepTable truth = generated::sweeps(unseen);
  double sum = 0;
  int n = 0;
  for (const auto& work : generated::workloads()) {
    const auto rows =
        predict_table(known(), generated::only(truth, work.name, probes), {unseen.limits, method});
    if (!rows) return 1e300;
    for (const PredictedRow& row : *rows) {
      const SweepTable there = generated::only(truth, work.name, {row.prediction.limit_w});
      sum += std::abs(row.prediction.log_time - std::log(there.front().time_s));
      ++n;
    }
  }
  return sum / n;
}

TEST(Shapes, SlowdownIsCarriedOverByTheShareOfPowerNotByThePlaceInTheRange) {
  EXPECT_LT(time_error("shapes", {250}), 0.5 * time_error("nearest", {250}));
  EXPECT_LT(time_error("shapes", {150, 250}), time_error("nearest", {150, 250}));
  EXPECT_LT(time_error("shapes", {150, 250}), 0.03);
}

TEST(Shapes, WithoutTheHighestLimitMeasuredThereIsOnlyTheLaw) {
  const SweepTable truth = generated::sweeps(unseen);
  const SweepTable probes = generated::only(truth, "work5", {170});
  const auto shapes = predict_table(known(), probes, {unseen.limits, "shapes"});
  const auto law = predict_table(known(), probes, {unseen.limits, "physical"});
  ASSERT_TRUE(shapes.ok() && law.ok());
  for (std::size_t i = 0; i < shapes->size(); ++i)
    EXPECT_EQ((*shapes)[i].prediction.log_time, (*law)[i].prediction.log_time);
}

TEST(Shapes, CurvesThatNoLimitBindsSayNothing) {
  SweepTable flat;
  for (double limit : {100.0, 150.0, 200.0})
    flat.push_back({"idle", "w", "c", limit, 10.0, 10 * 40.0, {}, {}, {}, {}, {}, {}});
  const SweepTable probes = generated::only(generated::sweeps(unseen), "work5", {150, 250});
  const auto shapes = predict_table(flat, probes, {unseen.limits, "shapes"});
  const auto law = predict_table(flat, probes, {unseen.limits, "physical"});
  ASSERT_TRUE(shapes.ok() && law.ok());
  for (std::size_t i = 0; i < shapes->size(); ++i)
    EXPECT_EQ((*shapes)[i].prediction.log_time, (*law)[i].prediction.log_time);
}

TEST(Evaluate, OneProbeOnAnUnseenCardBreaksNoPromise) {
  Card hungry = unseen;
  hungry.name = "hungry";
  hungry.idle_w = 70;  // more than the others draw without a clock: the cliff begins higher
  hungry.limits.insert(hungry.limits.begin(), 110);
  const std::vector<DataSource> data{{"one", generated::sweeps(first)},
                                     {"two", generated::sweeps(second)},
                                     {"three", generated::sweeps(hungry)}};
  const auto scores = evaluate(data, {LeaveOut::gpu, 1, {"ergo"}, 1});
  ASSERT_TRUE(scores.ok());
  EXPECT_LT(*scores->front().macro.violations, 0.05);
  EXPECT_LT(*scores->front().macro.energy_regret, 0.03);
  EXPECT_LT(*scores->front().macro.edp_regret, 0.06);
}

}  // namespace
}  // namespace ergo
