#include "power_sensor.hpp"

#include "random.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo::sim {
namespace {

constexpr std::int64_t kMs = 1'000'000;

PowerSensor sensor_of(const char* preset, double idle_w, bool exact = false) {
  return start_sensor(*find_preset(preset), 0, 0.0, idle_w, exact);  // first tick at once
}

TEST(PowerSensor, AFullWindowCounterIsTheIntegralOfPower) {
  PowerSensor sensor = sensor_of("t4", 10);
  observe(sensor, 0, 1, 10);  // the tick at zero
  const double start = sensor.counter_j;
  double energy = 0.0;
  std::int64_t t = 1;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto dt = static_cast<std::int64_t>(random_unit(3, 1, i) * 150e6);
    const double power = 10 + 60 * random_unit(3, 2, i);
    observe(sensor, t, t + dt, power);
    energy += power * static_cast<double>(dt) * 1e-9;
    t += dt;
  }
  const std::int64_t rest = sensor.next_tick_ns - t;  // up to a tick, where the counter is renewed
  observe(sensor, t, sensor.next_tick_ns, 20);
  energy += 20 * static_cast<double>(rest) * 1e-9 + 10 * 1e-9;
  EXPECT_NEAR(sensor.counter_j - start, energy, 1e-6);
}

TEST(PowerSensor, APartTimeSensorSeesOnlyItsWindow) {
  PowerSensor sensor = sensor_of("a100", 50);
  observe(sensor, 0, 1, 50);
  const double start = sensor.counter_j;
  // 75 ms of 400 W are never looked at, the last 25 ms of 100 W are.
  observe(sensor, 1, 75 * kMs, 400);
  observe(sensor, 75 * kMs, 100 * kMs, 100);
  EXPECT_NEAR(sensor.last().power_w, 100, 1e-6);
  EXPECT_NEAR(sensor.counter_j - start, 10.0, 1e-6);
}

TEST(PowerSensor, AnExactCounterMissesNothing) {
  PowerSensor sensor = sensor_of("a100", 50, true);
  observe(sensor, 0, 1, 50);
  const double start = sensor.counter_j;
  observe(sensor, 1, 75 * kMs, 400);
  observe(sensor, 75 * kMs, 100 * kMs, 100);
  EXPECT_NEAR(sensor.counter_j - start, 400 * 0.075 + 100 * 0.025, 1e-5);
}

TEST(PowerSensor, OneLongStretchEqualsManyShortOnes) {
  for (const char* preset : {"v100", "t4", "k80", "a100"}) {
    PowerSensor at_once = sensor_of(preset, 40);
    PowerSensor in_steps = sensor_of(preset, 40);
    constexpr std::int64_t end = 7'777 * kMs + 123;
    observe(at_once, 0, end, 120);
    for (std::int64_t t = 0; t < end; t += 3'333'333)
      observe(in_steps, t, std::min(end, t + 3'333'333), 120);
    EXPECT_EQ(at_once.ticks, in_steps.ticks) << preset;
    EXPECT_NEAR(at_once.counter_j, in_steps.counter_j, 1e-6) << preset;
    EXPECT_EQ(at_once.last().t_ns, in_steps.last().t_ns) << preset;
    EXPECT_NEAR(at_once.last().power_w, in_steps.last().power_w, 1e-6) << preset;
    EXPECT_EQ(at_once.tick(0).t_ns, in_steps.tick(0).t_ns) << preset;
  }
}

TEST(PowerSensor, AnAverageOverASecondRisesInASecond) {
  PowerSensor sensor = sensor_of("h200", 100);
  observe(sensor, 0, 500 * kMs, 300);
  EXPECT_NEAR(sensor.mean_w(1'000 * kMs), 200, 21);
  observe(sensor, 500 * kMs, 1'100 * kMs, 300);
  EXPECT_NEAR(sensor.mean_w(1'000 * kMs), 300, 1e-6);
}

TEST(PowerSensor, KeplerRisesLikeACapacitor) {
  PowerSensor sensor = sensor_of("k80", 0);
  const double tau = find_preset("k80")->time_constant_s;
  observe(sensor, 0, std::llround(tau * 1e9), 100);
  EXPECT_NEAR(sensor.filtered_w, 100 * (1 - std::exp(-1.0)), 1e-6);
  EXPECT_LT(sensor.last().power_w, sensor.filtered_w + 1e-9);
  observe(sensor, std::llround(tau * 1e9), std::llround(20 * tau * 1e9), 100);
  EXPECT_NEAR(sensor.last().power_w, 100, 1e-3);
}

TEST(PowerSensor, ItStartsWithAHistoryOfWhatWasBefore) {
  const PowerSensor sensor = start_sensor(*find_preset("v100"), 5'000 * kMs, 0.4, 42, false);
  EXPECT_EQ(sensor.held(), PowerSensor::kHistory);
  EXPECT_EQ(sensor.last().power_w, 42);
  EXPECT_LE(sensor.last().t_ns, 5'000 * kMs);
  EXPECT_EQ(sensor.next_tick_ns, 5'008 * kMs);
}

TEST(IntervalMean, HoldsTheMeanOfTheLastCompleteInterval) {
  IntervalMean mean;
  mean.next_ns = mean.interval_ns;
  mean.observe(0, 100 * kMs, 1.0);
  EXPECT_EQ(mean.last, 0.0);
  mean.observe(100 * kMs, 200 * kMs, 0.0);
  EXPECT_NEAR(mean.last, 0.5, 1e-12);
  mean.observe(200 * kMs, 1'050 * kMs, 0.8);
  EXPECT_NEAR(mean.last, 0.8, 1e-12);
  mean.observe(1'050 * kMs, 1'200 * kMs, 0.0);
  EXPECT_NEAR(mean.last, 0.8 * 0.25, 1e-12);
}

}  // namespace
}  // namespace ergo::sim
