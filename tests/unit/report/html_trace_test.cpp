#include "ergo/report/html.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace ergo::report {
namespace {

SignalInfo signal(SignalKind kind, int rank) {
  SignalInfo info;
  info.name = kind == SignalKind::power ? "p@gpu0" : "e@gpu0";
  info.kind = kind;
  info.channel = "gpu0";
  info.source = info.name;
  info.rank = rank;
  return info;
}

RunRecord run_of(double seconds) {
  RunRecord run;
  run.begin = Instant{1'000'000'000};
  run.duration = Seconds(seconds);
  return run;
}

TEST(PeakKeeper, KeepsEveryPeakAndTheEnds) {
  PeakKeeper keeper(0, 1000, 50);
  for (int i = 0; i <= 1'000'000; ++i) {
    const double time = i * 1e-3;
    double value = 100 + 10 * std::sin(time);
    if (i == 123'457) value = 900;
    if (i == 765'432) value = 1;
    keeper.add(time, value);
  }
  const auto points = keeper.points();
  EXPECT_LE(points.size(), 2U * 50 + 2);
  EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
  EXPECT_NE(std::find(points.begin(), points.end(), std::pair(123'457 * 1e-3, 900.0)),
            points.end());
  EXPECT_NE(std::find(points.begin(), points.end(), std::pair(765'432 * 1e-3, 1.0)), points.end());
  EXPECT_DOUBLE_EQ(points.front().first, 0);
  EXPECT_DOUBLE_EQ(points.back().first, 1000);
}

TEST(PeakKeeper, FewPointsStayAsTheyAre) {
  PeakKeeper keeper(0, 10, 1000);
  for (const double t : {1.0, 2.0, 7.0})
    keeper.add(t, t * 10);
  EXPECT_EQ(keeper.points(), (std::vector<std::pair<double, double>>{{1, 10}, {2, 20}, {7, 70}}));
}

TEST(PeakKeeper, WhatIsOutsideOrNoNumberIsLeftOut) {
  PeakKeeper keeper(0, 1, 4);
  keeper.add(-1, 5);
  keeper.add(2, 5);
  keeper.add(0.5, std::nan(""));
  keeper.add(std::nan(""), 5);
  EXPECT_TRUE(keeper.points().empty());
  PeakKeeper instant(3, 3, 0);
  instant.add(3, 8);
  EXPECT_EQ(instant.points().size(), 1U);
}

TEST(RunTraces, PowerIsDrawnBeforeACounter) {
  Timeline timeline;
  const auto energy = timeline.add(signal(SignalKind::energy, 0));
  const auto power = timeline.add(signal(SignalKind::power, 1));
  for (int i = 0; i <= 10; ++i) {
    timeline.append(energy, {Instant{1'000'000'000 + i * 100'000'000LL}, i * 5.0});
    timeline.append(power, {Instant{1'000'000'000 + i * 100'000'000LL}, 55.0});
  }
  const RunTrace trace = trace_of(run_of(1), timeline, 100);
  ASSERT_EQ(trace.channels.size(), 1U);
  EXPECT_EQ(trace.channels[0].source, "p@gpu0");
  EXPECT_DOUBLE_EQ(trace.channels[0].points[3].second, 55);
}

TEST(RunTraces, ACounterBecomesPowerWhereItMoves) {
  Timeline timeline;
  const auto energy = timeline.add(signal(SignalKind::energy, 0));
  // Renewed every third reading: 30 J in 0.3 s.
  for (int i = 0; i <= 12; ++i)
    timeline.append(energy, {Instant{1'000'000'000 + i * 100'000'000LL}, (i / 3) * 30.0});
  const RunTrace trace = trace_of(run_of(1.2), timeline, 100);
  ASSERT_EQ(trace.channels.size(), 1U);
  ASSERT_EQ(trace.channels[0].points.size(), 4U);
  for (const auto& [time, watts] : trace.channels[0].points)
    EXPECT_NEAR(watts, 100, 1e-6);
}

TEST(RunTraces, ManyWindowsAreCutAndCounted) {
  RunRecord run = run_of(1);
  run.windows.resize(most_windows + 5);
  Timeline timeline;
  const auto power = timeline.add(signal(SignalKind::power, 0));
  timeline.append(power, {Instant{1'200'000'000}, 1});
  const RunTrace trace = trace_of(run, timeline, 10);
  EXPECT_EQ(trace.windows.size(), most_windows);
  EXPECT_EQ(trace.windows_left_out, 5U);
}

TEST(RunTraces, AMillionSamplesAndTheMostRunsStayBelowFiveMegabytes) {
  constexpr double five_megabytes = 5e6;
  for (const std::size_t runs : {std::size_t{1}, std::size_t{30}, most_traces}) {
    constexpr std::size_t channels = 6;
    const std::size_t buckets = buckets_for(runs, channels);
    std::vector<RunTrace> traces(runs);
    const std::size_t samples = 1'000'000 / (runs * channels);
    for (RunTrace& trace : traces) {
      trace.duration_s = 1234.5;
      trace.windows.resize(most_windows / 20);
      for (std::size_t c = 0; c < channels; ++c) {
        PeakKeeper keeper(0, 1234.5, buckets);
        for (std::size_t i = 0; i < samples; ++i) {
          const double time = 1234.5 * static_cast<double>(i) / static_cast<double>(samples);
          keeper.add(time, 200 + 100 * std::sin(static_cast<double>(i)));
        }
        trace.channels.push_back({"gpu" + std::to_string(c), "nvml.power_instant",
                                  Provenance::measured, keeper.points()});
      }
    }
    EXPECT_LT(static_cast<double>(study_html(StudyResults{}, traces).size()), five_megabytes)
        << runs;
  }
}

}  // namespace
}  // namespace ergo::report
