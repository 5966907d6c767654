#include "ergo/sensors/probe.hpp"

#include <gmock/gmock.h>

#include <cmath>

namespace ergo {
namespace {

using ::testing::HasSubstr;

/// Time that passes only by sleeping and by calls.
class StepClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override { return now_; }
  bool sleep_until(Instant t, std::stop_token stop) override {
    now_ = std::max(now_, t);
    return !stop.stop_requested();
  }
  void advance(Seconds d) { now_ = now_ + d; }

 private:
  Instant now_{1'000'000};
};

/// A counter and a power that are renewed every `period`.
class SteppingSensor final : public Sensor {
 public:
  SteppingSensor(StepClock& clock, Seconds period, Seconds claimed)
      : clock_(clock), period_(period) {
    name_ = "stepping";
    for (const SignalKind kind : {SignalKind::energy, SignalKind::power, SignalKind::gauge}) {
      SignalInfo info;
      info.name = "signal" + std::to_string(signals_.size());
      info.kind = kind;
      info.traits.update_period = claimed;
      signals_.push_back(info);
    }
  }
  Seconds cost{0.0001};
  bool constant = false;
  bool mostly_equal = false;    ///< a load that is almost constant: few updates change the value
  Errc fails = Errc::canceled;  ///< canceled = works
  int reads = 0;

 protected:
  Result<void> do_read(const Clock& clock, Batch& out) override {
    ++reads;
    const Instant before = clock.now();
    clock_.advance(cost);
    if (fails != Errc::canceled) return Error{fails, "no answer", {}};
    double step = std::floor(static_cast<double>(before.ns) * 1e-9 / period_.value());
    // After updates 0, 1, 4, 9, … only.
    if (mostly_equal) step = std::floor(std::sqrt(step));
    if (constant) step = 0;
    for (std::size_t i = 0; i < signals_.size(); ++i)
      out.add(i, 50.0 + step, before, clock.now());
    return {};
  }

 private:
  StepClock& clock_;
  Seconds period_;
};

TEST(Probe, FindsTheUpdatePeriodWithinAReadOrTwo) {
  for (const double period : {0.01, 0.02, 0.1}) {
    StepClock clock;
    SteppingSensor sensor(clock, Seconds(period), Seconds(period));
    const SensorProbe probe = probe_update_period(sensor, clock);
    ASSERT_EQ(probe.signals.size(), 2U) << "gauges are not probed";
    for (const SignalProbe& signal : probe.signals) {
      ASSERT_TRUE(signal.update_period.has_value());
      EXPECT_NEAR(signal.update_period->value(), period, 0.002);
      EXPECT_FALSE(signal.disagrees);
      EXPECT_TRUE(describe_disagreement(signal).empty());
    }
    EXPECT_LE(probe.duration.value(), 2.01);
  }
}

TEST(Probe, ReportsTablesThatAreWrongAndLeavesThemAlone) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.1), Seconds(0.02));
  const SensorProbe probe = probe_update_period(sensor, clock);
  EXPECT_TRUE(probe.signals[0].disagrees);
  EXPECT_THAT(describe_disagreement(probe.signals[0]), HasSubstr("every 100 ms"));
  EXPECT_THAT(describe_disagreement(probe.signals[0]), HasSubstr("not every 20 ms"));
  EXPECT_DOUBLE_EQ(sensor.signals()[0].traits.update_period.value(), 0.02);
}

TEST(Probe, EqualValuesInARowAreNotTakenForASlowSensor) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.01), Seconds(0.01));
  sensor.mostly_equal = true;
  const SensorProbe probe = probe_update_period(sensor, clock);
  EXPECT_GT(probe.signals[0].update_period->value(), 0.05);
  EXPECT_FALSE(probe.signals[0].regular);
  EXPECT_FALSE(probe.signals[0].disagrees);
}

TEST(Probe, AValueRenewedMoreOftenThanClaimedDisagrees) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.02), Seconds(0.1));
  const SensorProbe probe = probe_update_period(sensor, clock);
  EXPECT_TRUE(probe.signals[0].disagrees);
  EXPECT_TRUE(probe.signals[0].regular);
}

TEST(Probe, AValueThatNeverChangesHasNoPeriodRatherThanAWrongOne) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.1), Seconds(0.1));
  sensor.constant = true;
  const SensorProbe probe = probe_update_period(sensor, clock);
  EXPECT_EQ(probe.signals[0].changes, 0U);
  EXPECT_FALSE(probe.signals[0].update_period.has_value());
  EXPECT_FALSE(probe.signals[0].disagrees);
  EXPECT_NEAR(probe.duration.value(), 2.0, 0.01);
}

TEST(Probe, MeasuresWhatACallCosts) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.02), Seconds(0.02));
  sensor.cost = Seconds(0.0002);
  const SensorProbe probe = probe_update_period(sensor, clock);
  EXPECT_NEAR(probe.call_median->value(), 0.0002, 1e-9);
  EXPECT_NEAR(probe.call_max->value(), 0.0002, 1e-9);
}

TEST(Probe, SlowCallsAreMadeLessOftenSoThatTheProbeStaysCheap) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.1), Seconds(0.1));
  sensor.cost = Seconds(0.005);
  const SensorProbe probe = probe_update_period(sensor, clock);
  EXPECT_LE(static_cast<double>(sensor.reads) * 0.005, 0.25 * probe.duration.value() + 0.005);
  EXPECT_NEAR(probe.signals[0].resolution.value(), 0.02, 1e-6);
}

TEST(Probe, EndsEarlyWithEnoughChanges) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.01), Seconds(0.01));
  const SensorProbe probe = probe_update_period(sensor, clock);
  EXPECT_LT(probe.duration.value(), 0.4);
  EXPECT_GE(probe.signals[0].changes, 30U);
}

TEST(Probe, ASensorThatFailsIsReportedWithItsError) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.1), Seconds(0.1));
  sensor.fails = Errc::unavailable;
  const SensorProbe probe = probe_update_period(sensor, clock);
  EXPECT_EQ(probe.failures, probe.reads);
  EXPECT_EQ(probe.failure->message, "no answer");
  EXPECT_FALSE(probe.call_median.has_value());
}

TEST(Probe, ALostDeviceEndsTheProbe) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.1), Seconds(0.1));
  sensor.fails = Errc::lost;
  EXPECT_EQ(probe_update_period(sensor, clock).reads, 1U);
}

TEST(Probe, StopsWhenAsked) {
  StepClock clock;
  SteppingSensor sensor(clock, Seconds(0.1), Seconds(0.1));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(probe_update_period(sensor, clock, {}, stop.get_token()).reads, 0U);
}

}  // namespace
}  // namespace ergo
