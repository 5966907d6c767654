// From readings and marks to what the Tuner is told, and back to the limit: a GPU made of numbers,
// whose clock follows its limit.
#include "ergo/experiment/tune_events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double top_w = 300.0;

/// A job that repeats one iteration: `heavy` of it at the limit, the rest at a third of it. Under a
/// lower limit the clock falls with its cube root, and the iteration takes as much longer.
class TunedJob {
 public:
  explicit TunedJob(double iteration_s, double heavy = 0.7)
      : iteration_s_(iteration_s), heavy_(heavy), tuner_(options_of()) {
    events_options_.found = Watts(top_w);
    events_options_.set_limit = [this](Watts limit) -> Result<Watts> {
      set.push_back(limit.value());
      if (limit.value() < refused_below) return Error{Errc::permission, "the driver refuses", {}};
      limit_ = limit.value();
      return limit;
    };
    events_ = std::make_unique<TuneEvents>(tuner_, events_options_, next_);
    energy_ = add("nvml.total_energy@gpu0", SignalKind::energy);
    busy_ = add("gpu0.sm_utilization", SignalKind::gauge, "%");
    clock_ = add("gpu0.sm_clock", SignalKind::gauge, "MHz");
    share_ = add("gpu0.process_share", SignalKind::gauge, "1");
  }

  /// Lives for so long; each iteration is marked when `marked`, its total is told when above 0.
  void live(double seconds, bool marked, std::int64_t total = 0) {
    constexpr double tick = 0.1;
    const double until = t_ + seconds;
    while (t_ < until) {
      // Finer than the readings: these see the mean of what happened between them.
      for (int i = 0; i < 20; ++i)
        step(tick / 20, marked, total);
      read();
      if (++ticks_ % 5 == 0) events_->on_progress(timeline_, Instant{});
    }
  }

  [[nodiscard]] TuneReport report() const { return tuner_.report(); }
  [[nodiscard]] std::string status() const { return tuner_.status(); }
  [[nodiscard]] const TuneEvents& events() const { return *events_; }
  [[nodiscard]] double limit() const { return limit_; }
  /// Seconds of an iteration under a limit.
  [[nodiscard]] double iteration(double limit) const { return iteration_s_ / speed(limit); }

  std::vector<double> set;
  double refused_below = 0;
  double process_share = 1.0;

 private:
  static TuneOptions options_of() {
    TuneOptions options;
    for (double limit = 150; limit <= top_w; limit += 5)
      options.limits_w.push_back(limit);
    options.gpu = "Tesla V100";
    return options;
  }
  static double speed(double limit) { return std::cbrt(limit / top_w); }

  SignalId add(const char* name, SignalKind kind, const char* unit = "J") {
    SignalInfo info;
    info.name = name;
    info.kind = kind;
    info.unit = unit;
    if (kind == SignalKind::energy) {
      info.channel = info.device = "gpu0";
      info.domain = Domain::gpu;
      info.in_total = true;
    }
    return timeline_.add(info);
  }

  void step(double dt, bool marked, std::int64_t total) {
    if (marked && !begun_) mark(MarkKind::begin, total);
    begun_ = true;
    joules_ += dt * limit_ * (done_ < heavy_ ? 1.0 : 1.0 / 3);
    t_ += dt;
    done_ += dt / iteration(limit_);
    if (done_ < 1) return;
    done_ -= 1;
    if (marked) mark(MarkKind::end, 0);
    begun_ = false;
  }

  void mark(MarkKind kind, std::int64_t total) {
    MarkMessage message;
    message.kind = kind;
    message.name = "step";
    message.time = Instant{} + Seconds(t_);
    if (total > 0) message.total = total;
    events_->on_mark(message, 0);
  }

  void read() {
    const Instant now = Instant{} + Seconds(t_);
    timeline_.append(energy_, {now, joules_});
    timeline_.append(busy_, {now, 100.0});
    timeline_.append(clock_, {now, 1500.0 * speed(limit_)});
    timeline_.append(share_, {now, process_share});
  }

  double iteration_s_;
  double heavy_;
  RunEvents next_;
  Tuner tuner_;
  TuneEventsOptions events_options_;
  std::unique_ptr<TuneEvents> events_;
  Timeline timeline_;
  SignalId energy_ = 0;
  SignalId busy_ = 0;
  SignalId clock_ = 0;
  SignalId share_ = 0;
  double t_ = 0;
  double joules_ = 0;
  double done_ = 0;
  double limit_ = top_w;
  bool begun_ = false;
  int ticks_ = 0;
};

std::vector<TuneWindow> windows_of(const TuneReport& report, std::string_view purpose) {
  std::vector<TuneWindow> found;
  for (const TuneWindow& window : report.windows) {
    if (window.purpose == purpose) found.push_back(window);
  }
  return found;
}

TEST(TuneEvents, ThePowerOfUnmarkedWorkTellsHowLongAnIterationTakesUnderEachLimit) {
  TunedJob job(1.0);
  job.live(90, false);
  EXPECT_EQ(job.events().work_measure(), WorkMeasure::activity);
  const TuneReport report = job.report();
  ASSERT_GE(report.windows.size(), 5U);
  int limited = 0;
  for (const TuneWindow& window : report.windows) {
    ASSERT_TRUE(window.beat_s) << window.purpose;
    EXPECT_NEAR(*window.beat_s, job.iteration(window.limit_w), 0.005) << window.limit_w << " W";
    // In seconds of the default: half of the way is the guess without a beat.
    EXPECT_NEAR(std::exp(window.log_time), job.iteration(window.limit_w), 0.01);
    limited += window.limit_w < top_w ? 1 : 0;
  }
  EXPECT_GE(limited, 2);
}

TEST(TuneEvents, PowerThatIsEvenHasNoBeat) {
  TunedJob job(1.0, 1.0);
  job.live(60, false);
  const TuneReport report = job.report();
  ASSERT_FALSE(report.windows.empty());
  for (const TuneWindow& window : report.windows)
    EXPECT_FALSE(window.beat_s) << window.purpose;
}

TEST(TuneEvents, WhatLooksLikeABeatOfPowerThatIsTooFastForTheReadingsMovesNoTime) {
  TunedJob job(0.13);
  job.live(90, false);
  const TuneReport report = job.report();
  const auto probes = windows_of(report, "probe");
  ASSERT_FALSE(probes.empty());
  const double slower = job.iteration(probes.front().limit_w) / job.iteration(top_w);
  EXPECT_FALSE(probes.front().beat_s);
  EXPECT_NEAR(std::exp(probes.front().log_time), (1 + slower) / 2, 0.01) << "the guess without one";
}

TEST(TuneEvents, MarksCountAndNoPowerIsLookedAt) {
  TunedJob job(0.25);
  job.live(40, true);
  EXPECT_EQ(job.events().work_measure(), WorkMeasure::items);
  EXPECT_EQ(job.events().counted(), "step");
  const TuneReport report = job.report();
  ASSERT_FALSE(report.windows.empty());
  EXPECT_NEAR(std::exp(report.windows.front().log_time), 0.25, 0.002) << "seconds per item";
  EXPECT_FALSE(report.windows.front().beat_s);
  EXPECT_FALSE(report.windows.front().activity);
}

TEST(TuneEvents, AJobThatTellsThatItIsNearlyOverIsNotProbed) {
  constexpr double iteration = 0.25;
  const auto lowest_limit = [](std::int64_t total) {
    TunedJob job(iteration);
    job.live(20, true, total);
    return std::make_pair(job.set.empty() ? top_w : job.set.front(), job.status());
  };
  const auto [untold, untold_status] = lowest_limit(0);
  EXPECT_LT(untold, top_w) << untold_status;
  const auto [endless, endless_status] = lowest_limit(100'000);
  EXPECT_LT(endless, top_w) << endless_status;
  // After two windows of 4 s some ten seconds are left: no measurement would pay for itself.
  const auto [short_one, short_status] = lowest_limit(std::llround(20 / iteration));
  EXPECT_EQ(short_one, top_w) << short_status;
  EXPECT_THAT(short_status, HasSubstr("settled on 300 W"));
}

TEST(TuneEvents, ALimitThatCannotBeSetEndsTheTuningUnderTheLimitFound) {
  TunedJob job(0.25);
  job.refused_below = 200;
  job.live(60, true);
  ASSERT_TRUE(job.events().failure());
  EXPECT_THAT(job.events().failure()->message, HasSubstr("refuses"));
  EXPECT_THAT(job.set, ElementsAre(180, top_w)) << "tried, taken back, and never again";
  EXPECT_EQ(job.limit(), top_w);
}

TEST(TuneEvents, OtherProgramsOnTheGpuAreSeen) {
  TunedJob alone(0.25);
  alone.live(20, true);
  EXPECT_NEAR(alone.events().foreign_share().value_or(-1), 0.0, 1e-9);
  TunedJob shared(0.25);
  shared.process_share = 0.7;
  shared.live(20, true);
  EXPECT_NEAR(shared.events().foreign_share().value_or(-1), 0.3, 1e-6);
}

TEST(TuneEvents, BeforeAnythingIsSeenNothingIsSet) {
  TunedJob job(0.25);
  job.live(0.4, false);
  EXPECT_EQ(job.events().work_measure(), WorkMeasure::none);
  EXPECT_TRUE(job.set.empty());
  EXPECT_FALSE(job.report().cannot_tell.empty());
}

}  // namespace
}  // namespace ergo
