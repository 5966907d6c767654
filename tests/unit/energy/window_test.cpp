// Windows that are short, empty, beside the data, or full of holes; sensors that die, restart or
// disagree.

#include "ergo/energy/measure.hpp"
#include "recording.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

using testing::at;
using ::testing::Contains;
using testing::find;
using ::testing::HasSubstr;
using testing::meter;
using testing::part;
using testing::record;
using testing::window;

/// A counter that moves every 100 ms at `watts`.
double ticking(double t, double watts) {
  return watts * 0.1 * std::floor(t / 0.1 + 1e-9);
}

SignalInfo board_counter(const std::string& channel = "gpu0") {
  SignalInfo info = meter(SignalKind::energy, channel, Domain::gpu, "counter");
  info.traits.update_period = Seconds(0.1);
  return info;
}

TEST(Windows, AnEmptyOneHasNoEnergyAndSaysSo) {
  Timeline timeline;
  record(timeline, timeline.add(board_counter()), 0, 10, 0.1, [](double t) { return 100 * t; });
  for (const Window& w : {window(5, 5), window(6, 5)}) {
    const WindowEnergy energy = measure(timeline, w);
    EXPECT_TRUE(energy.channels.empty());
    EXPECT_EQ(energy.total.measured, std::nullopt);
    EXPECT_THAT(energy.warnings, Contains(HasSubstr("empty")));
  }
}

TEST(Windows, NothingIsMadeUpBeforeAndAfterTheReadings) {
  Timeline timeline;
  record(timeline, timeline.add(board_counter()), 10, 20, 0.1, [](double t) { return 100 * t; });
  SignalInfo power = meter(SignalKind::power, "gpu1", Domain::gpu);
  record(timeline, timeline.add(power), 10, 20, 0.1, [](double) { return 100.0; });
  for (const Window& w : {window(1, 5), window(25, 30)}) {
    const WindowEnergy energy = measure(timeline, w);
    EXPECT_TRUE(energy.channels.empty());
    EXPECT_EQ(energy.warnings.size(), 2U);
    EXPECT_THAT(energy.warnings, Contains(HasSubstr("gpu0 is left out")));
  }
}

TEST(Windows, OneReadingIsNoMeasurement) {
  Timeline timeline;
  const SignalId counter = timeline.add(board_counter());
  const SignalId power = timeline.add(meter(SignalKind::power, "gpu1", Domain::gpu));
  timeline.append(counter, {at(5), 100.0, 0.0F});
  timeline.append(power, {at(5), 100.0, 0.0F});
  timeline.add(board_counter("gpu2"));
  const WindowEnergy energy = measure(timeline, window(0, 10));
  EXPECT_TRUE(energy.channels.empty());
  EXPECT_THAT(energy.warnings, Contains(HasSubstr("only one reading")));
  EXPECT_THAT(energy.warnings, Contains(HasSubstr("no reading")));
}

TEST(Windows, OneShorterThanThePeriodIsUncertainButNotEmpty) {
  Timeline timeline;
  record(timeline, timeline.add(board_counter()), 0, 10, 0.1,
         [](double t) { return ticking(t, 100.0); });
  const WindowEnergy energy = measure(timeline, window(5.02, 5.06));
  const ChannelEnergy* gpu = find(energy, "gpu0");
  ASSERT_NE(gpu, nullptr);
  EXPECT_NEAR(gpu->joules.value(), 4.0, 0.5);
  EXPECT_LE(gpu->low.value(), 4.0);
  EXPECT_GE(gpu->high.value(), 4.0);
  EXPECT_GE(gpu->low.value(), 0.0);
  // No more than what the counter moved around the window.
  EXPECT_LE(gpu->high.value(), 30.0 + 1e-9);
}

TEST(Windows, EdgesOfACounterAreAsWideAsItsPeriodSays) {
  Timeline timeline;
  // Read as often as it ticks, so that the ticks' moments stay unknown: +-0.776 * P * T at 95 %,
  // and half of that for what the load may do within a tick.
  record(timeline, timeline.add(board_counter()), 0, 20, 0.1,
         [](double t) { return ticking(t, 100.0); });
  const WindowEnergy coarse = measure(timeline, window(5, 15));
  EXPECT_NEAR(part(coarse.channels.at(0), "window edges"), std::hypot(7.76, 3.88), 0.1);
  // Read ten times as often, the ticks are seen to a tenth.
  Timeline fine;
  record(fine, fine.add(board_counter()), 0, 20, 0.01, [](double t) { return ticking(t, 100.0); });
  const WindowEnergy sharp = measure(fine, window(5.03, 15.03));
  EXPECT_LT(part(sharp.channels.at(0), "window edges"), 4.0);
  EXPECT_NEAR(sharp.channels.at(0).joules.value(), 1000.0, 1.0);
}

TEST(Windows, AGapInsideCostsACounterNothing) {
  Timeline timeline;
  const SignalId id = timeline.add(board_counter());
  record(timeline, id, 0, 5, 0.1, [](double t) { return ticking(t, 100.0); });
  record(timeline, id, 9, 15, 0.1, [](double t) { return ticking(t, 100.0); });
  const WindowEnergy energy = measure(timeline, window(2, 13));
  EXPECT_NEAR(energy.channels.at(0).joules.value(), 1100.0, 5.0);
  EXPECT_LT(energy.channels.at(0).high.value(), 1115.0);
}

TEST(Windows, AGapInsideWidensAnIntegralOfPowerAndWarns) {
  Timeline timeline;
  const SignalId id = timeline.add(meter(SignalKind::power, "gpu0", Domain::gpu, "power"));
  record(timeline, id, 0, 5, 0.1, [](double) { return 100.0; });
  record(timeline, id, 9, 15, 0.1, [](double) { return 100.0; });
  const WindowEnergy energy = measure(timeline, window(2, 13));
  const ChannelEnergy& gpu = energy.channels.at(0);
  EXPECT_NEAR(gpu.joules.value(), 1100.0, 1e-6);
  EXPECT_GE(part(gpu, "gaps"), 200.0);
  EXPECT_LE(gpu.low.value(), 900.0);
  EXPECT_THAT(energy.warnings, Contains(HasSubstr("gaps")));
}

TEST(Windows, ASensorThatDiesLeavesItsShareAndSaysHowMuchIsMissing) {
  Timeline timeline;
  const SignalId counter = timeline.add(board_counter());
  const SignalId power = timeline.add(meter(SignalKind::power, "gpu1", Domain::gpu));
  record(timeline, counter, 0, 8, 0.1, [](double t) { return ticking(t, 100.0); });
  record(timeline, power, 0, 8, 0.1, [](double) { return 100.0; });
  const WindowEnergy mostly = measure(timeline, window(0, 10));
  ASSERT_EQ(mostly.channels.size(), 2U);
  for (const ChannelEnergy& c : mostly.channels) {
    // It may have gone on as before, or have used nothing any more.
    EXPECT_LE(c.low.value(), 810.0) << c.channel;
    EXPECT_GE(c.high.value(), 1000.0) << c.channel;
  }
  EXPECT_THAT(mostly.warnings, Contains(HasSubstr("was not read in 1.9 s")));

  const WindowEnergy hardly = measure(timeline, window(6, 16));
  EXPECT_TRUE(hardly.channels.empty());
  EXPECT_EQ(hardly.total.measured, std::nullopt);
  EXPECT_THAT(hardly.warnings, Contains(HasSubstr("left out")));
}

TEST(Windows, AnotherSourceStepsInForADeadCounter) {
  Timeline timeline;
  const SignalId counter = timeline.add(board_counter());
  SignalInfo info = meter(SignalKind::power, "gpu0", Domain::gpu, "power");
  info.rank = 1;
  const SignalId power = timeline.add(info);
  record(timeline, counter, 0, 1, 0.1, [](double t) { return ticking(t, 100.0); });
  record(timeline, power, 0, 10, 0.1, [](double) { return 100.0; });
  const WindowEnergy energy = measure(timeline, window(0, 10));
  ASSERT_EQ(energy.channels.size(), 1U);
  EXPECT_EQ(energy.channels[0].source, "power");
  EXPECT_NEAR(energy.channels[0].joules.value(), 1000.0, 1e-6);
  EXPECT_THAT(energy.warnings, Contains(HasSubstr("counter@gpu0")));
}

TEST(Windows, SourcesThatDisagreeAreReported) {
  Timeline timeline;
  SignalInfo counter = board_counter();
  counter.traits.gain_u95 = 0.05;
  counter.traits.gain_kind = "board";
  SignalInfo power = meter(SignalKind::power, "gpu0", Domain::gpu, "power");
  power.rank = 1;
  power.traits.gain_u95 = 0.05;
  power.traits.gain_kind = "board";
  const SignalId a = timeline.add(counter);
  const SignalId b = timeline.add(power);
  record(timeline, a, 0, 20, 0.1, [](double t) { return ticking(t, 100.0); });
  record(timeline, b, 0, 20, 0.1, [](double) { return 104.0; });
  const WindowEnergy energy = measure(timeline, window(2, 18));
  EXPECT_EQ(energy.channels.at(0).source, "counter");
  EXPECT_NEAR(energy.channels.at(0).alternatives.at(0).joules.value(), 1664.0, 1e-6);
  EXPECT_THAT(energy.warnings, Contains(HasSubstr("disagree by 4.0 %")));
}

TEST(Windows, SourcesThatAgreeAreNot) {
  Timeline timeline;
  SignalInfo power = meter(SignalKind::power, "gpu0", Domain::gpu, "power");
  power.rank = 1;
  const SignalId a = timeline.add(board_counter());
  const SignalId b = timeline.add(power);
  record(timeline, a, 0, 20, 0.1, [](double t) { return ticking(t, 100.0); });
  record(timeline, b, 0, 20, 0.1, [](double) { return 100.5; });
  EXPECT_TRUE(measure(timeline, window(2, 18)).warnings.empty());
}

TEST(Windows, AShortOneIsTakenFromARecordOfPowerThatIsSurerThanTheCountersTicks) {
  Timeline timeline;
  SignalInfo recorded = meter(SignalKind::power, "gpu0", Domain::gpu, "record");
  recorded.rank = 1;
  recorded.traits.averaging_window = Seconds(0.02);  // and no update period: each has its own time
  SignalInfo latest = meter(SignalKind::power, "gpu0", Domain::gpu, "latest");
  latest.rank = 2;
  latest.traits.averaging_window = latest.traits.update_period = Seconds(0.1);
  const SignalId a = timeline.add(board_counter());
  const SignalId b = timeline.add(recorded);
  const SignalId c = timeline.add(latest);
  const auto watts = [](double t) { return t < 5.0 ? 100.0 : 300.0; };
  const auto joules = [](double t) { return 100.0 * t + 200.0 * std::max(0.0, t - 5.0); };
  record(timeline, a, 0, 2000, 0.1, [&](double t) { return joules(std::floor(10.0 * t) * 0.1); });
  record(timeline, b, 0, 2000, 0.02, watts);
  record(timeline, c, 0, 2000, 0.1, watts);
  const ChannelEnergy brief = measure(timeline, window(4.91, 5.23)).channels.at(0);
  EXPECT_EQ(brief.source, "record");
  EXPECT_NEAR(brief.joules.value(), 9.0 + 69.0, 4.0);
  ASSERT_EQ(brief.alternatives.size(), 2U);
  EXPECT_EQ(brief.alternatives[0].source, "counter");
  EXPECT_EQ(brief.alternatives[1].source, "latest");
  EXPECT_LT(brief.high - brief.low, 0.5 * (brief.alternatives[0].high - brief.alternatives[0].low));
}

TEST(Windows, ACounterThatLooksPartOfTheTimeYieldsToARecordThatSeesAllOfALoadInStepWithIt) {
  // 50 ms on, 50 ms off, and a counter that looks at the last 25 ms of each 100: always off.
  Timeline timeline;
  SignalInfo counter = board_counter();
  counter.traits.sampled_fraction = 0.25;
  SignalInfo recorded = meter(SignalKind::power, "gpu0", Domain::gpu, "record");
  recorded.rank = 1;
  recorded.traits.averaging_window = Seconds(0.025);
  const SignalId a = timeline.add(counter);
  const SignalId b = timeline.add(recorded);
  record(timeline, a, 0, 20, 0.1, [](double t) { return ticking(t, 100.0); });
  record(timeline, b, 0, 20, 0.025,
         [](double t) { return std::fmod(t + 0.001, 0.1) < 0.05 ? 300.0 : 100.0; });
  const WindowEnergy energy = measure(timeline, window(4, 16));
  EXPECT_EQ(energy.channels.at(0).source, "record");
  EXPECT_NEAR(energy.channels.at(0).joules.value(), 2400.0, 10.0);
  EXPECT_THAT(energy.warnings, Contains(HasSubstr("counter disagree by -50.0 %")));
}

TEST(Windows, ARecordWhoseValuesAreUnevenlySpacedIsAsSureAsItsLoadIsEven) {
  const auto half_width = [](double low_w) {
    Timeline timeline;
    SignalInfo recorded = meter(SignalKind::power, "gpu0", Domain::gpu, "record");
    recorded.traits.averaging_window = Seconds(0.02);
    const SignalId id = timeline.add(recorded);
    for (int i = 0; i < 1000; ++i) {
      const double late = i % 3 == 0 ? 0.004 : 0.0;
      timeline.append(id, {at(0.02 * i + late), i % 2 == 0 ? 100.0 : low_w, 0.0F});
    }
    const WindowEnergy energy = measure(timeline, window(2, 18));
    return part(energy.channels.at(0), "resolution");
  };
  EXPECT_NEAR(half_width(100.0), 0.0, 1e-9);
  EXPECT_GT(half_width(20.0), 1.9 * half_width(60.0));
  EXPECT_LT(half_width(20.0), 0.01 * 60.0 * 16.0);
}

TEST(Windows, ASlowCounterIsReadBetweenItsTicksByTheShapeOfThePower) {
  // A plug that adds up once a minute, and shows its power once a second: 20 W, but 200 W from 90 s
  // to 150 s.
  const auto watts = [](double t) { return t >= 90.0 && t < 150.0 ? 200.0 : 20.0; };
  const auto joules = [](double t) { return 20.0 * t + 180.0 * std::clamp(t - 90.0, 0.0, 60.0); };
  Timeline timeline;
  SignalInfo counter = meter(SignalKind::energy, "node", Domain::node, "plug.energy");
  counter.traits.update_period = Seconds(60.0);
  SignalInfo power = meter(SignalKind::power, "node", Domain::node, "plug.power");
  power.rank = 1;
  const SignalId a = timeline.add(counter);
  const SignalId b = timeline.add(power);
  record(timeline, a, 0, 400, 1.0, [&](double t) { return joules(60.0 * std::floor(t / 60.0)); });
  record(timeline, b, 0, 400, 1.0, watts);
  const ChannelEnergy node = measure(timeline, window(100, 130)).channels.at(0);
  EXPECT_EQ(node.source, "plug.energy");
  EXPECT_NEAR(node.joules.value(), 6000.0, 500.0);
  EXPECT_LE(node.low.value(), 6000.0);
  EXPECT_GE(node.high.value(), 6000.0);
}

TEST(Windows, AnAveragedSensorIsShiftedBackByItsDelay) {
  // A mean over the last second, read ten times a second; the load is on from 10 s to 20 s.
  const auto joules = [](double t) { return 50.0 * t + 200.0 * std::clamp(t - 10.0, 0.0, 10.0); };
  Timeline timeline;
  SignalInfo info = meter(SignalKind::power, "gpu0", Domain::gpu);
  info.traits.averaging_window = Seconds(1.0);
  const SignalId id = timeline.add(info);
  record(timeline, id, 1, 30, 0.1, [&](double t) { return joules(t) - joules(t - 1.0); });
  for (const auto& [from, to] : {std::pair{8.0, 15.0}, {10.0, 20.0}, {12.0, 17.0}, {15.0, 20.5}}) {
    const ChannelEnergy gpu = measure(timeline, window(from, to)).channels.at(0);
    const double truth = joules(to) - joules(from);
    EXPECT_NEAR(gpu.joules.value(), truth, 0.03 * truth) << from << " " << to;
    EXPECT_LE(gpu.low.value(), truth) << from << " " << to;
    EXPECT_GE(gpu.high.value(), truth) << from << " " << to;
  }
}

TEST(Windows, AReadingExactlyAtAnEdgeCountsAsThePowerThere) {
  // A low pass of 1 s that was settled at 100 W when the load rose to 300 W at 10 s. Its readings
  // hold the energy of any window exactly, if the power at both edges is the one that was read
  // there.
  const double constant = 1.0;
  const auto watts = [&](double t) {
    return t < 10.0 ? 100.0 : 300.0 - 200.0 * std::exp(-(t - 10.0) / constant);
  };
  Timeline timeline;
  SignalInfo info = meter(SignalKind::power, "gpu0", Domain::gpu);
  info.traits.averaging_window = Seconds(2.0 * constant);
  info.traits.low_pass = true;
  record(timeline, timeline.add(info), 0, 20, 0.01, watts);
  const ChannelEnergy gpu = measure(timeline, window(10.5, 12.0)).channels.at(0);
  EXPECT_NEAR(gpu.joules.value(), 450.0, 0.05);
}

TEST(Windows, GainsOfOneKindAddUpAndThoseOfTwoKindsDoNot) {
  const auto total_half_width = [](const char* first, const char* second) {
    Timeline timeline;
    for (int i = 0; i < 2; ++i) {
      SignalInfo info = meter(SignalKind::energy, "gpu" + std::to_string(i), Domain::gpu);
      info.traits.gain_u95 = 0.05;
      info.traits.gain_kind = i == 0 ? first : second;
      record(timeline, timeline.add(info), 0, 110, 0.1, [](double t) { return 100.0 * t; });
    }
    const EnergyTotal total = measure(timeline, window(5, 105)).total;
    return 0.5 * (total.high - total.low).value();
  };
  EXPECT_NEAR(total_half_width("board", "board"), 1000.0, 1.0);
  EXPECT_NEAR(total_half_width("board", "rapl"), 1000.0 / std::sqrt(2.0), 1.0);
}

TEST(Windows, TheGainCanBeLeftOut) {
  Timeline timeline;
  SignalInfo info = board_counter();
  info.traits.gain_u95 = 0.05;
  record(timeline, timeline.add(info), 0, 110, 0.1, [](double t) { return 100.0 * t; });
  MeasureOptions options;
  const ChannelEnergy with = measure(timeline, window(5, 105), options).channels.at(0);
  options.without_gain = true;
  const ChannelEnergy without = measure(timeline, window(5, 105), options).channels.at(0);
  EXPECT_NEAR(part(with, "gain"), 500.0, 0.1);
  EXPECT_EQ(part(without, "gain"), 0.0);
  EXPECT_EQ(with.joules.value(), without.joules.value());
  EXPECT_GT(without.low, with.low);
}

}  // namespace
}  // namespace ergo
