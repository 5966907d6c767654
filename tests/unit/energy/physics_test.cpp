// Laws that hold whatever the numbers are: energy is the integral of power, parts sum to the whole,
// windows add up.

#include "ergo/energy/attribution.hpp"
#include "ergo/energy/measure.hpp"
#include "ergo/sensors/sensor.hpp"
#include "recording.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ergo {
namespace {

using testing::at;
using testing::find;
using testing::meter;
using testing::record;
using testing::window;

double wave(double t) {
  return 100.0 + 50.0 * std::sin(t);
}
double wave_energy(double t) {
  return 100.0 * t + 50.0 * (1.0 - std::cos(t));
}

TEST(Physics, EnergyIsTheIntegralOfPower) {
  Timeline timeline;
  const SignalId counter = timeline.add(meter(SignalKind::energy, "a", Domain::gpu));
  const SignalId power = timeline.add(meter(SignalKind::power, "b", Domain::gpu));
  record(timeline, counter, 0, 30, 0.1, wave_energy);
  record(timeline, power, 0, 30, 0.1, wave);
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> edge(0.0, 30.0);
  for (int i = 0; i < 100; ++i) {
    double from = edge(random);
    double to = edge(random);
    if (from > to) std::swap(from, to);
    if (to - from < 0.2) continue;
    const double truth = wave_energy(to) - wave_energy(from);
    const WindowEnergy energy = measure(timeline, window(from, to));
    ASSERT_EQ(energy.channels.size(), 2U);
    for (const ChannelEnergy& c : energy.channels) {
      EXPECT_NEAR(c.joules.value(), truth, 0.25) << c.channel;
      EXPECT_LE(c.low.value(), truth) << c.channel;
      EXPECT_GE(c.high.value(), truth) << c.channel;
      EXPECT_NEAR(c.mean.value(), truth / (to - from), 0.25 / (to - from));
    }
  }
}

TEST(Physics, AdjoiningWindowsAddUpToTheWhole) {
  Timeline timeline;
  const SignalId counter = timeline.add(meter(SignalKind::energy, "a", Domain::gpu));
  const SignalId power = timeline.add(meter(SignalKind::power, "b", Domain::gpu));
  record(timeline, counter, 0, 20, 0.1, wave_energy);
  record(timeline, power, 0, 20, 0.1, wave);
  const double cuts[] = {1.03, 2.5, 7.77, 7.9, 12.0, 18.61};
  for (const char* channel : {"a", "b"}) {
    double sum = 0.0;
    for (int i = 0; i + 1 < 6; ++i)
      sum += find(measure(timeline, window(cuts[i], cuts[i + 1])), channel)->joules.value();
    const double whole = find(measure(timeline, window(cuts[0], cuts[5])), channel)->joules.value();
    EXPECT_NEAR(sum, whole, 1e-9 * whole) << channel;
  }
}

TEST(Physics, ACounterLosesNothingOverManyWraps) {
  // 1000 J of range at up to 150 W: a wrap about every ten seconds.
  Timeline timeline;
  const SignalId id = timeline.add(meter(SignalKind::energy, "cpu0", Domain::cpu));
  WrapCounter unwrapped(1000.0);
  record(timeline, id, 0, 60, 0.1,
         [&](double t) { return unwrapped.update(std::fmod(777.0 + wave_energy(t), 1000.0)); });
  double last = -1.0;
  timeline.visit(id, at(0), at(60), [&](const Sample& s) {
    EXPECT_GE(s.value, last);
    last = s.value;
  });
  const WindowEnergy energy = measure(timeline, window(0, 60));
  EXPECT_NEAR(energy.channels.at(0).joules.value(), wave_energy(60), 0.01);
}

TEST(Physics, EachJouleIsCountedOnce) {
  Timeline timeline;
  const double watts[] = {200.0, 80.0, 12.0, 350.0, 60.0};
  const char* names[] = {"gpu0", "cpu0", "dram0", "node", "core0"};
  const Domain domains[] = {Domain::gpu, Domain::cpu, Domain::dram, Domain::node, Domain::cpu};
  for (int i = 0; i < 5; ++i) {
    SignalInfo info = meter(SignalKind::energy, names[i], domains[i]);
    info.in_total = i < 3;
    const SignalId id = timeline.add(info);
    record(timeline, id, 0, 10, 0.1, [&](double t) { return watts[i] * t; });
  }
  // A second source of one channel gives no second joule.
  SignalInfo again = meter(SignalKind::power, "gpu0", Domain::gpu, "again");
  again.rank = 1;
  const SignalId id = timeline.add(again);
  record(timeline, id, 0, 10, 0.1, [](double) { return 200.0; });

  const WindowEnergy energy = measure(timeline, window(1, 9));
  EXPECT_EQ(energy.channels.size(), 5U);
  EXPECT_NEAR(energy.total.measured->value(), 8.0 * 292.0, 1e-6);
  EXPECT_EQ(energy.total.estimated, std::nullopt);
  EXPECT_EQ(find(energy, "gpu0")->alternatives.size(), 1U);
}

TEST(Physics, MeasuredAndEstimatedJoulesAreNeverAddedUp) {
  Timeline timeline;
  const SignalId gpu = timeline.add(meter(SignalKind::energy, "gpu0", Domain::gpu));
  SignalInfo guess = meter(SignalKind::power, "cpu0", Domain::cpu);
  guess.provenance = Provenance::estimated;
  guess.traits.gain_low = -0.5;
  guess.traits.gain_high = 1.0;
  const SignalId cpu = timeline.add(guess);
  record(timeline, gpu, 0, 10, 0.1, [](double t) { return 200.0 * t; });
  record(timeline, cpu, 0, 10, 0.1, [](double) { return 50.0; });
  const WindowEnergy energy = measure(timeline, window(0, 10));
  EXPECT_NEAR(energy.total.measured->value(), 2000.0, 1e-6);
  EXPECT_NEAR(energy.total.estimated->value(), 500.0, 1e-6);
  const ChannelEnergy* estimated = find(energy, "cpu0");
  EXPECT_NEAR(estimated->low.value(), 250.0, 5.0);
  EXPECT_NEAR(estimated->high.value(), 1000.0, 5.0);
  EXPECT_EQ(energy.total.estimated_low, estimated->low);
  EXPECT_EQ(energy.total.estimated_high, estimated->high);
  // Nothing measured: no measured total, not one of 0.
  Timeline only;
  record(only, only.add(guess), 0, 10, 0.1, [](double) { return 50.0; });
  EXPECT_EQ(measure(only, window(0, 10)).total.measured, std::nullopt);
}

TEST(Attribution, PartsSumToTheWhole) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int i = 0; i < 1000; ++i) {
    const Joules whole(1000.0 * unit(random));
    const Joules idle(1200.0 * unit(random));
    const double share = 1.2 * unit(random) - 0.1;
    const auto known = i % 3 == 0 ? std::nullopt : std::optional(idle);
    const Attribution parts = attribute(whole, known, share);
    const double sum = (parts.process + parts.others + parts.idle).value();
    EXPECT_NEAR(sum, whole.value(), 1e-9);
    EXPECT_GE(parts.process.value(), 0.0);
    EXPECT_GE(parts.others.value(), -1e-9);
    EXPECT_GE(parts.idle.value(), 0.0);
  }
}

TEST(Attribution, IdleIsNobodysUnlessTheProgramIsAlone) {
  const Attribution shared = attribute(Joules(100), Joules(40), 0.5);
  EXPECT_DOUBLE_EQ(shared.process.value(), 30.0);
  EXPECT_DOUBLE_EQ(shared.idle.value(), 40.0);
  const Attribution alone = attribute(Joules(100), Joules(40), 1.0);
  EXPECT_DOUBLE_EQ(alone.process.value(), 100.0);
  EXPECT_DOUBLE_EQ(alone.idle.value(), 0.0);
  const Attribution unknown_idle = attribute(Joules(100), std::nullopt, 0.25);
  EXPECT_DOUBLE_EQ(unknown_idle.process.value(), 25.0);
  EXPECT_DOUBLE_EQ(unknown_idle.others.value(), 75.0);
}

class Shares : public ::testing::Test {
 protected:
  void SetUp() override {
    record(timeline, timeline.add(meter(SignalKind::energy, "cpu0", Domain::cpu)), 0, 10, 0.1,
           [](double t) { return 100.0 * t; });
    record(timeline, timeline.add(meter(SignalKind::energy, "gpu0", Domain::gpu)), 0, 10, 0.1,
           [](double t) { return 200.0 * t; });
  }
  void cpu_time(const char* name, double rate) {
    SignalInfo info;
    info.name = name;
    info.kind = SignalKind::cpu_time;
    record(timeline, timeline.add(info), 0, 10, 0.1, [&](double t) { return rate * t; });
  }
  Timeline timeline;
  MeasureOptions options;
};

TEST_F(Shares, ThePackageIsSharedByProcessorTime) {
  cpu_time("process.cpu_time", 1.0);
  cpu_time("machine.cpu_time", 4.0);
  options.idle = {{"cpu0", Watts(20.0), Watts(1.0)}};
  const WindowEnergy energy = measure(timeline, window(2, 7), options);
  const ChannelEnergy* cpu = find(energy, "cpu0");
  EXPECT_NEAR(cpu->joules.value(), 500.0, 1e-6);
  EXPECT_NEAR(cpu->idle->value(), 100.0, 1e-6);
  EXPECT_NEAR(cpu->net->value(), 400.0, 1e-6);
  EXPECT_NEAR(cpu->process->value(), 100.0, 1e-6);
  EXPECT_LE(cpu->net_low->value(), 395.0);
  EXPECT_GE(cpu->net_high->value(), 405.0);
  // The uncertainty of the baseline is no uncertainty of what was used.
  EXPECT_GT(cpu->low.value(), 490.0);
  EXPECT_TRUE(energy.warnings.empty());
}

TEST_F(Shares, WithoutABaselineTheShareIsOfTheWholeAndItSaysSo) {
  cpu_time("process.cpu_time", 1.0);
  cpu_time("machine.cpu_time", 4.0);
  const WindowEnergy energy = measure(timeline, window(2, 7));
  EXPECT_NEAR(find(energy, "cpu0")->process->value(), 125.0, 1e-6);
  EXPECT_THAT(energy.warnings, ::testing::ElementsAre(::testing::HasSubstr("idle")));
}

TEST_F(Shares, WithoutProcessorTimeNothingIsChargedForThePackage) {
  const WindowEnergy energy = measure(timeline, window(2, 7));
  EXPECT_EQ(find(energy, "cpu0")->process, std::nullopt);
}

TEST_F(Shares, AGpuIsChargedWholeUnlessOthersAreSeenOnIt) {
  EXPECT_NEAR(find(measure(timeline, window(2, 7)), "gpu0")->process->value(), 1000.0, 1e-6);
  SignalInfo share;
  share.name = "gpu0.process_share";
  share.unit = "1";
  record(timeline, timeline.add(share), 0, 10, 1.0, [](double t) { return t <= 5.0 ? 0.5 : 1.0; });
  // Half of it up to 5 s, all of it after.
  EXPECT_NEAR(find(measure(timeline, window(4, 6)), "gpu0")->process->value(), 300.0, 1e-6);
}

TEST_F(Shares, AGpuAtRestOnWhichNobodyWasSeenIsChargedToNobody) {
  SignalInfo share;
  share.name = "gpu0.process_share";
  timeline.add(share);
  SignalInfo busy;
  busy.name = "gpu0.sm_utilization";
  const SignalId utilization = timeline.add(busy);
  record(timeline, utilization, 0, 5, 1.0, [](double) { return 0.0; });
  EXPECT_EQ(find(measure(timeline, window(2, 4)), "gpu0")->process, std::nullopt);
  // Somebody computed, too short to be seen in the list of processes: who if not the program?
  record(timeline, utilization, 6, 10, 1.0, [](double) { return 30.0; });
  EXPECT_NEAR(find(measure(timeline, window(6, 9)), "gpu0")->process->value(), 600.0, 1e-6);
}

TEST(Idle, TheBaselineIsTheMeanAndItsDoubtTheDrift) {
  Timeline timeline;
  SignalInfo info = meter(SignalKind::power, "gpu0", Domain::gpu);
  info.traits.gain_u95 = 0.05;
  const SignalId id = timeline.add(info);
  record(timeline, id, 0, 30, 0.1, [](double t) { return t < 15 ? 40.0 : 44.0; });
  const auto baselines = idle_from(timeline, {window(0, 10), window(20, 30)});
  ASSERT_EQ(baselines.size(), 1U);
  EXPECT_EQ(baselines[0].channel, "gpu0");
  EXPECT_NEAR(baselines[0].power.value(), 42.0, 1e-6);
  EXPECT_GE(baselines[0].half_width.value(), 2.0);
  EXPECT_LE(baselines[0].half_width.value(), 2.3);
}

TEST(Gauges, MeansAreWeightedByTime) {
  Timeline timeline;
  SignalInfo info;
  info.name = "gpu0.sm_utilization";
  info.unit = "%";
  const SignalId id = timeline.add(info);
  // Readings come unevenly: 0 % for a second, then 100 % for nine.
  for (const double t : {0.0, 0.999})
    timeline.append(id, {at(t), 0.0, 0.0F});
  for (const double t : {1.001, 9.0, 9.9, 10.0})
    timeline.append(id, {at(t), 100.0, 0.0F});
  const auto gauges = summarize_gauges(timeline, window(0, 10));
  ASSERT_EQ(gauges.size(), 1U);
  EXPECT_NEAR(gauges[0].mean, 90.0, 0.01);
  EXPECT_EQ(gauges[0].max, 100.0);
  EXPECT_EQ(gauges[0].unit, "%");
  EXPECT_TRUE(summarize_gauges(timeline, window(11, 12)).empty());
}

}  // namespace
}  // namespace ergo
