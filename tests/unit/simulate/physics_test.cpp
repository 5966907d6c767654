#include "physics.hpp"

#include <gtest/gtest.h>

namespace ergo::sim {
namespace {

constexpr Demand kHeavy{0.9, 0.6, 0.3};

OperatingPoint under(const Preset& preset, const Demand& demand, double limit_w) {
  return operate(preset, demand, true, limit_w, preset.idle_w);
}

TEST(Physics, PowerAndVoltageRiseWithTheClock) {
  for (const Preset& preset : presets()) {
    double power = 0.0;
    double volts = 0.0;
    for (double f = preset.floor_mhz; f <= preset.max_mhz; f += preset.step_mhz) {
      EXPECT_GT(power_at(preset, kHeavy, f, preset.idle_w), power) << preset.key;
      EXPECT_GE(voltage(preset, f), volts) << preset.key;
      power = power_at(preset, kHeavy, f, preset.idle_w);
      volts = voltage(preset, f);
    }
    EXPECT_DOUBLE_EQ(voltage(preset, preset.max_mhz), 1.0);
  }
}

TEST(Physics, PowerAtTheHighestClockIsTheSumOfItsParts) {
  const Preset& v100 = *find_preset("v100");
  const double parts = v100.idle_w + v100.clocked_w + 0.9 * v100.compute_w + 0.6 * v100.memory_w;
  EXPECT_DOUBLE_EQ(power_at(v100, kHeavy, v100.max_mhz, v100.idle_w), parts);
}

TEST(Physics, ALimitIsRespectedAndLowersTheClock) {
  const Preset& v100 = *find_preset("v100");
  double clock = v100.max_mhz + 1;
  for (const double limit : {300.0, 250.0, 200.0, 150.0}) {
    const OperatingPoint point = under(v100, {1.0, 0.8, 0.2}, limit);
    EXPECT_LE(point.power_w, limit);
    EXPECT_LT(point.clock_mhz, clock);
    EXPECT_TRUE(point.power_capped);
    EXPECT_FALSE(point.beyond_cliff);
    // The next step up would have broken the limit.
    EXPECT_GT(power_at(v100, {1.0, 0.8, 0.2}, point.clock_mhz + v100.step_mhz, v100.idle_w), limit);
    clock = point.clock_mhz;
  }
}

TEST(Physics, ALimitThatDoesNotBindChangesNothing) {
  const Preset& v100 = *find_preset("v100");
  const OperatingPoint point = under(v100, {0.2, 0.1, 0.0}, 300);
  EXPECT_EQ(point.clock_mhz, v100.max_mhz);
  EXPECT_FALSE(point.power_capped);
}

TEST(Physics, BelowTheFloorPowerOvershootsAndSpeedCollapses) {
  const Preset& a100 = *find_preset("a100");
  const double at_floor = power_at(a100, kHeavy, a100.floor_mhz, a100.idle_w);
  ASSERT_GT(at_floor, a100.min_limit_w) << "the card can be set below its floor";
  const OperatingPoint above = under(a100, kHeavy, at_floor + 1);
  const OperatingPoint below = under(a100, kHeavy, a100.min_limit_w);
  EXPECT_FALSE(above.beyond_cliff);
  EXPECT_TRUE(below.beyond_cliff);
  EXPECT_GT(below.power_w, a100.min_limit_w);
  EXPECT_LT(below.power_w, above.power_w);
  EXPECT_EQ(below.clock_mhz, a100.floor_mhz);
  const double loses =
      speed(a100, 0.0, below.effective_clock_mhz) / speed(a100, 0.0, above.effective_clock_mhz);
  const double saves = below.power_w / above.power_w;
  EXPECT_LT(loses, saves) << "beyond the cliff each joule buys less work";
}

TEST(Physics, EnergyOfAWorkloadIsLeastBetweenTheEndsOfTheRange) {
  const Preset& v100 = *find_preset("v100");
  const auto energy = [&](double limit) {
    const OperatingPoint point = under(v100, kHeavy, limit);
    return point.power_w / speed(v100, kHeavy.memory_bound, point.effective_clock_mhz);
  };
  EXPECT_LT(energy(200), energy(300));
  EXPECT_LT(energy(200), energy(80)) << "80 W is beyond the cliff";
}

TEST(Physics, AMemoryBoundProgramIsSlowedLess) {
  const Preset& v100 = *find_preset("v100");
  EXPECT_DOUBLE_EQ(speed(v100, 0.0, v100.max_mhz / 2), 0.5);
  EXPECT_DOUBLE_EQ(speed(v100, 1.0, v100.max_mhz / 2), 1.0);
  EXPECT_GT(speed(v100, 0.6, v100.max_mhz / 2), speed(v100, 0.2, v100.max_mhz / 2));
}

TEST(Physics, AnIdleCardClocksDownUnlessAProgramHoldsIt) {
  const Preset& t4 = *find_preset("t4");
  const OperatingPoint alone = operate(t4, {}, false, 70, t4.idle_w);
  const OperatingPoint held = operate(t4, {}, true, 70, t4.idle_w);
  EXPECT_EQ(alone.clock_mhz, t4.idle_mhz);
  EXPECT_EQ(alone.power_w, t4.idle_w);
  EXPECT_EQ(held.clock_mhz, t4.max_mhz);
  EXPECT_GT(held.power_w, alone.power_w);
}

TEST(Physics, EveryPresetIsConsistent) {
  ASSERT_EQ(presets().size(), 5U);
  for (const Preset& p : presets()) {
    EXPECT_LT(p.idle_w, p.min_limit_w) << p.key;
    EXPECT_LE(p.min_limit_w, p.default_limit_w) << p.key;
    EXPECT_LE(p.default_limit_w, p.max_limit_w) << p.key;
    EXPECT_LE(p.idle_mhz, p.floor_mhz) << p.key;
    EXPECT_LE(p.window_s, p.period_s) << p.key;
    EXPECT_EQ(p.pci_device & 0xffffU, 0x10deU) << p.key;
    EXPECT_EQ(find_preset(p.key), &p);
    // A full load reaches the card's highest limit.
    EXPECT_GT(power_at(p, {1.0, 1.0, 0.0}, p.max_mhz, p.idle_w), p.max_limit_w) << p.key;
  }
  EXPECT_EQ(find_preset("v1000"), nullptr);
}

}  // namespace
}  // namespace ergo::sim
