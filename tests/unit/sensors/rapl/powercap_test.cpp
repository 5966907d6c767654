#include "contract/fake_root.hpp"
#include "sensors/rapl/domain.hpp"
#include "sensors/rapl/rapl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ergo {
namespace {

using testing::FakeRoot;
using testing::find_signal;
using testing::has_sample;
using ::testing::HasSubstr;
using testing::read_batch;
using testing::value_of;

Discovery look(const FakeRoot& root) {
  Discovery found;
  rapl::discover(root.context(), found);
  return found;
}

TEST(RaplPowercap, APackageIsInTheTotalItsPartsAreNot) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 5'000'000);
  root.add_zone("intel-rapl:0/intel-rapl:0:0", "core", 1'000'000);
  root.add_zone("intel-rapl:0/intel-rapl:0:1", "uncore", 1'000'000);
  root.add_zone("intel-rapl:0/intel-rapl:0:2", "dram", 2'000'000);
  root.add_zone("intel-rapl:1", "psys", 9'000'000);
  const Discovery found = look(root);
  ASSERT_NE(find_signal(found, "rapl.powercap@cpu0"), nullptr);
  EXPECT_TRUE(find_signal(found, "rapl.powercap@cpu0")->in_total);
  EXPECT_TRUE(find_signal(found, "rapl.powercap@dram0")->in_total);
  EXPECT_EQ(find_signal(found, "rapl.powercap@dram0")->domain, Domain::dram);
  EXPECT_FALSE(find_signal(found, "rapl.powercap@core0")->in_total);
  EXPECT_FALSE(find_signal(found, "rapl.powercap@uncore0")->in_total);
  EXPECT_FALSE(find_signal(found, "rapl.powercap@psys")->in_total);
  EXPECT_EQ(find_signal(found, "rapl.powercap@psys")->domain, Domain::node);
  EXPECT_EQ(found.sensors.size(), 2U);
  EXPECT_TRUE(found.missing.empty());
}

TEST(RaplPowercap, SubZonesThatStandBesideTheirPackageAreFoundOnce) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 5'000'000);
  root.add_zone("intel-rapl:0/intel-rapl:0:0", "dram", 1'000'000);
  root.add_zone("intel-rapl:0:0", "dram", 1'000'000);
  const Discovery found = look(root);
  ASSERT_EQ(found.sensors.size(), 1U);
  EXPECT_EQ(found.sensors[0]->signals().size(), 2U);
}

TEST(RaplPowercap, EverySocketIsAChannel) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  root.add_zone("intel-rapl:1", "package-1", 1'000'000);
  root.add_zone("intel-rapl:1/intel-rapl:1:0", "dram", 1'000'000);
  const Discovery found = look(root);
  EXPECT_EQ(found.sensors.size(), 2U);
  EXPECT_NE(find_signal(found, "rapl.powercap@cpu1"), nullptr);
  EXPECT_NE(find_signal(found, "rapl.powercap@dram1"), nullptr);
  EXPECT_EQ(find_signal(found, "rapl.powercap@dram1")->device, "cpu1");
}

TEST(RaplPowercap, DiesOfOnePackageAreCountedApart) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0-die-0", 1'000'000);
  root.add_zone("intel-rapl:1", "package-0-die-1", 1'000'000);
  root.add_zone("intel-rapl:2", "package-1-die-0", 1'000'000);
  const Discovery found = look(root);
  ASSERT_EQ(found.sensors.size(), 3U);
  EXPECT_NE(find_signal(found, "rapl.powercap@cpu2"), nullptr);
  EXPECT_EQ(found.sensors[1]->name(), "RAPL package 0 die 1 (powercap)");
}

TEST(RaplPowercap, TheMmioDoubleOfAPackageIsDropped) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  root.add_zone("intel-rapl-mmio:0", "package-0", 1'000'000);
  const Discovery found = look(root);
  ASSERT_EQ(found.sensors.size(), 1U);
  EXPECT_EQ(found.sensors[0]->signals().size(), 1U);
}

TEST(RaplPowercap, SeveralWrapsLoseNoEnergy) {
  const FakeRoot root;
  // A register of 32 bits with steps of 1 µJ wraps at 2^32.
  root.add_zone("intel-rapl:0", "package-0", 4'294'967'000, "4294967295");
  ManualClock clock;
  Discovery found = look(root);
  ASSERT_EQ(found.sensors.size(), 1U);
  Sensor& sensor = *found.sensors[0];
  EXPECT_EQ(value_of(sensor, read_batch(sensor, clock), "rapl.powercap@cpu0"), 0.0);
  double last = 0.0;
  long long raw = 4'294'967'000;
  for (int i = 1; i <= 10; ++i) {
    clock.advance(Seconds(10));
    raw += 1'000'000'000;  // 100 W
    root.set_energy("intel-rapl:0", raw % 4'294'967'296);
    last = value_of(sensor, read_batch(sensor, clock), "rapl.powercap@cpu0");
    EXPECT_NEAR(last, 1000.0 * i, 1e-6);
  }
  EXPECT_TRUE(sensor.take_notices().empty());
}

TEST(RaplPowercap, ACounterThatRestartsKeepsWhatWasCountedAndSaysSo) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 200'000'000'000);
  ManualClock clock;
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  (void)read_batch(sensor, clock);
  clock.advance(Seconds(1));
  root.set_energy("intel-rapl:0", 200'000'100'000'000 / 1000);
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), "rapl.powercap@cpu0"), 0.1, 1e-9);
  clock.advance(Seconds(1));
  root.set_energy("intel-rapl:0", 1'000'000);  // resumed from suspend: 62 kJ in a second cannot be
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), "rapl.powercap@cpu0"), 0.1, 1e-9);
  EXPECT_THAT(sensor.take_notices(), ::testing::ElementsAre(HasSubstr("restarted")));
  clock.advance(Seconds(1));
  root.set_energy("intel-rapl:0", 51'000'000);
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), "rapl.powercap@cpu0"), 50.1, 1e-9);
}

TEST(RaplPowercap, AnEmptyFileIsNoReadingAndNeverZero) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  ManualClock clock;
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  root.set_energy("intel-rapl:0", 3'000'000);
  (void)read_batch(sensor, clock);
  root.write(FakeRoot::zone_folder("intel-rapl:0") + "/energy_uj", "");
  EXPECT_TRUE(read_batch(sensor, clock).entries().empty());
  root.set_energy("intel-rapl:0", 4'000'000);
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), "rapl.powercap@cpu0"), 1.0, 1e-9);
}

TEST(RaplPowercap, GarbageFailsTheTickAndTheNextGoesOn) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  ManualClock clock;
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  (void)read_batch(sensor, clock);
  Batch batch;
  for (const char* garbage : {"12x4\n", "nan\n", "-\n", "\x01\xff"}) {
    root.write(FakeRoot::zone_folder("intel-rapl:0") + "/energy_uj", garbage);
    const auto read = sensor.read(clock, batch);
    ASSERT_FALSE(read.ok()) << garbage;
    EXPECT_EQ(read.error().code, Errc::corrupt);
    EXPECT_TRUE(batch.entries().empty());
  }
  root.set_energy("intel-rapl:0", 2'000'000);
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), "rapl.powercap@cpu0"), 1.0, 1e-9);
}

TEST(RaplPowercap, AFileThatIsReplacedByRenameIsFollowed) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  ManualClock clock;
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  (void)read_batch(sensor, clock);
  root.replace(FakeRoot::zone_folder("intel-rapl:0") + "/energy_uj", "2500000\n");
  EXPECT_NEAR(value_of(sensor, read_batch(sensor, clock), "rapl.powercap@cpu0"), 1.5, 1e-9);
}

TEST(RaplPowercap, OneLostPartLeavesTheOthersAndAllLostIsLost) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  root.add_zone("intel-rapl:0/intel-rapl:0:0", "dram", 1'000'000);
  ManualClock clock;
  Discovery found = look(root);
  Sensor& sensor = *found.sensors.at(0);
  (void)read_batch(sensor, clock);
  root.remove(FakeRoot::zone_folder("intel-rapl:0/intel-rapl:0:0"));
  const Batch batch = read_batch(sensor, clock);
  EXPECT_TRUE(has_sample(sensor, batch, "rapl.powercap@cpu0"));
  EXPECT_FALSE(has_sample(sensor, batch, "rapl.powercap@dram0"));
  EXPECT_EQ(sensor.take_notices().size(), 1U);
  root.remove(FakeRoot::zone_folder("intel-rapl:0"));
  Batch none;
  const auto read = sensor.read(clock, none);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Errc::lost);
}

TEST(RaplPowercap, ACounterThatStaysAtZeroIsDroppedWithTheReason) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  root.add_zone("intel-rapl:0/intel-rapl:0:0", "dram", 0);
  const Discovery found = look(root);
  EXPECT_EQ(find_signal(found, "rapl.powercap@dram0"), nullptr);
  ASSERT_EQ(found.missing.size(), 1U);
  EXPECT_THAT(found.missing[0].what, HasSubstr("dram0"));
  EXPECT_THAT(found.missing[0].why, HasSubstr("stays at 0"));
}

/// Root may read every file: as nobody the test sees what users see.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0) {
    if (was_root_) {
      EXPECT_EQ(::seteuid(65534), 0);
    }
  }
  ~AsNobody() {
    if (was_root_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }

 private:
  bool was_root_;
};

TEST(RaplPowercap, MissingPermissionComesWithTheCommandThatGrantsIt) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  root.add_zone("intel-rapl:0/intel-rapl:0:0", "dram", 1'000'000);
  std::filesystem::permissions(root.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(root.sys() / "class/powercap/intel-rapl:0/energy_uj",
                               std::filesystem::perms::none);
  const AsNobody nobody;
  const Discovery found = look(root);
  EXPECT_EQ(find_signal(found, "rapl.powercap@cpu0"), nullptr);
  EXPECT_NE(find_signal(found, "rapl.powercap@dram0"), nullptr);
  ASSERT_EQ(found.missing.size(), 1U);
  EXPECT_EQ(found.missing[0].what, "energy of cpu0");
  EXPECT_THAT(found.missing[0].why, HasSubstr("ermission"));
  EXPECT_THAT(found.missing[0].fix, HasSubstr("sudo chmod a+r " + root.sys().string()));
}

TEST(RaplPowercap, NothingThereIsSaid) {
  const FakeRoot root;
  const Discovery found = look(root);
  EXPECT_TRUE(found.sensors.empty());
  ASSERT_EQ(found.missing.size(), 1U);
  EXPECT_EQ(found.missing[0].backend, "rapl");
}

TEST(RaplPowercap, SgxWidensShortWindowsAndIsSaid) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  root.add_cpuinfo("GenuineIntel", "Intel(R) Xeon(R) Gold 6330 CPU @ 2.00GHz", 2, "sse sgx");
  const Discovery filtered = look(root);
  root.add_cpuinfo("GenuineIntel", "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", 2, "sse");
  const Discovery plain = look(root);
  ASSERT_EQ(filtered.warnings.size(), 1U);
  EXPECT_THAT(filtered.warnings[0], HasSubstr("SGX"));
  EXPECT_TRUE(plain.warnings.empty());
  EXPECT_GT(find_signal(filtered, "rapl.powercap@cpu0")->traits.update_period,
            find_signal(plain, "rapl.powercap@cpu0")->traits.update_period);
}

TEST(RaplPowercap, AmdIsTrustedLess) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  root.add_cpuinfo("AuthenticAMD", "AMD EPYC 7742 64-Core Processor", 2, "sse");
  EXPECT_DOUBLE_EQ(find_signal(look(root), "rapl.powercap@cpu0")->traits.gain_u95, 0.15);
  root.add_cpuinfo("GenuineIntel", "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", 2, "sse");
  EXPECT_DOUBLE_EQ(find_signal(look(root), "rapl.powercap@cpu0")->traits.gain_u95, 0.05);
}

TEST(RaplPowercap, AMarkedRootIsSimulatedAnUnmarkedOneIsMeasured) {
  const FakeRoot root;
  root.add_zone("intel-rapl:0", "package-0", 1'000'000);
  EXPECT_EQ(find_signal(look(root), "rapl.powercap@cpu0")->provenance, Provenance::measured);
  EXPECT_EQ(find_signal(look(root), "rapl.powercap@cpu0")->traits.update_period, Seconds(0.001));
  root.write("sys/ergo-simulated", "");
  const Discovery simulated = look(root);
  EXPECT_EQ(find_signal(simulated, "rapl.powercap@cpu0")->provenance, Provenance::simulated);
  EXPECT_EQ(find_signal(simulated, "rapl.powercap@cpu0")->traits.update_period, Seconds(0.010));
}

TEST(RaplDomain, PackagesKeepTheirNumbersAndDiesAreNumberedThrough) {
  using rapl::Place;
  const Place second{2, std::nullopt};
  EXPECT_EQ(rapl::number_places({Place{0, std::nullopt}, second}).at(second), 2);
  EXPECT_EQ(rapl::number_places({Place{0, 0}, Place{0, 1}, Place{1, 0}}).at(Place{1, 0}), 2);
}

}  // namespace
}  // namespace ergo
