// The driver's own record of power: on boards without an energy counter, and where it sees more
// than the other readings do.
#include "unit/sensors/nvml/board_fixture.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

namespace ergo::nvml {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

constexpr const char* samples = "nvml.power_samples@gpu0";

/// A Pascal board: no counter, a value each 20 ms. The wall clock stands at 2026 at instant 0.
class PowerRecord : public OneBoard {
 protected:
  static constexpr std::int64_t wall_at_zero_ns = 1'795'000'000'000'000'000;

  PowerRecord() {
    clock.set_wall_at_zero(wall_at_zero_ns);
    fake.device().architecture = abi::architecture::pascal;
    fake.device().capability_major = 6;
    fake.device().total_energy_status = abi::not_supported;
  }
  /// Takes the place of all that the driver had.
  void keep(const std::vector<std::pair<double, unsigned>>& readings) {
    fake::FakeDevice& board = fake.device();
    board.power_sample_count = 0;
    for (const auto& [seconds, milliwatts] : readings) {
      abi::Sample& sample = board.power_samples[board.power_sample_count++];
      sample = {};
      sample.timestamp =
          static_cast<unsigned long long>(wall_at_zero_ns / 1000 + std::llround(seconds * 1e6));
      sample.value.ui = milliwatts;
    }
  }
  /// Time in milliseconds and value of each sample that one read yields.
  std::vector<std::pair<std::int64_t, double>> drain() {
    Sensor& sensor = *found.sensors.at(0);
    Batch batch;
    EXPECT_TRUE(sensor.read(clock, batch));
    std::vector<std::pair<std::int64_t, double>> got;
    for (const Batch::Entry& entry : batch.entries()) {
      if (sensor.signals()[entry.signal].name == samples)
        got.emplace_back(entry.sample.time.ns / 1'000'000, entry.sample.value);
    }
    return got;
  }
  void at(double seconds) { clock.set(Instant{} + Seconds(seconds)); }
};

TEST_F(PowerRecord, GivesEachSampleOnceWithTheTimeAtWhichItWasTaken) {
  keep({{0.96, 60'000}, {0.98, 61'000}});
  open();
  EXPECT_THAT(drain(), ElementsAre(std::pair(960, 60.0), std::pair(980, 61.0)));
  keep({{0.98, 61'000}, {1.00, 62'000}, {1.02, 63'000}, {1.04, 64'000}, {1.06, 65'000}});
  at(1.1);
  EXPECT_THAT(drain(), ElementsAre(std::pair(1000, 62.0), std::pair(1020, 63.0),
                                   std::pair(1040, 64.0), std::pair(1060, 65.0)));
  at(1.2);
  EXPECT_THAT(drain(), IsEmpty());
}

TEST_F(PowerRecord, RanksBeforeTheLatestValueAndIsNoOldValueReadLate) {
  keep({{0.96, 60'000}, {0.98, 61'000}});
  Sensor& sensor = open();
  const SignalInfo* record = find_signal(sensor, samples);
  const SignalInfo* latest = find_signal(sensor, "nvml.power_usage@gpu0");
  ASSERT_TRUE(record != nullptr && latest != nullptr);
  EXPECT_LT(record->rank, latest->rank);
  EXPECT_EQ(record->kind, SignalKind::power);
  EXPECT_EQ(record->traits.update_period, Seconds(0.0));
  EXPECT_EQ(record->traits.averaging_window, Seconds(0.010));
  EXPECT_DOUBLE_EQ(record->traits.sampled_fraction, 0.5);
  EXPECT_THAT(record->traits.basis, HasSubstr("own samples"));
}

TEST_F(PowerRecord, IsDrainedTenTimesASecondHoweverFastTheSamplerAndAtEdges) {
  keep({{0.96, 60'000}, {0.98, 61'000}});
  Sensor& sensor = open();
  EXPECT_TRUE(sensor.paces());
  drain();
  const int before = fake.device().power_samples_calls;
  for (int i = 1; i <= 90; ++i) {
    at(1.0 + 0.001 * i);
    drain();
  }
  EXPECT_EQ(fake.device().power_samples_calls, before);
  sensor.expect_edge(Sensor::Edge::window);
  drain();
  EXPECT_EQ(fake.device().power_samples_calls, before + 1);
}

TEST_F(PowerRecord, IsLeftToBoardsWithoutACounterWhoseSamplesAreUnderstood) {
  keep({{0.96, 60'000}, {0.98, 61'000}});
  fake.device().total_energy_status = abi::success;
  EXPECT_THAT(names_of(open()), Not(IsSupersetOf({samples})));
  fake.device().total_energy_status = abi::not_supported;
  fake.device().architecture = abi::architecture::ada;
  fake.device().capability_major = 8;
  EXPECT_THAT(names_of(open()), Not(IsSupersetOf({samples})));
}

TEST_F(PowerRecord, OfADriverThatKeepsNoneOrZerosIsNotDeclared) {
  EXPECT_THAT(names_of(open()), IsSupersetOf({"nvml.power_usage@gpu0"}));
  EXPECT_THAT(names_of(*found.sensors[0]), Not(IsSupersetOf({samples})));
  keep({{0.96, 0}, {0.98, 0}});
  EXPECT_THAT(names_of(open()), Not(IsSupersetOf({samples})));
  keep({{0.98, 60'000}});
  EXPECT_THAT(names_of(open()), Not(IsSupersetOf({samples})));
}

TEST_F(PowerRecord, WithStampsOfAnotherClockIsGivenUpWithANoticeAndTheLatestValueStays) {
  keep({{-3600.04, 60'000}, {-3600.02, 61'000}});
  Sensor& sensor = open();
  for (int i = 0; i < 4; ++i) {
    keep({{-3600.0 + 0.1 * i, 60'000}});
    at(1.0 + 0.1 * i);
    EXPECT_THAT(drain(), IsEmpty());
  }
  EXPECT_THAT(sensor.take_notices(), ElementsAre(HasSubstr("time of another clock")));
  const int calls = fake.device().power_samples_calls;
  at(2.0);
  EXPECT_DOUBLE_EQ(value("nvml.power_usage@gpu0"), 60.0);
  EXPECT_EQ(fake.device().power_samples_calls, calls);
}

TEST_F(PowerRecord, StampsThatRepeatOrFallBackAndTypesThatNobodyKnowsYieldNothing) {
  keep({{0.90, 60'000}, {0.96, 61'000}, {0.92, 62'000}, {0.96, 63'000}});
  open();
  EXPECT_THAT(drain(), ElementsAre(std::pair(900, 60.0), std::pair(960, 61.0)));
  fake.device().power_sample_type = 77;
  keep({{1.0, 60'000}});
  at(1.1);
  EXPECT_THAT(drain(), IsEmpty());
}

TEST_F(PowerRecord, OfALostBoardIsTheEndOfTheSensor) {
  keep({{0.96, 60'000}, {0.98, 61'000}});
  Sensor& sensor = open();
  drain();
  fake.device().power_samples_status = abi::gpu_is_lost;
  at(1.2);
  Batch batch;
  const auto result = sensor.read(clock, batch);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::lost);
}

/// A Hopper board with a counter and driver 580: a value each 20 ms or so.
class FineRecord : public PowerRecord {
 protected:
  FineRecord() {
    fake.be_hopper();
    fake.device().total_energy_status = abi::success;
    fake.add_current_fields();
  }
  void keep_steps(double step_s, int repeats = 1) {
    std::vector<std::pair<double, unsigned>> readings;
    for (int i = 0; i < 16; ++i) {
      readings.emplace_back(1.0 - (15 - i) * step_s,
                            static_cast<unsigned>(70'000 + 10 * (i / repeats)));
    }
    keep(readings);
  }
};

TEST_F(FineRecord, OfHopperIsUsedBesideTheCounterAndSeesAllOfTheTime) {
  keep_steps(0.020);
  Sensor& sensor = open();
  const SignalInfo* record = find_signal(sensor, samples);
  ASSERT_NE(record, nullptr);
  EXPECT_DOUBLE_EQ(record->traits.sampled_fraction, 1.0);
  EXPECT_EQ(record->traits.averaging_window, Seconds(0.025));
  EXPECT_EQ(record->traits.update_period, Seconds(0.0));
  EXPECT_LT(find_signal(sensor, "nvml.total_energy@gpu0")->rank, record->rank);
  EXPECT_LT(record->rank, find_signal(sensor, "nvml.power_average@gpu0")->rank);
  EXPECT_LT(record->rank, find_signal(sensor, "nvml.power_instant@gpu0")->rank);
  EXPECT_EQ(drain().size(), 16U);
}

TEST_F(FineRecord, OfAnA100IsUsedAndSaidToBeAssumed) {
  keep_steps(0.020);
  fake.device().architecture = abi::architecture::ampere;
  fake.device().capability_major = 8;
  fake.device().capability_minor = 0;
  const SignalInfo* record = find_signal(open(), samples);
  ASSERT_NE(record, nullptr);
  EXPECT_DOUBLE_EQ(record->traits.sampled_fraction, 1.0);
  EXPECT_THAT(record->traits.basis, HasSubstr("seen on Hopper alone"));
}

TEST_F(FineRecord, IsLeftAloneWhereNobodyHasSeenWhatItStandsFor) {
  keep_steps(0.020);
  std::strcpy(fake->driver_version, "570.86.15");
  EXPECT_EQ(find_signal(open(), samples), nullptr);
  std::strcpy(fake->driver_version, "580.159.04");
  fake.device().architecture = abi::architecture::ada;
  fake.device().capability_major = 8;
  fake.device().capability_minor = 9;
  EXPECT_EQ(find_signal(open(), samples), nullptr);
}

TEST_F(FineRecord, WhoseValuesLieFartherApartThanTheyLookBackIsNotUsed) {
  keep_steps(0.050);
  EXPECT_EQ(find_signal(open(), samples), nullptr);
}

TEST_F(FineRecord, ThatShowsOneReadingSeveralTimesIsNotUsed) {
  keep_steps(0.010, 3);
  EXPECT_EQ(find_signal(open(), samples), nullptr);
}

TEST_F(FineRecord, ThatIsDearToFetchIsFetchedOnceASecondAndAtTheEdgesOfWindows) {
  keep_steps(0.020);
  fake.device().power_samples_call_us = 1000;
  Sensor& sensor = open();
  EXPECT_THAT(find_signal(sensor, samples)->traits.basis, HasSubstr("once a second"));
  drain();
  const int before = fake.device().power_samples_calls;
  for (int i = 1; i <= 20; ++i) {
    at(1.0 + 0.1 * i);
    drain();
  }
  EXPECT_EQ(fake.device().power_samples_calls - before, 2);
  sensor.expect_edge(Sensor::Edge::window);
  drain();
  EXPECT_EQ(fake.device().power_samples_calls - before, 3);
}

}  // namespace
}  // namespace ergo::nvml
