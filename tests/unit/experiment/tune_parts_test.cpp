// The parts of a Tuner that can be wrong on their own: progress without marks, heat, changes,
// levels.
#include "experiment/tune_change.hpp"
#include "experiment/tune_heat.hpp"
#include "experiment/tune_level.hpp"
#include "experiment/tune_progress.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo::tune {
namespace {

/// Ten seconds of what a GPU shows: shares of the time busy, of the highest clock, of the
/// bandwidth.
Progress shows(double busy, double clock, double traffic) {
  Progress p;
  p.seconds = 10;
  p.counted = false;
  p.work = 10 * busy * clock;
  p.activity.busy_s = 10 * busy;
  p.activity.traffic_s = 10 * traffic;
  p.activity.traffic_squares_s = 10 * traffic * traffic;
  return p;
}

TEST(Progress, OfWorkThatOnlyComputesIsItsCycles) {
  const Factor more = more_than_cycles(shows(1, 0.6, 0.18), shows(1, 1, 0.30), 0);
  EXPECT_EQ(more.low, 0);
  EXPECT_LT(more.value, 0.001);
  EXPECT_GT(more.high, 0) << "readings are rounded";
}

TEST(Progress, OfWorkThatWaitsForMemoryIsItsTraffic) {
  const Factor more = more_than_cycles(shows(1, 0.6, 0.855), shows(1, 1, 0.90), 0);
  const double truth = std::log(0.855 / 0.90 / 0.6);
  EXPECT_NEAR(more.value, truth, 0.01);
  EXPECT_LT(more.low, 0.92 * truth) << "caches are doubted";
  EXPECT_GT(more.low, 0.8 * truth);
  EXPECT_GE(more.high, truth);
}

TEST(Progress, DoubtsAReadingThatFellMuchMoreThanOneThatHardlyMoved) {
  // Work that computes, but the readings saturate: 0.80 is shown as 0.84, 0.50 as 0.5625.
  const Factor more = more_than_cycles(shows(1, 0.625, 0.5625), shows(1, 1, 0.84), 0);
  EXPECT_GT(more.value, 0);
  EXPECT_EQ(more.low, 0);
}

TEST(Progress, IsKnownBetterThanItsDigitsWhenReadingsScatter) {
  const auto scattered = [](double clock, double traffic, double digits = 1) {
    Progress p = shows(1, clock, traffic);
    p.activity.traffic_squares_s += 10 * std::pow(0.01 * digits, 2);
    return p;
  };
  const Factor even = more_than_cycles(shows(1, 0.6, 0.09), shows(1, 1, 0.1), 0);
  const Factor odd = more_than_cycles(scattered(0.6, 0.09), scattered(1, 0.1), 0);
  const double truth = std::log(0.9 / 0.6);
  EXPECT_LT(std::abs(odd.value - truth), std::abs(even.value - truth) / 2);
  EXPECT_GT(odd.low, even.low);
  // A steady value between two digits is read as one or the other.
  const Factor steady = more_than_cycles(scattered(0.6, 0.09, 0.5), scattered(1, 0.1, 0.5), 0);
  EXPECT_DOUBLE_EQ(steady.low, even.low);
}

TEST(Progress, IsNeverMoreThanBusyTimeAllows) {
  // Twice the traffic at half the clock: not the same work faster.
  const Factor more = more_than_cycles(shows(1, 0.5, 0.8), shows(1, 1, 0.4), 0);
  EXPECT_NEAR(more.high, std::log(1 / 0.5), 1e-12);
}

TEST(Progress, ThatFellByMoreThanTheClockIsBelieved) {
  // Skipped pulses: the clock that is told is not the clock that is had.
  const Factor more = more_than_cycles(shows(1, 0.4, 0.2), shows(1, 1, 0.9), 0);
  EXPECT_LT(more.value, -0.5);
  EXPECT_LE(more.low, std::log(0.2 / 0.9 / 0.4));
}

TEST(Progress, WithoutTrafficLiesBetweenCyclesAndBusyTime) {
  for (const double traffic : {0.0, 0.008}) {
    const Factor more = more_than_cycles(shows(0.8, 0.6, traffic), shows(0.7, 1, traffic), 0);
    // Memory that is told to be idle is not waited for; of memory that is not told, half the way.
    EXPECT_NEAR(more.value, traffic > 0 ? 0 : -std::log(1 - 0.5 * 0.4), 1e-12);
    EXPECT_EQ(more.low, 0);
    EXPECT_NEAR(more.high, -std::log(0.6), 1e-12);
  }
}

TEST(Progress, OfItemsIsTheirNumber) {
  Progress items = shows(1, 0.6, 0.9);
  items.counted = true;
  const Factor more = more_than_cycles(items, shows(1, 1, 0.9), 0);
  EXPECT_EQ(more.value, 0);
  EXPECT_EQ(more.high, 0);
}

TuneObservation second(double t, double watts, std::optional<double> celsius = std::nullopt) {
  TuneObservation o;
  o.begin = Instant{} + Seconds(t);
  o.end = o.begin + Seconds(1.0);
  o.joules = watts;
  o.work = 1;
  o.celsius = celsius;
  return o;
}

/// A body of 0.12 K/W and 30 s at 30 °C under 250 W for 30 s and around the middle of 600 s,
/// else under 150 W; in whole degrees.
HeatLog warmed(double seconds) {
  HeatLog log;
  double celsius = 35;
  for (double t = 0; t < seconds; ++t) {
    const double watts = t < 30 || (t > 290 && t < 320) ? 250 : 150;
    const double settles = 30 + 0.12 * watts;
    celsius = settles + (celsius - settles) * std::exp(-1 / 30.0);
    log.add(second(t, watts, std::round(celsius)), 0);
  }
  return log;
}

TEST(Heat, TellsHowWarmTheDefaultWouldHaveKeptTheCard) {
  const auto celsius = warmed(600).under_default(1, [](std::size_t) { return 250.0; });
  ASSERT_TRUE(celsius[0]);
  // 60 °C in the end, less the time of warming up.
  EXPECT_NEAR(*celsius[0], 60 - 25 * 30.0 / 600, 1.0);
}

TEST(Heat, SaysNothingWithoutAThermometerOrWhenItDoesNotFollowPower) {
  HeatLog blind;
  HeatLog wild;
  for (int t = 0; t < 300; ++t) {
    blind.add(second(t, t < 100 ? 250 : 150), 0);
    wild.add(second(t, t < 100 ? 250 : 150, 40 + t * 7919 % 23), 0);
  }
  const auto as_used = [](std::size_t) { return std::optional<double>(); };
  EXPECT_FALSE(blind.under_default(1, as_used)[0]);
  EXPECT_FALSE(wild.under_default(1, as_used)[0]);
  EXPECT_FALSE(warmed(10).under_default(1, as_used)[0]);
}

TEST(Level, OfAWarmerCardFollowsTheSlopeThatTheWindowsShow) {
  std::vector<TuneWindow> windows;
  for (int i = 0; i < 8; ++i) {
    TuneWindow w;
    w.begin = Instant{} + Seconds(60.0 * i);
    w.end = w.begin + Seconds(4.0);
    w.celsius = 40 + 2.0 * i;
    w.log_time = 0.002 * *w.celsius;
    w.se_time = 0.001;
    windows.push_back(w);
  }
  std::vector<const TuneWindow*> pointers;
  for (const TuneWindow& w : windows)
    pointers.push_back(&w);
  const auto time = [](const TuneWindow& w) { return w.log_time; };
  const auto error = [](const TuneWindow& w) { return w.se_time; };
  const Instant last = windows.back().end;
  const DefaultLevel as_seen = default_level(pointers, last, std::nullopt, time, error);
  EXPECT_EQ(as_seen.heat, 0);
  const DefaultLevel warm = default_level(pointers, last, 60.0, time, error);
  EXPECT_NEAR(warm.mean, 0.002 * 60, 0.005);
  EXPECT_NEAR(warm.mean - warm.heat, as_seen.mean, 1e-12) << "the low end does not count on it";
  EXPECT_GE(warm.mean + warm.heat_above, 0.002 * 60);
}

std::vector<Slice> slices(int count, int changes_at, double before_w, double after_w) {
  std::vector<Slice> all;
  for (int i = 0; i < count; ++i) {
    Slice slice;
    // 1 % of scatter that is no accident: i * 37 mod 5.
    const double scatter = 1 + 0.01 * (i * 37 % 5 - 2) / 2.0;
    slice.o = second(i, (i < changes_at ? before_w : after_w) * scatter);
    all.push_back(slice);
  }
  return all;
}

TEST(Change, IsFoundToTheSlice) {
  const auto watched = slices(60, 41, 200, 170);
  EXPECT_EQ(change_in(watched, {0, std::log(200.0)}, {0, std::log(170.0)}), 41U);
  EXPECT_EQ(change_in(watched), std::optional<std::size_t>(41));
  const auto small = change_in(slices(60, 22, 200, 196));
  ASSERT_TRUE(small);
  EXPECT_NEAR(static_cast<double>(*small), 22, 1) << "a step of twice the scatter";
}

TEST(Change, IsNotFoundWhereThereIsNone) {
  EXPECT_EQ(change_in(slices(60, 60, 200, 170)), std::nullopt);
  EXPECT_EQ(change_in({}), std::nullopt);
  std::vector<Slice> idle = slices(5, 5, 200, 170);
  for (Slice& slice : idle)
    slice.o.work = 0;
  EXPECT_EQ(change_in(idle), std::nullopt);
}

}  // namespace
}  // namespace ergo::tune
