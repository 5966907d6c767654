#include "ergo/sampling/sampler.hpp"

#include "fake_sensor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>

namespace ergo {
namespace {

using namespace literals;
using testing::counting;
using ::testing::ElementsAre;
using testing::FakeSensor;
using ::testing::HasSubstr;

/// A sampler on a manual clock whose ticks the test makes.
class ManualTicks : public ::testing::Test {
 protected:
  void ticks(Sampler& sampler, int count) {
    for (int i = 0; i < count; ++i) {
      sampler.tick();
      clock.advance(100_ms);
    }
  }
  std::vector<double> values(const std::string& name) {
    std::vector<double> found;
    const Seconds forever(1e6);
    for (const Sample& s : timeline.slice(*timeline.find(name), Instant{}, Instant{} + forever))
      found.push_back(s.value);
    return found;
  }

  Timeline timeline;
  ManualClock clock;
};

TEST_F(ManualTicks, EverySensorIsReadOncePerTick) {
  FakeSensor a("a", counting());
  FakeSensor b("b", counting());
  Sampler sampler({&a, &b}, timeline, clock, {});
  ticks(sampler, 3);
  EXPECT_THAT(values("a.value"), ElementsAre(0, 1, 2));
  EXPECT_THAT(values("b.value"), ElementsAre(0, 1, 2));
  const SamplerStats stats = sampler.stats();
  EXPECT_EQ(stats.ticks, 3U);
  EXPECT_EQ(stats.samples, 6U);
  ASSERT_EQ(stats.sensors.size(), 2U);
  EXPECT_EQ(stats.sensors[1].name, "b");
  EXPECT_EQ(stats.sensors[1].reads, 3U);
}

TEST_F(ManualTicks, AtAnEdgeSensorsThatPaceThemselvesAreReadAtMostOnceAPeriod) {
  FakeSensor paced("a", counting());
  paced.pace();
  FakeSensor other("b", counting());
  std::vector<std::string> delivered;
  Sampler sampler(
      {&paced, &other}, timeline, clock, {},
      [&](const Timeline& t, SignalId id, const Sample&) { delivered.push_back(t.info(id).name); });
  sampler.edge();  // before the start: nothing
  EXPECT_THAT(delivered, ElementsAre());
  sampler.start();
  delivered.clear();
  for (int i = 0; i < 4; ++i) {
    sampler.edge();
    if (i != 1) continue;
    EXPECT_THAT(delivered, ElementsAre("a.value"));
    clock.advance(100_ms);
  }
  sampler.stop();
  EXPECT_EQ(values("a.value").size(), values("b.value").size() + 2);
  delivered.clear();
  sampler.edge();  // after the end: nothing
  EXPECT_THAT(delivered, ElementsAre());
}

TEST_F(ManualTicks, ReadingAtEdgesTakesAtMostAHundredthOfTheTime) {
  const FakeSensor* self = nullptr;
  int known = 0;
  FakeSensor dear("a", [&](const Clock&, Batch&) -> Result<void> {
    if (std::exchange(known, self->at_edges()) != known) clock.advance(5_ms);
    return {};
  });
  self = &dear;
  dear.pace();
  Sampler sampler({&dear}, timeline, clock, {});
  sampler.start();
  const Instant begin = clock.now();
  while (clock.now() - begin < Seconds(10)) {
    sampler.edge();
    clock.advance(10_ms);
  }
  EXPECT_GE(dear.at_edges(), 15);
  EXPECT_LE(dear.at_edges(), 20);
}

TEST_F(ManualTicks, AFailedReadIsAGapUpToTheNextGoodOne) {
  int n = 0;
  FakeSensor sensor("a", [&](const Clock& c, Batch& out) -> Result<void> {
    if (n++ == 1) return Error{Errc::unavailable, "bus busy", {}};
    out.add(0, n, c.now(), c.now());
    return {};
  });
  Sampler sampler({&sensor}, timeline, clock, {});
  ticks(sampler, 4);
  EXPECT_EQ(sampler.stats().sensors[0].failures, 1U);
  EXPECT_FALSE(sampler.stats().sensors[0].lost);
  const auto gaps = timeline.gaps();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].from, Instant{});
  EXPECT_EQ(gaps[0].to, Instant{} + 0.2_s);
  EXPECT_EQ(gaps[0].reason, "bus busy");
  EXPECT_THAT(sampler.notices(), ElementsAre("a: bus busy"));
}

TEST_F(ManualTicks, ALostSensorIsAskedNoMoreAndTheOthersGoOn) {
  int asked = 0;
  FakeSensor gone("gpu0", [&](const Clock& c, Batch& out) -> Result<void> {
    if (++asked == 3) return Error{Errc::lost, "gpu0 fell off the bus", {}};
    out.add(0, 1.0, c.now(), c.now());
    return {};
  });
  FakeSensor alive("b", counting());
  Sampler sampler({&gone, &alive}, timeline, clock, {});
  ticks(sampler, 10);
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(sampler.stats().sensors[0].lost);
  EXPECT_EQ(values("b.value").size(), 10U);
  EXPECT_THAT(sampler.notices(), ElementsAre("gpu0 fell off the bus; no readings from 0.2 s on"));
}

TEST_F(ManualTicks, ASensorThatThrowsCountsAsFailed) {
  FakeSensor sensor("a",
                    [](const Clock&, Batch&) -> Result<void> { throw std::runtime_error("boom"); });
  Sampler sampler({&sensor}, timeline, clock, {});
  ticks(sampler, 2);
  EXPECT_EQ(sampler.stats().sensors[0].failures, 2U);
  EXPECT_THAT(sampler.notices(), ElementsAre("a: boom"));
}

TEST_F(ManualTicks, NoticesOfSensorsComeOnceWithTheirName) {
  FakeSensor sensor("a", counting());
  Sampler sampler({&sensor}, timeline, clock, {});
  sensor.say("counter restarted");
  ticks(sampler, 1);
  sensor.say("counter restarted");
  ticks(sampler, 1);
  EXPECT_THAT(sampler.notices(), ElementsAre("a: counter restarted"));
}

TEST_F(ManualTicks, TheObserverSeesEverySampleInTheTimeline) {
  FakeSensor sensor("a", counting());
  std::vector<double> seen;
  Sampler sampler({&sensor}, timeline, clock, {},
                  [&](const Timeline& t, SignalId id, const Sample& s) {
                    EXPECT_EQ(t.last(id)->value, s.value);
                    seen.push_back(s.value);
                  });
  ticks(sampler, 3);
  EXPECT_THAT(seen, ElementsAre(0, 1, 2));
}

TEST_F(ManualTicks, AnObserverThatThrowsDoesNotStopTheSampling) {
  FakeSensor sensor("a", counting());
  Sampler sampler({&sensor}, timeline, clock, {}, [](const Timeline&, SignalId, const Sample&) {
    throw std::runtime_error("disk full");
  });
  ticks(sampler, 3);
  EXPECT_THAT(values("a.value"), ElementsAre(0, 1, 2));
  EXPECT_THAT(sampler.notices(), ElementsAre(HasSubstr("disk full")));
}

TEST_F(ManualTicks, CallsAreTimedByTheClock) {
  FakeSensor slow("slow", [&](const Clock& c, Batch& out) -> Result<void> {
    const Instant before = c.now();
    clock.advance(10_ms);
    out.add(0, 1.0, before, c.now());
    return {};
  });
  Sampler sampler({&slow}, timeline, clock, {});
  ticks(sampler, 2);
  EXPECT_NEAR(sampler.stats().sensors[0].mean_call.value(), 0.01, 1e-9);
  EXPECT_NEAR(sampler.stats().sensors[0].max_call.value(), 0.01, 1e-9);
  EXPECT_NEAR(static_cast<double>(timeline.last(0)->half_width_s), 0.005, 1e-9);
}

}  // namespace
}  // namespace ergo
