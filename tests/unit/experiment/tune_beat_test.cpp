// The beat of a job in its power, and what follows from it.
#include "experiment/tune_beat.hpp"

#include "experiment/tune_ledger.hpp"
#include "tune_job.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ergo::tune {
namespace {

constexpr double step = 0.1;

/// Mean power in steps of 0.1 s of a program that draws `high` and, for a fifth of each period,
/// `low`.
std::vector<double> beating(double seconds, double period, double high, double low,
                            double noise = 0.02) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::vector<double> watts;
  constexpr int fine = 20;
  for (double t = 0; t < seconds - step / 2; t += step) {
    double sum = 0;
    for (int i = 0; i < fine; ++i) {
      const double phase = std::fmod((t + step * i / fine) / period, 1.0);
      sum += (phase < 0.2 ? low : high) / fine;
    }
    watts.push_back(sum * (1 + noise * normal(random)));
  }
  return watts;
}

TEST(Beat, IsThePeriodOfThePower) {
  for (const double period : {0.63, 0.8, 1.234, 2.5}) {
    const auto beat = beat_of(beating(12, period, 300, 120), step);
    ASSERT_TRUE(beat) << period;
    EXPECT_NEAR(std::log(beat->period_s / period), 0, 2 * beat->se) << period;
    EXPECT_LT(beat->se, 0.012) << period;
  }
}

TEST(Beat, IsNotInNoiseNorInAStepNorInATrend) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::vector<double> noise;
    std::vector<double> wanders;
    double level = 250;
    for (int i = 0; i < 60; ++i) {
      noise.push_back(250 * (1 + 0.15 * normal(random)));
      wanders.push_back(level += 10 * normal(random));
    }
    EXPECT_FALSE(beat_of(noise, step));
    EXPECT_FALSE(beat_of(wanders, step));
  }
  std::vector<double> steps(60, 300.0);
  std::fill(steps.begin() + 23, steps.end(), 150.0);
  EXPECT_FALSE(beat_of(steps, step));
  EXPECT_FALSE(beat_of(std::vector<double>(60, 300.0), step));
  EXPECT_FALSE(beat_of({}, step));
}

TEST(Beat, FasterThanTheReadingsIsNotTakenForASlowOne) {
  // Periods that look like 0.6 s and more when they are read every 0.1 s.
  for (const double period : {0.086, 0.091, 0.095, 0.105, 0.11, 0.115, 0.12, 0.055, 0.18, 0.22})
    EXPECT_FALSE(beat_of(beating(12, period, 300, 120, 0.002), step)) << period;
}

TEST(Beat, OfFewPeriodsIsNone) {
  EXPECT_FALSE(beat_of(beating(4, 2.5, 300, 120), step));
}

TEST(Beat, ThatALimitFlattensIsFoundWhereItIsExpected) {
  const auto watts = beating(12, 1.1, 160, 148, 0.01);
  EXPECT_FALSE(beat_of(watts, step)) << "too faint to be looked for anywhere";
  const auto beat = beat_within(watts, step, 0.7, 1.3);
  ASSERT_TRUE(beat);
  EXPECT_NEAR(beat->period_s, 1.1, 0.02);
  EXPECT_FALSE(beat_within(watts, step, 0.75, 0.95)) << "it grows towards the edge";
}

/// What windows under 400 W and two other limits show: seconds per unit of cycles, seconds of a
/// beat, and how busy the GPU is.
Phase showing(double cycles_200, double beat_200, double cycles_150, double beat_150,
              double busy = 1) {
  Phase phase;
  const auto add = [&](double limit_w, double cycles_time, double beat_s, double busy_share) {
    TuneWindow w;
    w.begin = Instant{} + Seconds(10.0 * static_cast<double>(phase.windows.size()));
    w.end = w.begin + Seconds(8.0);
    w.limit_w = limit_w;
    w.log_time = std::log(cycles_time);
    w.work = 8 / cycles_time;
    w.log_power = std::log(limit_w / 2);
    w.activity = TuneActivity{8 * busy_share, 0, 0, 0.005};
    w.beat_s = beat_s;
    w.se_beat = 0.002;
    phase.windows.push_back(w);
  };
  add(400, 1, 1, busy);
  add(200, cycles_200, beat_200, 1);
  if (cycles_150 > 0) add(150, cycles_150, beat_150, 1);
  return phase;
}

TEST(Beats, AreBelievedWhereTwoLimitsSayTheSame) {
  EXPECT_FALSE(showing(1.4, 1.2, 0, 0).beats_agree(400)) << "one is no witness";
  EXPECT_FALSE(showing(1.4, 1.2, 1.42, 1.21).beats_agree(400)) << "nor are two that are alike";
  const Phase agreed = showing(1.4, 1.2, 1.8, 1.4);
  EXPECT_TRUE(agreed.beats_agree(400));
  EXPECT_NEAR(agreed.more_of(agreed.windows[1], 400).value, std::log(1.4 / 1.2), 1e-9);
  const Phase contradicting = showing(1.4, 1.38, 1.8, 1.1);
  EXPECT_FALSE(contradicting.beats_agree(400));
  EXPECT_EQ(contradicting.more_of(contradicting.windows[1], 400).low, 0) << "as without a beat";
}

TEST(Beats, OfAClockAreNotThoseOfTheWork) {
  EXPECT_FALSE(showing(1.4, 1, 1.8, 1).beats_agree(400));
  // Unless the work waits for the clock: then the GPU is busier under a lower one.
  EXPECT_TRUE(showing(1.4, 1, 1.8, 1, 0.5).beats_agree(400));
}

/// Passes, an optimiser's step that waits for memory, the host.
test::Job unmarked(const char* preset) {
  test::Job job;
  job.preset = preset;
  job.marks = false;
  job.utilization = false;
  job.noise = 0.05;
  test::Work iteration{{0.35, 0.95, 0.85}, 0.5, 0.08};
  iteration.second = {0.25, 0.9, 0.8};
  iteration.second_work = 0.12;
  iteration.items = 850;
  job.works = {iteration};
  return job;
}

TEST(Tune, ABeatTellsTheSpeedOfWorkThatNobodyCountsNorShows) {
  for (const char* preset : {"a100", "h200"}) {
    const test::Job job = unmarked(preset);
    const TuneOptions options = test::options_for(job);
    const test::Ran ran = test::run_job(job, options);
    ASSERT_TRUE(ran.report.settled_w) << preset;
    EXPECT_LT(test::regret_of(job, job.works[0], options, *ran.report.settled_w), 0.02) << preset;
    ASSERT_TRUE(ran.report.saved_j) << preset;
    const double truth = ran.default_joules - ran.joules;
    EXPECT_LE(ran.report.saved_j->low, truth) << preset;
    EXPECT_GE(ran.report.saved_j->high, truth) << preset;
    const double width = (ran.report.saved_j->high - ran.report.saved_j->low) / ran.default_joules;
    EXPECT_LT(width, 0.2) << preset << ": without a beat it is twice that";
  }
}

}  // namespace
}  // namespace ergo::tune
