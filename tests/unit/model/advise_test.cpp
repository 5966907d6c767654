#include "ergo/model/advise.hpp"

#include "ergo/model/decide.hpp"
#include "unit/model/generated.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

using generated::Card;
using testing::HasSubstr;

Prediction at(double limit, double time, double power, double sd) {
  return {limit, std::log(time), std::log(power), sd * sd, sd * sd, 0};
}

TEST(Decide, BetweenEqualGuessesTakesTheSurerOne) {
  const std::vector<Prediction> p{at(100, 1.0, 100, 0.4), at(150, 1.0, 100.1, 0.01),
                                  at(200, 1.0, 130, 0.01)};
  EXPECT_EQ(decide(p, {Objective::energy, {}, 0}), 1U);
}

TEST(Decide, KeepsAMarginToTheSlowdownThatGrowsWithUncertainty) {
  const std::vector<Prediction> sure{at(100, 1.045, 80, 0.001), at(200, 1.0, 130, 0.001)};
  const std::vector<Prediction> unsure{at(100, 1.045, 80, 0.05), at(200, 1.0, 130, 0.001)};
  EXPECT_EQ(decide(sure, {Objective::energy, 0.05, 0}), 0U);
  EXPECT_EQ(decide(unsure, {Objective::energy, 0.05, 0}), 1U);
}

TEST(Decide, KeepsMoreDistanceWherePromisesAreJudgedByRunsThatScatter) {
  const std::vector<Prediction> p{at(100, 1.048, 120, 0.001), at(200, 1.0, 130, 0.001)};
  Decision decision{Objective::energy, 0.05, 0};
  EXPECT_EQ(decide(p, decision), 0U);
  decision.caution = judged_by_runs;
  EXPECT_EQ(decide(p, decision), 1U) << "saves 3 %, and is measured above 6 % in one run of five";
}

TEST(Decide, LeavesOutLimitsWhoseLikeTurnedOutToBeSlower) {
  std::vector<Prediction> p{at(100, 1.03, 80, 0.001), at(200, 1.0, 130, 0.001)};
  p[0].slowdown = {0.0, 1e-6};
  EXPECT_EQ(decide(p, {Objective::energy, 0.05, 0}), 0U);
  p[0].slowdown = {0.03, 1e-6};
  EXPECT_EQ(decide(p, {Objective::energy, 0.05, 0}), 1U);
  EXPECT_EQ(decide(p, {Objective::energy, {}, 0}), 0U) << "where no slowdown is too much";
}

TEST(Decide, TheHostsPowerMakesSlowLimitsDearer) {
  const std::vector<Prediction> p{at(100, 1.3, 80, 0.001), at(200, 1.0, 120, 0.001)};
  EXPECT_EQ(decide(p, {Objective::energy, {}, 0}), 0U);    // 104 J against 120 J
  EXPECT_EQ(decide(p, {Objective::energy, {}, 100}), 1U);  // 234 J against 220 J
}

SweepTable with_probes(const SweepTable& table, const std::string& workload,
                       const std::vector<double>& probes) {
  SweepTable rows = generated::without(table, workload);
  for (const SweepRow& row : generated::only(table, workload, probes))
    rows.push_back(row);
  return rows;
}

const Advice& advice_on(const std::vector<Advice>& all, const std::string& workload) {
  for (const Advice& a : all) {
    if (a.workload == workload) return a;
  }
  throw std::logic_error("no such advice");
}

TEST(Advise, SavesNearlyWhatTheBestLimitSavesAndItsIntervalHoldsTheTruth) {
  const Card card;
  const SweepTable table = generated::sweeps(card);
  int held = 0;
  int advised = 0;
  for (const auto& work : generated::workloads()) {
    const auto all = advise(with_probes(table, work.name, {125, 250}));
    ASSERT_TRUE(all.ok());
    const Advice& a = advice_on(*all, work.name);
    ASSERT_FALSE(a.refusal) << work.name << ": " << a.refusal->text();
    ++advised;
    double least = 1e300;
    for (double limit : card.limits) {
      const auto c = generated::cost(card, work, limit);
      least = std::min(least, c.time_s * c.power_w);
    }
    const auto chosen = generated::cost(card, work, *a.limit_w);
    const auto top = generated::cost(card, work, 250);
    EXPECT_LT(chosen.time_s * chosen.power_w, 1.03 * least) << work.name;
    const double saving = 1 - chosen.time_s * chosen.power_w / (top.time_s * top.power_w);
    if (saving >= a.saving->low && saving <= a.saving->high) ++held;
  }
  EXPECT_GE(held, advised - 1);
}

TEST(Advise, HonoursTheSlowdown) {
  const Card card;
  const SweepTable table = generated::sweeps(card);
  AdviseOptions options;
  options.max_slowdown = 0.05;
  const auto all = advise(with_probes(table, "work6", {125, 250}), options);
  ASSERT_TRUE(all.ok());
  for (const Advice& a : *all) {
    ASSERT_FALSE(a.refusal) << a.workload << ": " << a.refusal->text();
    const auto works = generated::workloads();
    const auto work = std::find_if(works.begin(), works.end(),
                                   [&](const auto& w) { return w.name == a.workload; });
    const double slowdown =
        generated::cost(card, *work, *a.limit_w).time_s / generated::cost(card, *work, 250).time_s -
        1;
    EXPECT_LE(slowdown, 0.06) << a.workload;
  }
}

TEST(Advise, RefusesWithoutTheDefaultLimitAndNamesIt) {
  const auto all = advise(with_probes(generated::sweeps(Card{}), "work2", {125, 150}));
  ASSERT_TRUE(all.ok());
  const Advice& a = advice_on(*all, "work2");
  ASSERT_TRUE(a.refusal);
  EXPECT_THAT(a.refusal->remedy, HasSubstr("250 W"));
  EXPECT_FALSE(a.limit_w);
  EXPECT_FALSE(a.saving);
}

TEST(Advise, RefusesWhenOnlyOneLimitIsKnown) {
  const auto all = advise(generated::only(generated::sweeps(Card{}), "work2", {250}));
  ASSERT_TRUE(all.ok());
  ASSERT_TRUE(all->front().refusal);
  EXPECT_THAT(all->front().refusal->message, HasSubstr("only limit"));
}

TEST(Advise, RefusesOnOneProbeWithNothingToLearnFromAndSaysWhereToMeasure) {
  AdviseOptions options;
  options.limits = Card{}.limits;
  options.objective = Objective::energy;
  auto table = generated::only(generated::sweeps(Card{}), "work7", {250});
  // Another card's limits make no difference; this one shows a second limit through another
  // workload.
  const auto lone = generated::only(generated::sweeps(Card{}), "work0", {100});
  table.insert(table.end(), lone.begin(), lone.end());
  const auto all = advise(table, options);
  ASSERT_TRUE(all.ok());
  const Advice& a = advice_on(*all, "work7");
  ASSERT_TRUE(a.refusal);
  EXPECT_GT(a.expected_loss, options.acceptable_loss);
  EXPECT_THAT(a.refusal->remedy, HasSubstr("measure it under"));
  ASSERT_TRUE(a.next);
  EXPECT_GT(a.next->value, 0.0);
  EXPECT_LT(a.next->limit_w, 250);
}

TEST(Advise, ASecondProbeIsWorthMoreThanAFourth) {
  const SweepTable table = generated::sweeps(Card{}, 8, 0.02);
  const auto value = [&](const std::vector<double>& probes) {
    AdviseOptions options;
    options.acceptable_loss = 1.0;
    const auto all = advise(with_probes(table, "work5", probes), options);
    const auto& next = advice_on(*all, "work5").next;
    return next ? next->value : 0.0;
  };
  EXPECT_GE(value({250}), value({125, 150, 175, 250}));
}

TEST(Advise, CountsHostEnergyWhereTheTableHasIt) {
  const Card card;
  SweepTable gpu_only = generated::sweeps(card);
  SweepTable with_host = gpu_only;
  for (SweepRow& row : with_host)
    row.host_energy_j = 300 * row.time_s;
  const auto plain = advise(gpu_only);
  const auto host = advise(with_host);
  ASSERT_TRUE(plain.ok() && host.ok());
  const Advice& a = advice_on(*plain, "work7");
  const Advice& b = advice_on(*host, "work7");
  EXPECT_FALSE(a.host_w);
  ASSERT_TRUE(b.host_w);
  EXPECT_NEAR(*b.host_w, 300, 1e-6);
  EXPECT_GT(*b.limit_w, *a.limit_w);
}

TEST(Advise, NeverAsksForMoreWhereEveryLimitIsMeasured) {
  const SweepTable table = generated::sweeps(Card{}, 8, 0.01);
  for (const double slowdown : {0.0, 0.02, 0.03, 0.05, 0.1}) {
    for (const Objective objective : {Objective::energy, Objective::edp, Objective::ed2p}) {
      AdviseOptions options;
      options.objective = objective;
      options.max_slowdown = slowdown;
      const auto all = advise(table, options);
      ASSERT_TRUE(all.ok());
      for (const Advice& a : *all) {
        EXPECT_FALSE(a.refusal) << a.workload << " " << slowdown << " " << a.refusal->message;
        EXPECT_NEAR(a.expected_loss, 0.0, 1e-9) << a.workload << " " << slowdown;
        EXPECT_FALSE(a.next) << a.workload;
      }
    }
  }
}

TEST(Advise, LimitsToChooseFromThatAreNoneAreNamed) {
  AdviseOptions options;
  options.limits = {250, 300};
  const auto all = advise(generated::sweeps(Card{}), options);
  ASSERT_TRUE(all.ok());
  ASSERT_TRUE(all->front().refusal);
  EXPECT_THAT(all->front().refusal->message, HasSubstr("below the default of 250 W"));
  EXPECT_THAT(all->front().refusal->remedy, HasSubstr("lower limits"));
}

TEST(Advise, IsDeterministic) {
  const SweepTable table = with_probes(generated::sweeps(Card{}, 8, 0.02), "work3", {250});
  AdviseOptions options;
  options.acceptable_loss = 1.0;
  const auto one = advise(table, options);
  const auto two = advise(table, options);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(advice_on(*one, "work3").expected_loss, advice_on(*two, "work3").expected_loss);
  EXPECT_EQ(advice_on(*one, "work3").saving->low, advice_on(*two, "work3").saving->low);
}

TEST(Advise, AsksToRepeatARunThatPhysicsForbids) {
  SweepTable table = generated::sweeps(generated::Card{});
  const auto repeats = [&] {
    std::vector<double> limits;
    const auto all = advise(table);
    for (const Advice& a : all.value()) {
      if (a.repeat_w) limits.push_back(*a.repeat_w);
    }
    return limits;
  };
  EXPECT_TRUE(repeats().empty());
  for (SweepRow& row : table) {
    if (row.workload == "work3" && row.power_limit_w == 175) row.time_s *= 2;
  }
  EXPECT_EQ(repeats(), std::vector<double>{175});
}

}  // namespace
}  // namespace ergo
