// How often what is read of a board.
#include "sensors/nvml/board.hpp"
#include "unit/sensors/nvml/board_fixture.hpp"

#include <gmock/gmock.h>

namespace ergo::nvml {
namespace {

using ::testing::HasSubstr;
using Board = OneBoard;

TEST_F(Board, ACounterThatIsDearToReadIsReadOnceASecondAndAtEdges) {
  fake.be_hopper();
  fake.add_current_fields();
  fake.device().counter_call_us = 2000;
  Sensor& sensor = open();
  ASSERT_TRUE(sensor.paces());
  EXPECT_THAT(find_signal(sensor, "nvml.total_energy@gpu0")->traits.basis,
              HasSubstr("once a second and at the edges of windows"));
  const int before = fake.device().counter_calls;
  int powers = 0;
  for (int i = 0; i < 30; ++i) {
    powers += static_cast<int>(read_values(sensor, clock).count("nvml.power_instant@gpu0"));
    clock.advance(Seconds(0.1));
  }
  EXPECT_EQ(powers, 30);
  EXPECT_EQ(fake.device().counter_calls - before, 3);
  sensor.expect_edge(Sensor::Edge::window);
  EXPECT_EQ(read_values(sensor, clock).count("nvml.total_energy@gpu0"), 1U);
  clock.advance(Seconds(0.1));
  EXPECT_EQ(read_values(sensor, clock).count("nvml.total_energy@gpu0"), 0U);
}

TEST_F(Board, ACounterThatLooksPartOfTheTimeIsReadAtEachTickEvenIfDear) {
  fake.add_current_fields();
  fake.device().counter_call_us = 2000;
  Sensor& sensor = open();  // a V100
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(read_values(sensor, clock).count("nvml.total_energy@gpu0"), 1U);
    clock.advance(Seconds(0.1));
  }
}

TEST_F(Board, ACounterThatIsCheapIsReadInTheOneCallOfEachTick) {
  fake.add_current_fields();
  Sensor& sensor = open();
  const int before = fake.device().field_calls;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(read_values(sensor, clock).count("nvml.total_energy@gpu0"), 1U);
    clock.advance(Seconds(0.1));
  }
  EXPECT_EQ(fake.device().field_calls - before, 5);
}

TEST_F(Board, ThrottleTimesAreReadOnceASecondAndAtTheEdgesOfARun) {
  fake.add_current_fields();
  Sensor& sensor = open();
  std::size_t reads = 0;
  for (int i = 0; i < 21; ++i) {
    reads += read_values(sensor, clock).count("gpu0.throttled_power_ns");
    clock.advance(Seconds(0.1));
  }
  EXPECT_EQ(reads, 3U);
  ASSERT_TRUE(sensor.paces());
  sensor.expect_edge(Sensor::Edge::window);
  EXPECT_EQ(read_values(sensor, clock).count("gpu0.throttled_power_ns"), 0U);
  sensor.expect_edge(Sensor::Edge::run);
  EXPECT_EQ(read_values(sensor, clock).count("gpu0.throttled_power_ns"), 1U);
}

TEST_F(Board, TheFieldsOfATickAreOneCall) {
  fake.add_current_fields();
  Sensor& sensor = open();
  fake.device().field_calls = 0;
  read_values(sensor, clock);
  EXPECT_EQ(fake.device().field_calls, 1);
  EXPECT_EQ(fake.device().fields_asked, 4);
}

TEST_F(Board, AtOneKilohertzOnlyEnergyAndPowerAreReadEachTick) {
  fake.device().gpm = true;
  fake.add_current_fields();
  Sensor& sensor = open();
  const fake::FakeDevice before = fake.device();
  constexpr int ticks = 2000;
  Batch batch;
  for (int tick = 0; tick < ticks; ++tick) {
    batch.clear();
    ASSERT_TRUE(sensor.read(clock, batch).ok());
    clock.advance(Seconds(0.001));
  }
  EXPECT_EQ(fake.device().field_calls - before.field_calls, ticks);
  EXPECT_LE(fake.device().utilization_calls - before.utilization_calls, 22);
  EXPECT_GE(fake.device().utilization_calls - before.utilization_calls, 18);
  EXPECT_LE(fake.device().memory_calls - before.memory_calls, 22);
  // Two clocks, temperature, limit and reasons ten times a second, GPM five times.
  EXPECT_LE(fake.device().other_calls - before.other_calls, 5 * 22 + 11);
  EXPECT_EQ(fake.device().fields_asked, 3) << "throttle counters are not asked each tick";
  EXPECT_EQ(fake.device().writes, 0);
}

TEST_F(Board, ASamplerOfTenHertzThatIsABitEarlyStillGetsEverything) {
  fake.add_current_fields();
  Sensor& sensor = open();
  for (int tick = 0; tick < 10; ++tick) {
    EXPECT_EQ(read_values(sensor, clock).count("gpu0.sm_utilization"), 1U);
    clock.advance(Seconds(0.098));
  }
}

}  // namespace
}  // namespace ergo::nvml
