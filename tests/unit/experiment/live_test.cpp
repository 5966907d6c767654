#include "ergo/experiment/live.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ergo {
namespace {

constexpr std::int64_t second = 1'000'000'000;

MarkMessage begin_of(const char* name, double at, std::optional<std::int64_t> total = {}) {
  return {MarkKind::begin, name, Instant{static_cast<std::int64_t>(at * second)}, {}, total};
}
MarkMessage end_of(const char* name, double at) {
  return {MarkKind::end, name, Instant{static_cast<std::int64_t>(at * second)}, {}, {}};
}

TEST(ParseEnergy, KnowsTheUnitsOfBudgets) {
  EXPECT_DOUBLE_EQ(parse_energy("500J").value().value(), 500);
  EXPECT_DOUBLE_EQ(parse_energy("500").value().value(), 500);
  EXPECT_DOUBLE_EQ(parse_energy(" 1.5 MJ").value().value(), 1.5e6);
  EXPECT_DOUBLE_EQ(parse_energy("2kWh").value().value(), 7.2e6);
  EXPECT_DOUBLE_EQ(parse_energy("300Wh").value().value(), 1.08e6);
  EXPECT_DOUBLE_EQ(parse_energy("20mJ").value().value(), 0.02);
  for (const char* text : {"", "J", "kWh", "2kw", "-5J", "0", "0kWh", "5 J J", "nanJ", "infJ"})
    EXPECT_FALSE(parse_energy(text)) << text;
}

TEST(CyclePredictor, SaysNothingAfterTheWarmUpAlone) {
  CyclePredictor predictor;
  EXPECT_FALSE(predictor.sum_of(3));
  predictor.add(1, 100);
  EXPECT_FALSE(predictor.sum_of(3));
  predictor.add(1, 10);
  ASSERT_TRUE(predictor.sum_of(3));
  EXPECT_NEAR(predictor.sum_of(3)->value, 30, 1e-9);  // the warm-up is not in the mean
}

TEST(CyclePredictor, TwoEqualCyclesAreNoCertainty) {
  CyclePredictor predictor;
  for (int i = 0; i < 3; ++i)
    predictor.add(1, 10);
  const Estimate rest = *predictor.sum_of(100);
  EXPECT_LT(rest.low, 970);
  EXPECT_GT(rest.high, 1030);
  EXPECT_GT(rest.low, 800);
}

TEST(CyclePredictor, TheIntervalNarrowsWithMoreCyclesAndIsNeverNegative) {
  CyclePredictor predictor;
  predictor.add(1, 1);
  double width = INFINITY;
  for (int i = 1; i <= 40; ++i) {
    predictor.add(1, 10);
    if (i % 10 != 0 && i != 1) continue;
    const Estimate rest = *predictor.sum_of(50);
    EXPECT_LT(rest.high - rest.low, width) << i;
    width = rest.high - rest.low;
  }
  EXPECT_LT(width / 500, 0.03);
  CyclePredictor wild;
  for (const double amount : {1.0, 1.0, 100.0})
    wild.add(1, amount);
  EXPECT_GE(wild.sum_of(10)->low, 0);
}

TEST(CyclePredictor, GroupsOfCyclesCountByTheirNumber) {
  CyclePredictor predictor;
  predictor.add(10, 500);
  predictor.add(10, 100);
  predictor.add(30, 300);
  EXPECT_NEAR(predictor.sum_of(5)->value, 50, 1e-9);
}

/// Share of random trainings whose true rest lies in the interval.
struct Coverage {
  double cycle_variation;  ///< standard deviation of a cycle
  double drift;            ///< change of a cycle from one to the next, relative
  int seen;
  int left;

  [[nodiscard]] double measure() const {
    std::mt19937_64 random(20'261'126);
    std::normal_distribution<double> normal;
    constexpr int trainings = 4000;
    int held = 0;
    for (int t = 0; t < trainings; ++t) {
      CyclePredictor predictor;
      predictor.add(1, 10 * (1 + 2 * std::abs(normal(random))));  // warm-up
      double truth = 0;
      for (int i = 0; i < seen + left; ++i) {
        const double amount = 10 * (1 + drift * i) * (1 + cycle_variation * normal(random));
        if (i < seen) {
          predictor.add(1, amount);
        } else {
          truth += amount;
        }
      }
      const Estimate rest = *predictor.sum_of(left);
      held += rest.low <= truth && truth <= rest.high ? 1 : 0;
    }
    return static_cast<double>(held) / trainings;
  }
};

TEST(CyclePredictor, TheIntervalHoldsTheRestOfSteadyTrainings) {
  for (const double variation : {0.002, 0.01, 0.03, 0.05, 0.10}) {
    for (const int seen : {1, 2, 3, 5, 10, 30}) {
      for (const int left : {1, 5, 50}) {
        const Coverage coverage{variation, 0, seen, left};
        // Of scatter twice that of the prior, few cycles cannot tell enough.
        EXPECT_GE(coverage.measure(), variation > 0.05 && seen < 10 ? 0.88 : 0.93)
            << variation << " seen " << seen << " left " << left;
      }
    }
  }
}

TEST(CyclePredictor, TheIntervalHoldsTheRestOfTrainingsThatSlowDown) {
  for (const double drift : {-0.002, 0.001, 0.005}) {
    for (const int seen : {3, 6, 10, 20}) {
      const Coverage coverage{0.01, drift, seen, seen};
      EXPECT_GE(coverage.measure(), 0.93) << drift << " seen " << seen;
    }
  }
}

TEST(SeriesTracker, FollowsTheEpochsOfATraining) {
  SeriesTracker tracker([](int) { return true; });
  tracker.take(begin_of("fit", 1), 7);
  tracker.take(begin_of("epoch", 2, 2), 7);
  tracker.take(begin_of("validation", 3), 7);
  tracker.take(end_of("validation", 4), 7);
  tracker.take(end_of("epoch", 5), 7);
  ASSERT_TRUE(tracker.series());
  EXPECT_EQ(tracker.series()->training_begin.ns, 1 * second);
  EXPECT_EQ(tracker.series()->total, 2);
  tracker.take(begin_of("epoch", 6, 2), 7);
  tracker.take(end_of("epoch", 8), 7);
  EXPECT_EQ(tracker.series()->begins.size(), 2U);
  EXPECT_FALSE(tracker.series()->over);  // until `fit` is
  tracker.take(end_of("fit", 9), 7);
  EXPECT_TRUE(tracker.series()->over);
}

TEST(SeriesTracker, WithoutAWindowAroundTheLastEndEndsIt) {
  SeriesTracker tracker([](int) { return true; });
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(tracker.series() && tracker.series()->over);
    tracker.take(begin_of("epoch", i, 3), 7);
    tracker.take(end_of("epoch", i + 0.9), 7);
  }
  EXPECT_TRUE(tracker.series()->over);
  tracker.take(begin_of("epoch", 10, 3), 7);  // the program trains again
  EXPECT_FALSE(tracker.series()->over);
  EXPECT_EQ(tracker.series()->number, 2);
  EXPECT_EQ(tracker.series()->begins.size(), 1U);
}

TEST(SeriesTracker, WindowsWithinAndOtherProcessesAreNoSeriesOfTheirOwn) {
  SeriesTracker tracker([](int) { return true; });
  tracker.take(begin_of("epoch", 1, 5), 7);
  tracker.take(begin_of("batch", 2, 100), 7);
  tracker.take(begin_of("epoch", 2, 9), 8);
  EXPECT_EQ(tracker.series()->name, "epoch");
  EXPECT_EQ(tracker.series()->pid, 7);
  EXPECT_EQ(tracker.series()->begins.size(), 1U);
}

TEST(SeriesTracker, AProcessThatIsGoneMakesRoom) {
  SeriesTracker tracker([](int pid) { return pid != 7; });
  tracker.take(begin_of("epoch", 1, 5), 7);
  tracker.take(begin_of("epoch", 2, 9), 8);
  EXPECT_EQ(tracker.series()->pid, 8);
  EXPECT_EQ(tracker.series()->total, 9);
}

TEST(SeriesTracker, StrayMarksDoNothing) {
  SeriesTracker tracker([](int) { return true; });
  tracker.take(end_of("epoch", 1), 7);
  tracker.take(begin_of("epoch", 1), 7);
  tracker.take(begin_of("epoch", 1, 0), 7);
  EXPECT_FALSE(tracker.series());
}

/// A run on one simulated meter, in steps of 0.1 s, told to a LiveTotal twice a second.
class LiveRun : public ::testing::Test {
 protected:
  static constexpr double gain_u95 = 0.05;

  void SetUp() override {
    SignalInfo info;
    info.name = "a@gpu0";
    info.kind = SignalKind::energy;
    info.unit = "J";
    info.channel = info.device = "gpu0";
    info.domain = Domain::gpu;
    info.source = "a";
    info.in_total = true;
    info.traits.gain_u95 = gain_u95;
    info.traits.gain_kind = "board";
    meter_ = timeline_.add(info);
  }

  void watch(std::optional<Joules> budget = {}) {
    LiveOptions options;
    options.budget = budget;
    options.on_status = [this](const LiveStatus& status) { told_.push_back(status); };
    options.on_stop = [this](const BudgetStop& stop) { stops_.push_back(stop); };
    live_ = std::make_unique<LiveTotal>(std::move(options), nobody_);
  }

  void run(double seconds, double watts) {
    for (int i = 0; i < std::lround(seconds * 10); ++i) {
      if (ticks_ == 0) timeline_.append(meter_, {Instant{}, 0, 0});
      joules_ += watts * 0.1;
      ++ticks_;
      timeline_.append(meter_, {Instant{ticks_ * second / 10}, joules_, 0});
      if (ticks_ % 5 == 0) live_->on_progress(timeline_, Instant{});
    }
  }

  void begin(const char* name, std::optional<std::int64_t> total = {}) {
    live_->on_mark(begin_of(name, static_cast<double>(ticks_) / 10, total), 1);
  }
  void end(const char* name) { live_->on_mark(end_of(name, static_cast<double>(ticks_) / 10), 1); }

  void epoch(std::int64_t total, double seconds, double watts) {
    begin("epoch", total);
    run(seconds, watts);
    end("epoch");
  }

  Timeline timeline_;
  RunEvents nobody_;
  SignalId meter_ = 0;
  std::int64_t ticks_ = 0;
  double joules_ = 0;
  std::unique_ptr<LiveTotal> live_;
  std::vector<LiveStatus> told_;
  std::vector<BudgetStop> stops_;
};

TEST_F(LiveRun, TheWholeTrainingIsPredictedFromItsFirstCycles) {
  watch();
  run(2, 50);  // before the training
  begin("fit");
  run(1, 60);
  epoch(10, 4, 100);  // compiles
  run(1, 80);         // validates
  for (int i = 1; i < 10; ++i) {
    epoch(10, 2, 100);
    run(1, 80);
  }
  end("fit");
  const double truth = 60 + 480 + 9 * 280;
  ASSERT_GE(told_.size(), 8U);
  EXPECT_EQ(told_.front().done, 2);
  for (const LiveStatus& status : told_) {
    EXPECT_EQ(status.total, 10);
    EXPECT_NEAR(status.joules.value, truth, 1);
    EXPECT_NEAR(status.seconds.value, 1 + 5 + 27, 1e-6);
    EXPECT_LE(status.joules.low, truth * (1 - 0.9 * gain_u95));
    EXPECT_GE(status.joules.high, truth * (1 + 0.9 * gain_u95));
  }
  EXPECT_LT(told_.back().joules.high - told_.back().joules.low,
            told_.front().joules.high - told_.front().joules.low);
  EXPECT_FALSE(live_->wants_stop());
}

TEST_F(LiveRun, ShortEpochsAreTakenTogether) {
  watch();
  for (int i = 0; i < 100; ++i)
    epoch(100, 0.1, 100);
  ASSERT_FALSE(told_.empty());
  for (const LiveStatus& status : told_)
    EXPECT_NEAR(status.joules.value, 1000, 1);
}

TEST_F(LiveRun, ABudgetThatWillSurelyBePassedEndsTheRunEarly) {
  watch(Joules(1000));
  for (int i = 0; i < 10 && !live_->wants_stop(); ++i)
    epoch(10, 2, 100);
  ASSERT_EQ(stops_.size(), 1U);
  EXPECT_LT(stops_[0].used.value(), 700);
  ASSERT_TRUE(stops_[0].predicted);
  EXPECT_GT(stops_[0].predicted->low, 1000);
}

TEST_F(LiveRun, ABudgetWithinTheIntervalDoesNotEndTheRun) {
  watch(Joules(1990));  // 2000 J are predicted, less 5 % possible
  for (int i = 0; i < 10 && !live_->wants_stop(); ++i)
    epoch(10, 2, 100);
  ASSERT_EQ(stops_.size(), 1U);
  EXPECT_FALSE(stops_[0].predicted);  // only when it was used up
  EXPECT_GE(stops_[0].used.value(), 1990);
}

TEST_F(LiveRun, ABudgetNeedsNoMarks) {
  watch(Joules(500));
  for (int i = 0; i < 100 && !live_->wants_stop(); ++i)
    run(0.5, 100);
  ASSERT_EQ(stops_.size(), 1U);
  EXPECT_GE(stops_[0].used.value(), 500);
  EXPECT_LE(stops_[0].used.value(), 620);
}

TEST_F(LiveRun, WhatCameBeforeTheTrainingCountsForTheBudget) {
  watch(Joules(1000));
  run(6, 100);
  for (int i = 0; i < 4 && !live_->wants_stop(); ++i)
    epoch(10, 1, 100);
  ASSERT_EQ(stops_.size(), 1U);
  ASSERT_TRUE(stops_[0].predicted);
  EXPECT_NEAR(stops_[0].predicted->value, 1600, 5);
}

TEST_F(LiveRun, ATrainingThatEndsEarlyIsForgotten) {
  watch(Joules(1500));
  begin("fit");
  for (int i = 0; i < 2; ++i)
    epoch(10, 2, 50);
  end("fit");  // before anything was predicted
  run(3, 10);
  EXPECT_TRUE(told_.empty());
  EXPECT_FALSE(live_->wants_stop());
}

}  // namespace
}  // namespace ergo
