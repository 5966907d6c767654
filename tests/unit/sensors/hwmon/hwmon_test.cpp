#include "sensors/hwmon/hwmon.hpp"

#include "contract/fake_root.hpp"
#include "sensors/hwmon/amdgpu.hpp"
#include "sensors/hwmon/gpu_metrics.hpp"
#include "unit/sensors/hwmon/gpu_bytes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo {
namespace {

using testing::FakeRoot;
using testing::find_signal;
using testing::gpu_metrics;
using testing::has_sample;
using ::testing::HasSubstr;
using testing::read_batch;
using testing::value_of;

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t joule = 65536;  // steps of the accumulator

Discovery look(const DiscoveryContext& context) {
  Discovery found;
  hwmon::discover(context, found);
  return found;
}
Discovery look(const FakeRoot& root) {
  return look(root.context());
}

std::span<const unsigned char> bytes_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

/// Card 0, an AMD GPU at 100 W with an accumulator.
void add_amd(const FakeRoot& root, int card = 0) {
  const std::string hwmon = root.add_card(card, "0x1002", "amdgpu");
  root.write(hwmon + "/power1_average", "100000000\n");
  root.write(hwmon + "/power1_cap", "300000000\n");
  root.write(hwmon + "/temp1_input", "48000\n");
  root.write(FakeRoot::card_folder(card) + "/gpu_metrics",
             gpu_metrics(3, 10 * joule, 5 * second_ns, 100));
  root.write(FakeRoot::card_folder(card) + "/unique_id",
             "51d7a1e0c0ffee0" + std::to_string(card) + "\n");
}

TEST(GpuMetrics, BothLayoutsAreRead) {
  for (const int content : {1, 3, 4, 8}) {
    const auto metrics = hwmon::parse_gpu_metrics(bytes_of(gpu_metrics(content, 123, 456, 78)));
    ASSERT_TRUE(metrics.ok()) << content;
    EXPECT_EQ(metrics->energy_accumulator, 123U);
    EXPECT_EQ(metrics->system_clock_ns, 456U);
    EXPECT_EQ(metrics->socket_power_w, 78.0);
  }
}

TEST(GpuMetrics, AllOnesMeansAbsent) {
  const auto metrics = hwmon::parse_gpu_metrics(
      bytes_of(gpu_metrics(3, ~std::uint64_t{0}, ~std::uint64_t{0}, 0xffff)));
  ASSERT_TRUE(metrics.ok());
  EXPECT_FALSE(metrics->energy_accumulator);
  EXPECT_FALSE(metrics->system_clock_ns);
  EXPECT_FALSE(metrics->socket_power_w);
}

TEST(GpuMetrics, DamagedTablesAreRefused) {
  const std::string whole = gpu_metrics(3, 1, 1, 1);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(hwmon::parse_gpu_metrics(bytes_of(whole.substr(0, size))).ok()) << size;
  }
  std::string apu = whole;
  apu[2] = 2;
  EXPECT_EQ(hwmon::parse_gpu_metrics(bytes_of(apu)).error().code, Errc::not_supported);
  std::string lying = whole;
  lying[0] = 12;
  EXPECT_EQ(hwmon::parse_gpu_metrics(bytes_of(lying)).error().code, Errc::corrupt);
}

TEST(AmdGpu, EnergyIsTheDifferenceOfTheAccumulatorAtTheTablesOwnTime) {
  const FakeRoot root;
  add_amd(root);
  Discovery found = look(root);
  ASSERT_EQ(found.sensors.size(), 1U);
  Sensor& sensor = *found.sensors[0];
  ManualClock clock(Instant{1'000'000'000'000});
  const Batch first = read_batch(sensor, clock);
  // The second table was taken 40 ms before it was read.
  clock.advance(Seconds(1.04));
  root.write(FakeRoot::card_folder(0) + "/gpu_metrics",
             gpu_metrics(3, 110 * joule, 6 * second_ns, 100));
  const Batch second = read_batch(sensor, clock);
  EXPECT_NEAR(value_of(sensor, second, "amdgpu.energy@gpu0") -
                  value_of(sensor, first, "amdgpu.energy@gpu0"),
              100.0, 1e-9);
  EXPECT_NEAR((second.entries()[0].sample.time - first.entries()[0].sample.time).value(), 1.0,
              1e-9);
}

TEST(AmdGpu, ATableThatWasSeenAlreadyIsNoNewSample) {
  const FakeRoot root;
  add_amd(root);
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ManualClock clock(Instant{1'000'000'000'000});
  EXPECT_TRUE(has_sample(sensor, read_batch(sensor, clock), "amdgpu.energy@gpu0"));
  clock.advance(Seconds(0.1));
  const Batch again = read_batch(sensor, clock);
  EXPECT_FALSE(has_sample(sensor, again, "amdgpu.energy@gpu0"));
  EXPECT_TRUE(has_sample(sensor, again, "amdgpu.power_average@gpu0"));
}

TEST(AmdGpu, PowerLimitAndTemperatureAreMetrics) {
  const FakeRoot root;
  add_amd(root);
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ManualClock clock(Instant{1'000'000'000'000});
  const Batch batch = read_batch(sensor, clock);
  EXPECT_DOUBLE_EQ(value_of(sensor, batch, "amdgpu.power_average@gpu0"), 100.0);
  EXPECT_DOUBLE_EQ(value_of(sensor, batch, "gpu0.power_limit"), 300.0);
  EXPECT_DOUBLE_EQ(value_of(sensor, batch, "gpu0.temperature"), 48.0);
  EXPECT_TRUE(find_signal(found, "gpu0.power_limit")->channel.empty());
  ASSERT_EQ(found.gpus.size(), 1U);
  EXPECT_EQ(found.gpus[0].uuid, "GPU-51d7a1e0c0ffee00");
  EXPECT_DOUBLE_EQ(found.gpus[0].power_limit_w, 300.0);
}

TEST(AmdGpu, AnAccumulatorThatContradictsThePowerIsNotBelieved) {
  const auto table = [](double joules, double seconds) {
    hwmon::GpuMetrics metrics;
    metrics.energy_accumulator = static_cast<std::uint64_t>(joules * static_cast<double>(joule));
    metrics.system_clock_ns = static_cast<std::uint64_t>(seconds * 1e9);
    metrics.socket_power_w = 100.0;
    return metrics;
  };
  EXPECT_TRUE(hwmon::compare_tables(table(10, 1), table(13, 1.03)).ok());
  const auto frozen = hwmon::compare_tables(table(10, 1), table(10, 1.03));
  ASSERT_FALSE(frozen.ok());
  EXPECT_THAT(frozen.error().message, HasSubstr("0.0 W where the power reading is 100.0 W"));
  EXPECT_FALSE(
      hwmon::compare_tables(table(10, 1), table(10 + 3 * 65.5, 1.03)).ok());  // millijoules
  EXPECT_TRUE(hwmon::compare_tables(table(10, 1), table(10, 1)).ok())
      << "the same table proves nothing";
}

TEST(AmdGpu, ADamagedTableLeavesThePowerReading) {
  const FakeRoot root;
  add_amd(root);
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ManualClock clock(Instant{1'000'000'000'000});
  (void)read_batch(sensor, clock);
  root.write(FakeRoot::card_folder(0) + "/gpu_metrics", "garbage");
  const Batch batch = read_batch(sensor, clock);
  EXPECT_FALSE(has_sample(sensor, batch, "amdgpu.energy@gpu0"));
  EXPECT_TRUE(has_sample(sensor, batch, "amdgpu.power_average@gpu0"));
  EXPECT_EQ(sensor.take_notices().size(), 1U);
}

TEST(AmdGpu, TheSecondDieOfACardThatReadsZeroIsAbsent) {
  const FakeRoot root;
  const std::string hwmon = root.add_card(0, "0x1002", "amdgpu");
  root.write(hwmon + "/power1_average", "0\n");
  const Discovery found = look(root);
  EXPECT_TRUE(found.sensors.empty());
  EXPECT_TRUE(found.gpus.empty());
  ASSERT_EQ(found.missing.size(), 1U);
}

TEST(AmdGpu, ASleepingCardIsNotWoken) {
  const FakeRoot root;
  add_amd(root);
  root.write(FakeRoot::card_folder(0) + "/power/runtime_status", "suspended\n");
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ManualClock clock(Instant{1'000'000'000'000});
  EXPECT_TRUE(read_batch(sensor, clock).entries().empty());
  root.write(FakeRoot::card_folder(0) + "/power/runtime_status", "active\n");
  EXPECT_FALSE(read_batch(sensor, clock).entries().empty());
}

TEST(AmdGpu, AVanishedCardIsLost) {
  const FakeRoot root;
  add_amd(root);
  Discovery found = look(root);
  ManualClock clock(Instant{1'000'000'000'000});
  (void)read_batch(*found.sensors.at(0), clock);
  root.remove(FakeRoot::card_folder(0));
  Batch batch;
  const auto read = found.sensors[0]->read(clock, batch);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Errc::lost);
  EXPECT_TRUE(batch.entries().empty());
}

TEST(Gpus, NumbersGoOnAfterNvidias) {
  const FakeRoot root;
  add_amd(root, 1);
  Discovery found;
  found.gpus.push_back({2, "GPU-nvidia", "Tesla V100", 300.0, false});
  hwmon::discover(root.context(), found);
  ASSERT_EQ(found.gpus.size(), 2U);
  EXPECT_EQ(found.gpus[1].index, 3);
  EXPECT_NE(find_signal(found, "amdgpu.energy@gpu3"), nullptr);
}

TEST(Gpus, NvidiaCardsThatAreNotSelectedKeepTheirNumbers) {
  const FakeRoot root;
  root.write(FakeRoot::card_folder(0) + "/vendor", "0x10de\n");
  add_amd(root, 1);
  EXPECT_NE(find_signal(look(root), "amdgpu.energy@gpu1"), nullptr);
}

TEST(Gpus, OnlySelectedOnesAreTouched) {
  const FakeRoot root;
  add_amd(root, 0);
  add_amd(root, 1);
  DiscoveryContext context = root.context();
  context.gpus = *GpuSelection::parse("1");
  const Discovery by_number = look(context);
  EXPECT_EQ(find_signal(by_number, "amdgpu.energy@gpu0"), nullptr);
  EXPECT_NE(find_signal(by_number, "amdgpu.energy@gpu1"), nullptr);
  context.gpus = *GpuSelection::parse("GPU-51d7a1e0c0ffee00");
  EXPECT_NE(find_signal(look(context), "amdgpu.energy@gpu0"), nullptr);
  context.gpus = *GpuSelection::parse("none");
  EXPECT_TRUE(look(context).sensors.empty());
}

TEST(IntelGpu, EnergyIsCountedInJoules) {
  const FakeRoot root;
  const std::string hwmon = root.add_card(0, "0x8086", "xe");
  root.write(hwmon + "/energy1_input", "1000000\n");
  root.write(hwmon + "/energy2_input", "700000\n");
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ASSERT_EQ(sensor.signals().size(), 1U);
  ManualClock clock;
  (void)read_batch(sensor, clock);
  root.write(hwmon + "/energy1_input", "3500000\n");
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), "xe.energy@gpu0"), 2.5, 1e-9);
}

TEST(IntelGpu, ACounterThatFallsKeepsWhatWasCountedAndSaysSo) {
  const FakeRoot root;
  const std::string hwmon = root.add_card(0, "0x8086", "i915");
  root.write(hwmon + "/energy1_input", "1000000\n");
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ManualClock clock;
  (void)read_batch(sensor, clock);
  root.write(hwmon + "/energy1_input", "4000000\n");
  (void)read_batch(sensor, clock);
  root.write(hwmon + "/energy1_input", "500000\n");
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), "i915.energy@gpu0"), 3.0, 1e-9);
  EXPECT_EQ(sensor.take_notices().size(), 1U);
}

TEST(AcpiPowerMeter, IsTheNodeWithItsOwnIntervalAndAccuracy) {
  const FakeRoot root;
  const std::string chip = root.add_chip(0, "power_meter");
  root.write(chip + "/power1_average", "250000000\n");
  root.write(chip + "/power1_average_interval", "2000\n");
  root.write(chip + "/power1_accuracy", "90.0%\n");
  Discovery found = look(root);
  const SignalInfo* info = find_signal(found, "acpi.power_meter@node");
  ASSERT_NE(info, nullptr);
  EXPECT_FALSE(info->in_total);
  EXPECT_EQ(info->traits.averaging_window, Seconds(2.0));
  EXPECT_NEAR(info->traits.gain_u95, 0.1, 1e-12);
  ManualClock clock;
  EXPECT_DOUBLE_EQ(value_of(*found.sensors[0], read_batch(*found.sensors[0], clock), info->name),
                   250.0);
}

TEST(AcpiPowerMeter, OnGraceItMetersTheCpu) {
  const FakeRoot root;
  for (int i = 0; i < 2; ++i) {
    const std::string chip = root.add_chip(i, "power_meter");
    root.write(chip + "/power1_average", "90000000\n");
    root.write(chip + "/device/power1_oem_info",
               std::string(i == 0 ? "Module" : "Grace") + " Power Socket 0\n");
  }
  const Discovery found = look(root);
  ASSERT_NE(find_signal(found, "acpi.power_meter@cpu0"), nullptr);
  EXPECT_TRUE(find_signal(found, "acpi.power_meter@cpu0")->in_total);
  EXPECT_FALSE(find_signal(found, "acpi.power_meter@module0")->in_total);
}

TEST(Ina, PowerIsCurrentTimesVoltage) {
  const FakeRoot root;
  const std::string chip = root.add_chip(0, "ina3221");
  root.write(chip + "/in1_label", "VDD_IN\n");
  root.write(chip + "/in1_input", "5000\n");
  root.write(chip + "/curr1_input", "2400\n");
  root.write(chip + "/in2_label", "VDD_CPU_GPU_CV\n");
  root.write(chip + "/in2_input", "5000\n");
  root.write(chip + "/curr2_input", "400\n");
  Discovery found = look(root);
  ManualClock clock;
  const Batch batch = read_batch(*found.sensors.at(0), clock);
  EXPECT_NEAR(value_of(*found.sensors[0], batch, "hwmon.power@node"), 12.0, 1e-9);
  EXPECT_NEAR(value_of(*found.sensors[0], batch, "hwmon.power@ina3221.vdd_cpu_gpu_cv"), 2.0, 1e-9);
}

TEST(GenericChips, EnergyIsPreferredToPowerAndTwoOfOneNameStayApart) {
  const FakeRoot root;
  for (int i = 0; i < 2; ++i) {
    const std::string chip = root.add_chip(i, "ina226");
    root.write(chip + "/power1_input", "3000000\n");
  }
  const std::string other = root.add_chip(2, "occ");
  root.write(other + "/power1_input", "3000000\n");
  root.write(other + "/energy1_input", "1000000\n");
  const Discovery found = look(root);
  EXPECT_NE(find_signal(found, "hwmon.power@ina226.1"), nullptr);
  EXPECT_NE(find_signal(found, "hwmon.power@ina226_2.1"), nullptr);
  EXPECT_NE(find_signal(found, "hwmon.energy@occ.1"), nullptr);
  EXPECT_EQ(find_signal(found, "hwmon.power@occ.1"), nullptr);
}

TEST(GenericChips, AmdEnergyFillsOnlyPackagesThatNobodyMeters) {
  const FakeRoot root;
  const std::string chip = root.add_chip(0, "amd_energy");
  root.write(chip + "/energy1_label", "Ecore000\n");
  root.write(chip + "/energy1_input", "1\n");
  root.write(chip + "/energy2_label", "Esocket0\n");
  root.write(chip + "/energy2_input", "5000000\n");
  const Discovery found = look(root);
  ASSERT_EQ(found.sensors.size(), 1U);
  EXPECT_EQ(found.sensors[0]->signals().size(), 1U);
  EXPECT_TRUE(find_signal(found, "hwmon.amd_energy@cpu0")->in_total);
}

void add_battery(const FakeRoot& root, const std::string& status) {
  root.write("sys/class/power_supply/BAT0/type", "Battery\n");
  root.write("sys/class/power_supply/BAT0/status", status + "\n");
  root.write("sys/class/power_supply/BAT0/power_now", "12500000\n");
}

TEST(Battery, IsAChannelWhileItDischarges) {
  const FakeRoot root;
  add_battery(root, "Discharging");
  Discovery found = look(root);
  ASSERT_EQ(found.sensors.size(), 1U);
  Sensor& sensor = *found.sensors[0];
  ManualClock clock;
  EXPECT_DOUBLE_EQ(value_of(sensor, read_batch(sensor, clock), "battery.power@battery"), 12.5);
  EXPECT_FALSE(sensor.signals()[0].in_total);
  root.write("sys/class/power_supply/BAT0/status", "Charging\n");
  EXPECT_TRUE(read_batch(sensor, clock).entries().empty());
  EXPECT_EQ(sensor.take_notices().size(), 1U);
}

TEST(Battery, OnMainsItIsAbsentWithTheReason) {
  for (const char* status : {"Charging", "Full", "Not charging"}) {
    const FakeRoot root;
    add_battery(root, status);
    const Discovery found = look(root);
    EXPECT_TRUE(found.sensors.empty());
    ASSERT_EQ(found.missing.size(), 1U);
    EXPECT_THAT(found.missing[0].why, HasSubstr(status));
  }
}

TEST(Battery, CurrentTimesVoltageServesWherePowerIsNotGivenAndSeveralAdd) {
  const FakeRoot root;
  add_battery(root, "Discharging");
  root.write("sys/class/power_supply/BAT1/type", "Battery\n");
  root.write("sys/class/power_supply/BAT1/status", "Discharging\n");
  root.write("sys/class/power_supply/BAT1/current_now", "-1000000\n");
  root.write("sys/class/power_supply/BAT1/voltage_now", "11000000\n");
  root.write("sys/class/power_supply/hid/type", "Battery\n");
  root.write("sys/class/power_supply/hid/scope", "Device\n");
  root.write("sys/class/power_supply/hid/status", "Discharging\n");
  root.write("sys/class/power_supply/hid/power_now", "9000000\n");
  Discovery found = look(root);
  ManualClock clock;
  EXPECT_NEAR(value_of(*found.sensors.at(0), read_batch(*found.sensors.at(0), clock),
                       "battery.power@battery"),
              23.5, 1e-9);
}

}  // namespace
}  // namespace ergo
