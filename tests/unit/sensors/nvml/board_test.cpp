#include "sensors/nvml/board.hpp"

#include "unit/sensors/nvml/board_fixture.hpp"

#include <gmock/gmock.h>

namespace ergo::nvml {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using Board = OneBoard;

TEST_F(Board, ACurrentDriverGivesAllSignalsInOurUnits) {
  fake.add_current_fields();
  fake.device().reasons = abi::reason::sw_power_cap;
  Sensor& sensor = open();
  const auto values = read_values(sensor, clock);
  EXPECT_DOUBLE_EQ(values.at("nvml.total_energy@gpu0"), 0.0);
  EXPECT_DOUBLE_EQ(values.at("nvml.power_instant@gpu0"), 61.0);
  EXPECT_DOUBLE_EQ(values.at("nvml.power_average@gpu0"), 62.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.sm_utilization"), 40.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.memory_utilization"), 10.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.memory_used"), 1e6);
  EXPECT_DOUBLE_EQ(values.at("gpu0.sm_clock"), 1380.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.memory_clock"), 877.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.temperature"), 45.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.power_limit"), 250.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.throttle_reasons"), 4.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.throttled_power_ns"), 0.0);
  // Not a word about what this driver and board do not have.
  EXPECT_THAT(names_of(sensor), Not(IsSupersetOf({"nvml.power_usage@gpu0"})));
  EXPECT_THAT(names_of(sensor), Not(IsSupersetOf({"gpu0.sm_activity"})));
  EXPECT_THAT(names_of(sensor), Not(IsSupersetOf({"gpu0.process_share"})));
}

TEST_F(Board, SignalsSayWhatTheyAre) {
  fake.add_current_fields();
  Sensor& sensor = open();
  const SignalInfo* energy = find_signal(sensor, "nvml.total_energy@gpu0");
  EXPECT_EQ(energy->kind, SignalKind::energy);
  EXPECT_EQ(energy->unit, "J");
  EXPECT_EQ(energy->channel, "gpu0");
  EXPECT_EQ(energy->device, "gpu0");
  EXPECT_EQ(energy->source, "nvml.total_energy");
  EXPECT_EQ(energy->domain, Domain::gpu);
  EXPECT_EQ(energy->provenance, Provenance::measured);
  EXPECT_TRUE(energy->in_total);
  EXPECT_EQ(energy->rank, 0);
  EXPECT_FALSE(find_signal(sensor, "gpu0.temperature")->in_total);
  EXPECT_EQ(find_signal(sensor, "gpu0.throttle_reasons")->kind, SignalKind::flags);
  EXPECT_EQ(find_signal(sensor, "gpu0.throttled_power_ns")->kind, SignalKind::counter);
}

TEST_F(Board, PowerThatSeesAllOfTheTimeRanksBeforePowerThatLooksAQuarter) {
  fake.device().architecture = abi::architecture::hopper;
  fake.device().capability_major = 9;
  fake.add_current_fields();
  Sensor& hopper = open();
  EXPECT_LT(find_signal(hopper, "nvml.power_average@gpu0")->rank,
            find_signal(hopper, "nvml.power_instant@gpu0")->rank);
  EXPECT_EQ(find_signal(hopper, "nvml.total_energy@gpu0")->rank, 0);
}

TEST_F(Board, OnAdaTheShorterWindowRanksFirst) {
  fake.device().architecture = abi::architecture::ada;
  fake.device().capability_major = 8;
  fake.device().capability_minor = 9;
  fake.add_current_fields();
  Sensor& ada = open();
  EXPECT_GT(find_signal(ada, "nvml.power_average@gpu0")->rank,
            find_signal(ada, "nvml.power_instant@gpu0")->rank);
}

TEST_F(Board, AnOldDriverIsReadThroughItsOwnFunctions) {
  // Driver 470: no field 185 or 186, and the counter through its function only.
  std::strcpy(fake->driver_version, "470.57.02");
  fake.device().total_energy_mj = 1000;
  Sensor& sensor = open();
  EXPECT_EQ(find_signal(sensor, "nvml.power_instant@gpu0"), nullptr);
  EXPECT_EQ(find_signal(sensor, "nvml.power_usage@gpu0")->traits.basis, "table: Volta, driver 470");
  EXPECT_EQ(find_signal(sensor, "nvml.power_usage@gpu0")->rank, 1);
  EXPECT_DOUBLE_EQ(value("nvml.power_usage@gpu0"), 60.0);
  fake.device().total_energy_mj = 3500;
  EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), 2.5);
}

TEST_F(Board, ADriverThatRefusesTheWholeCallForOneUnknownFieldIsAskedOneByOne) {
  fake.add_current_fields();
  fake.device().refuses_unknown_fields = true;
  open();
  EXPECT_DOUBLE_EQ(value("nvml.power_instant@gpu0"), 61.0);
  EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), 0.0);
}

TEST_F(Board, ABoardWithoutCounterIsMeteredByPower) {
  fake.device().total_energy_status = abi::not_supported;
  Sensor& sensor = open();
  EXPECT_EQ(find_signal(sensor, "nvml.total_energy@gpu0"), nullptr);
  EXPECT_DOUBLE_EQ(value("nvml.power_usage@gpu0"), 60.0);
}

TEST_F(Board, AFieldThatAnswersZeroWattsIsNotThere) {
  fake.add_field(abi::field::power_instant, abi::value_unsigned_int).value.ui = 0;
  EXPECT_EQ(find_signal(open(), "nvml.power_instant@gpu0"), nullptr);
  EXPECT_DOUBLE_EQ(value("nvml.power_usage@gpu0"), 60.0);
}

TEST_F(Board, EachValueTypeIsReadAsWhatItIs) {
  auto& field = fake.add_field(abi::field::power_instant, abi::value_double);
  field.value.d = 1500.0;
  open();
  EXPECT_DOUBLE_EQ(value("nvml.power_instant@gpu0"), 1.5);
  const auto as = [&](int type, auto set) {
    std::memset(&field.value, 0xff, sizeof field.value);  // what a narrow type leaves behind
    field.type = type;
    set(field.value);
    return value("nvml.power_instant@gpu0");
  };
  EXPECT_DOUBLE_EQ(as(abi::value_unsigned_int, [](abi::Value& v) { v.ui = 70'000; }), 70.0);
  EXPECT_DOUBLE_EQ(as(abi::value_unsigned_long, [](abi::Value& v) { v.ul = 71'000; }), 71.0);
  EXPECT_DOUBLE_EQ(as(abi::value_unsigned_long_long, [](abi::Value& v) { v.ull = 72'000; }), 72.0);
  EXPECT_DOUBLE_EQ(as(abi::value_signed_long_long, [](abi::Value& v) { v.sll = 73'000; }), 73.0);
  EXPECT_DOUBLE_EQ(as(abi::value_signed_int, [](abi::Value& v) { v.si = 74'000; }), 74.0);
  EXPECT_DOUBLE_EQ(as(abi::value_unsigned_short, [](abi::Value& v) { v.us = 60'000; }), 60.0);
}

TEST_F(Board, AValueOfAnUnknownTypeOrBelowZeroIsLeftOut) {
  fake.add_current_fields();
  auto& power = fake.device().fields[1];
  open();
  power.type = 42;
  EXPECT_EQ(read_values(*found.sensors[0], clock).count("nvml.power_instant@gpu0"), 0U);
  power.type = abi::value_signed_int;
  power.value.si = -5;
  const auto values = read_values(*found.sensors[0], clock);
  EXPECT_EQ(values.count("nvml.power_instant@gpu0"), 0U);
  EXPECT_EQ(values.count("nvml.power_average@gpu0"), 1U);
}

TEST_F(Board, TheCounterStartsAtZeroAndFollowsTheDriver) {
  fake.add_current_fields();
  open();
  auto& counter = fake.device().fields[0].value.ull;
  EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), 0.0);
  counter += 12'345;
  EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), 12.345);
}

TEST_F(Board, ACounterThatBeginsAnewNeverFallsAndIsNoticed) {
  fake.add_current_fields();
  Sensor& sensor = open();
  auto& counter = fake.device().fields[0].value.ull;
  value("nvml.total_energy@gpu0");
  counter += 2'000;
  EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), 2.0);
  EXPECT_THAT(sensor.take_notices(), IsEmpty());
  counter = 100;
  EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), 2.0);
  EXPECT_THAT(sensor.take_notices(), ::testing::ElementsAre(HasSubstr("began anew")));
  counter = 1'100;
  EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), 3.0);
  EXPECT_THAT(sensor.take_notices(), IsEmpty());
}

TEST_F(Board, A32BitCounterWrapsWithoutLosingEnergySeveralTimes) {
  auto& field = fake.add_field(abi::field::total_energy, abi::value_unsigned_int);
  field.value.ui = 4'294'000'000U;
  Sensor& sensor = open();
  value("nvml.total_energy@gpu0");
  double truth_mj = 0;
  for (int step = 0; step < 40; ++step) {
    field.value.ui += 400'000'000U;
    truth_mj += 400'000'000.0;
    EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), truth_mj * 1e-3);
  }
  EXPECT_THAT(sensor.take_notices(), IsEmpty());
}

TEST_F(Board, ARestartOfA32BitCounterIsNotTakenForAWrap) {
  auto& field = fake.add_field(abi::field::total_energy, abi::value_unsigned_int);
  field.value.ui = 5'000'000;
  Sensor& sensor = open();
  value("nvml.total_energy@gpu0");
  field.value.ui = 0;
  EXPECT_DOUBLE_EQ(value("nvml.total_energy@gpu0"), 0.0);
  EXPECT_EQ(sensor.take_notices().size(), 1U);
}

TEST_F(Board, AGpuThatFallsOffTheBusIsLostForGood) {
  fake.add_current_fields();
  Sensor& sensor = open();
  value("nvml.total_energy@gpu0");
  fake.device().status = abi::gpu_is_lost;
  Batch batch;
  const auto result = sensor.read(clock, batch);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::lost);
  EXPECT_THAT(result.error().message, HasSubstr("gpu0 fell off the bus"));
  EXPECT_TRUE(batch.entries().empty());
  // It is asked no more, even if it seems to come back.
  fake.device().status = abi::success;
  const int calls = fake.device().calls_beyond_identity();
  EXPECT_EQ(sensor.read(clock, batch).error().code, Errc::lost);
  EXPECT_EQ(fake.device().calls_beyond_identity(), calls);
}

TEST_F(Board, ALossThatOnlyOneFieldTellsIsALoss) {
  fake.add_current_fields();
  Sensor& sensor = open();
  fake.device().fields[1].status = abi::gpu_is_lost;
  Batch batch;
  EXPECT_EQ(sensor.read(clock, batch).error().code, Errc::lost);
}

TEST_F(Board, ALossSeenByAMetricOrByGpmIsALossToo) {
  for (const bool by_gpm : {false, true}) {
    FakeLibrary one;
    one.add_current_fields();
    one.device().gpm = true;
    Discovery discovered = one.discover();
    (by_gpm ? one.device().gpm_status : one.device().metrics_status) = abi::gpu_is_lost;
    Batch batch;
    EXPECT_EQ(discovered.sensors.at(0)->read(clock, batch).error().code, Errc::lost) << by_gpm;
  }
}

TEST_F(Board, ATickThatFailsIsUnavailableAndTheNextMayWork) {
  fake.add_current_fields();
  Sensor& sensor = open();
  fake.device().status = abi::timeout;
  Batch batch;
  const auto result = sensor.read(clock, batch);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::unavailable);
  fake.device().status = abi::success;
  EXPECT_EQ(read_values(sensor, clock).count("nvml.total_energy@gpu0"), 1U);
}

TEST_F(Board, AMetricThatFailsIsLeftOutAndEnergyGoesOn) {
  fake.add_current_fields();
  Sensor& sensor = open();
  fake.device().metrics_status = abi::unknown;
  const auto values = read_values(sensor, clock);
  EXPECT_EQ(values.count("gpu0.sm_utilization"), 0U);
  EXPECT_EQ(values.count("gpu0.temperature"), 1U);
  EXPECT_EQ(values.count("nvml.total_energy@gpu0"), 1U);
}

TEST_F(Board, WhatIsRefusedForLackOfRightsIsMissingWithItsRemedy) {
  fake.add_current_fields();
  fake.device().metrics_status = abi::no_permission;
  open();
  ASSERT_FALSE(found.missing.empty());
  EXPECT_EQ(found.missing[0].what, "gpu0 sm_utilization");
  EXPECT_THAT(found.missing[0].fix, HasSubstr("usermod"));
}

TEST_F(Board, ABoardWithNeitherEnergyNorPowerIsReported) {
  FakeLibrary bare({"nvmlDeviceGetFieldValues", "nvmlDeviceGetTotalEnergyConsumption",
                    "nvmlDeviceGetPowerUsage"});
  const Discovery discovered = bare.discover();
  ASSERT_EQ(discovered.missing.size(), 1U);
  EXPECT_EQ(discovered.missing[0].what, "gpu0 energy");
  EXPECT_EQ(discovered.gpus.size(), 1U);
}

TEST_F(Board, MigModeGivesBoardEnergyOnlyAndSaysSo) {
  fake.add_current_fields();
  fake.device().gpm = true;
  fake.device().mig_mode = abi::enabled;
  Sensor& sensor = open();
  EXPECT_THAT(found.warnings, ::testing::ElementsAre(HasSubstr("whole board")));
  EXPECT_NE(find_signal(sensor, "nvml.total_energy@gpu0"), nullptr);
  EXPECT_EQ(find_signal(sensor, "gpu0.sm_utilization"), nullptr);
  EXPECT_EQ(find_signal(sensor, "gpu0.sm_activity"), nullptr);
  EXPECT_EQ(fake.device().utilization_calls, 0);
}

TEST_F(Board, GpmYieldsActivityFromTheSecondSnapshotOn) {
  fake.add_current_fields();
  fake.device().gpm = true;
  Sensor& sensor = open();
  EXPECT_EQ(read_values(sensor, clock).count("gpu0.sm_activity"), 0U);
  clock.advance(Seconds(0.1));
  EXPECT_EQ(read_values(sensor, clock).count("gpu0.sm_activity"), 0U)
      << "too early: the driver is slower";
  clock.advance(Seconds(0.1));
  const auto values = read_values(sensor, clock);
  EXPECT_DOUBLE_EQ(values.at("gpu0.sm_activity"), 55.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.sm_occupancy"), 55.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.dram_activity"), 55.0);
  EXPECT_EQ(values.count("gpu0.tensor_activity"), 0U) << "what the device does not count is absent";
  found.sensors.clear();
  EXPECT_EQ(fake->samples_allocated, 0);
}

TEST_F(Board, EnergyEqualsTheIntegralOfPower) {
  fake.add_current_fields();
  open();
  auto& counter = fake.device().fields[0].value.ull;
  auto& power = fake.device().fields[1].value.ui;
  value("nvml.total_energy@gpu0");
  double integral = 0;
  double counted = 0;
  for (int tick = 0; tick < 50; ++tick) {
    power = 50'000U + 1'000U * static_cast<unsigned>(tick);
    counter += power / 10;  // 100 ms at that power
    clock.advance(Seconds(0.1));
    const auto values = read_values(*found.sensors[0], clock);
    integral += values.at("nvml.power_instant@gpu0") * 0.1;
    counted = values.at("nvml.total_energy@gpu0");
  }
  EXPECT_NEAR(counted, integral, 1e-9);
}

}  // namespace
}  // namespace ergo::nvml
