#include "sensors/estimate/estimate.hpp"

#include "contract/fake_root.hpp"
#include "sensors/cpuinfo.hpp"
#include "sensors/estimate/tdp.hpp"
#include "sensors/rapl/rapl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo {
namespace {

using testing::FakeRoot;
using testing::find_signal;
using ::testing::HasSubstr;
using testing::read_batch;
using testing::value_of;

constexpr const char* gold = "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz";  // 125 W, 40 threads
constexpr const char* signal_name = "estimate.tdp@cpu0";

Discovery look(const FakeRoot& root) {
  Discovery found;
  rapl::discover(root.context(), found);
  estimate::discover(root.context(), found);
  return found;
}

FakeRoot machine(const std::string& model, int threads, const std::string& flags,
                 int packages = 1) {
  FakeRoot root;
  root.add_cpuinfo("GenuineIntel", model, threads, flags, packages);
  root.set_stat(1000, 9000);
  return root;
}

TEST(Tdp, NamesAreFoundAsWholeWords) {
  EXPECT_DOUBLE_EQ(estimate::find_tdp(gold)->watts, 125.0);
  EXPECT_EQ(estimate::find_tdp("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz")->threads, 28);
  EXPECT_DOUBLE_EQ(estimate::find_tdp("AMD EPYC 7742 64-Core Processor")->watts, 225.0);
  EXPECT_DOUBLE_EQ(estimate::find_tdp("12th Gen Intel(R) Core(TM) i9-12900K")->watts, 125.0);
  EXPECT_DOUBLE_EQ(estimate::find_tdp("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz")->watts, 65.0);
  EXPECT_DOUBLE_EQ(estimate::find_tdp("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz")->watts, 95.0);
  EXPECT_DOUBLE_EQ(estimate::find_tdp("Intel(R) Xeon(R) Platinum 8480+")->watts, 350.0);
}

TEST(Tdp, NamesThatHideTheModelAreNotGuessed) {
  for (const char* name :
       {"AMD EPYC", "Intel Xeon Processor (Skylake, IBRS)", "", "EPYC 77420", "(R)(TM)", "   "}) {
    EXPECT_FALSE(estimate::find_tdp(name)) << name;
  }
}

TEST(Tdp, AVirtualMachineIsChargedForTheThreadsItShows) {
  CpuInfo cpu;
  cpu.model = gold;
  cpu.threads = 4;
  cpu.packages = 1;
  cpu.hypervisor = true;
  EXPECT_NEAR(estimate::busy_power(cpu).watts, 12.5, 1e-9);
  cpu.hypervisor = false;
  cpu.packages = 2;
  EXPECT_NEAR(estimate::busy_power(cpu).watts, 250.0, 1e-9);
  cpu.model = "AMD EPYC";
  EXPECT_NEAR(estimate::busy_power(cpu).watts, 4 * estimate::watts_per_thread, 1e-9);
  EXPECT_TRUE(estimate::busy_power(cpu).row.empty());
}

TEST(CpuInfo, TheFirstProcessorSpeaksForAll) {
  const CpuInfo info = parse_cpuinfo(
      "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: "
      "A\nphysical id\t: 0\n"
      "flags\t\t: fpu hypervisor sgx\n\nprocessor\t: 1\nmodel name\t: B\nphysical id\t: "
      "1\nflags\t\t: fpu\n");
  EXPECT_EQ(info.vendor, CpuVendor::intel);
  EXPECT_EQ(info.model, "A");
  EXPECT_EQ(info.model_number, 85);
  EXPECT_EQ(info.threads, 2);
  EXPECT_EQ(info.packages, 2);
  EXPECT_TRUE(info.hypervisor);
  EXPECT_TRUE(info.sgx);
}

TEST(Estimate, EnergyIsPowerAtTheLoadTimesTime) {
  const FakeRoot root = machine(gold, 40, "");
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ManualClock clock(Instant{1'000'000'000});
  EXPECT_EQ(value_of(sensor, read_batch(sensor, clock), signal_name), 0.0);
  clock.advance(Seconds(10));
  root.set_stat(1000 + 500, 9000 + 500);  // half busy
  const double expected = 125.0 * (estimate::idle_share + (1 - estimate::idle_share) * 0.5) * 10;
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), signal_name), expected, 1e-6);
  clock.advance(Seconds(10));
  root.set_stat(1000 + 500 + 1000, 9000 + 500);  // all busy
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), signal_name), expected + 1250.0, 1e-6);
}

TEST(Estimate, UntilTheKernelCountsATickTheLastLoadGoesOnAndTheNextTickCorrectsIt) {
  const FakeRoot root = machine(gold, 40, "");
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ManualClock clock(Instant{1'000'000'000});
  (void)read_batch(sensor, clock);
  clock.advance(Seconds(1));
  const double half_busy = 125.0 * (estimate::idle_share + (1 - estimate::idle_share) * 0.5);
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), signal_name), half_busy, 1e-6);
  clock.advance(Seconds(1));
  root.set_stat(2000, 9000);
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), signal_name), 250.0, 1e-6);
}

TEST(Estimate, IsLabelledAndHasAWideAsymmetricInterval) {
  const Discovery found = look(machine("AMD EPYC", 2, "hypervisor"));
  const SignalInfo* info = find_signal(found, signal_name);
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->provenance, Provenance::estimated);
  EXPECT_DOUBLE_EQ(info->traits.gain_low, -0.5);
  EXPECT_DOUBLE_EQ(info->traits.gain_high, 1.0);
  ASSERT_EQ(found.warnings.size(), 1U);
  EXPECT_THAT(found.warnings[0], HasSubstr("estimated, not measured"));
  EXPECT_THAT(found.warnings[0], HasSubstr(found.missing.at(0).why));
}

TEST(Estimate, IsNeverUsedBesideAMeasurement) {
  const FakeRoot root = machine(gold, 40, "");
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  const Discovery found = look(root);
  EXPECT_EQ(find_signal(found, signal_name), nullptr);
  EXPECT_TRUE(found.warnings.empty());
}

TEST(Estimate, WithoutProcItIsMissingWithTheReason) {
  const FakeRoot root;
  const Discovery found = look(root);
  EXPECT_TRUE(found.sensors.empty());
  ASSERT_EQ(found.missing.size(), 2U);
  EXPECT_EQ(found.missing[1].backend, "estimate");
}

TEST(Estimate, ADamagedStatFileFailsTheTickOnly) {
  const FakeRoot root = machine(gold, 40, "");
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  ManualClock clock(Instant{1'000'000'000});
  (void)read_batch(sensor, clock);
  for (const char* garbage : {"intr 1 2\n", "cpu\n", "cpu  1 2 x\n", "cpuX 1 2 3 4\n"}) {
    clock.advance(Seconds(1));
    root.write("proc/stat", garbage);
    Batch batch;
    EXPECT_FALSE(sensor.read(clock, batch).ok()) << garbage;
    EXPECT_TRUE(batch.entries().empty());
  }
  root.set_stat(2000, 9000);
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), signal_name), 125.0 * 4, 1e-6);
}

TEST(Estimate, StolenTimeIsNotOurs) {
  const auto ticks = estimate::parse_stat("cpu  10 1 4 80 5 1 2 50 3 0\n");
  ASSERT_TRUE(ticks.ok());
  EXPECT_DOUBLE_EQ(ticks->busy, 18.0);
  EXPECT_DOUBLE_EQ(ticks->total, 153.0);
}

}  // namespace
}  // namespace ergo
