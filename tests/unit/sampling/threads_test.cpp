// What the sampler's thread does, and that readers and the writer of a timeline do not disturb each
// other. Nothing here depends on how fast the machine is.

#include "ergo/sampling/sampler.hpp"
#include "fake_sensor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace ergo {
namespace {

using namespace literals;
using testing::counting;
using testing::FakeSensor;

void wait_for(const std::function<bool()>& condition) {
  while (!condition())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST(SamplerThread, AWindowIsCoveredFromItsFirstInstantToItsLast) {
  Timeline timeline;
  ManualClock clock(Instant{1'000'000'000});
  FakeSensor sensor("a", counting());
  Sampler sampler({&sensor}, timeline, clock, {});
  sampler.start();
  EXPECT_EQ(timeline.first(0)->time, clock.now());
  clock.advance(50_ms);
  sampler.stop();
  EXPECT_EQ(timeline.last(0)->time, clock.now());
  EXPECT_EQ(timeline.sample_count(0), 2U);
  sampler.stop();
  EXPECT_EQ(timeline.sample_count(0), 2U);
}

TEST(SamplerThread, DeadlinesDoNotDrift) {
  Timeline timeline;
  ManualClock clock;
  FakeSensor sensor("a", counting());
  Sampler sampler({&sensor}, timeline, clock, {});
  sampler.start();
  // Each tick comes 30 ms late; the next is due at its multiple of the period all the same.
  for (std::uint64_t i = 1; i <= 5; ++i) {
    clock.set(Instant{} + 0.1_s * static_cast<double>(i) + 30_ms);
    wait_for([&] { return sampler.stats().ticks == i + 1; });
  }
  // The fifth came at 0.53 s, so the sixth is due at 0.6 s.
  clock.set(Instant{} + 0.6_s);
  wait_for([&] { return sampler.stats().ticks == 7; });
  EXPECT_EQ(timeline.last(0)->time, Instant{} + 0.6_s);
  EXPECT_EQ(sampler.stats().missed_ticks, 0U);
  EXPECT_EQ(sampler.stats().late_ticks, 0U);
  sampler.stop();
}

TEST(SamplerThread, TicksThatWentByAreAGapAndCounted) {
  Timeline timeline;
  ManualClock clock;
  FakeSensor sensor("a", counting());
  Sampler sampler({&sensor}, timeline, clock, {});
  sampler.start();
  clock.set(Instant{} + 0.56_s);
  wait_for([&] { return sampler.stats().ticks == 2; });
  EXPECT_EQ(sampler.stats().missed_ticks, 4U);
  const auto gaps = timeline.gaps();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].from, Instant{});
  EXPECT_EQ(gaps[0].to, Instant{} + 0.56_s);
  clock.set(Instant{} + 0.66_s);
  wait_for([&] { return sampler.stats().ticks == 3; });
  EXPECT_EQ(sampler.stats().late_ticks, 1U);
  sampler.stop();
}

TEST(SamplerThread, StopDoesNotWaitForThePeriod) {
  Timeline timeline;
  SystemClock clock;
  FakeSensor sensor("a", counting());
  Sampler sampler({&sensor}, timeline, clock, {3600_s});
  sampler.start();
  sampler.stop();
  EXPECT_EQ(timeline.sample_count(0), 2U);
}

TEST(SamplerThread, ReadingsOnDemandFitBetweenItsOwn) {
  Timeline timeline;
  SystemClock clock;
  FakeSensor sensor("a", counting());
  Sampler sampler({&sensor}, timeline, clock, {1_ms});
  sampler.start();
  std::thread other([&] {
    for (int i = 0; i < 200; ++i)
      sampler.tick();
  });
  for (int i = 0; i < 200; ++i)
    sampler.tick();
  other.join();
  sampler.stop();
  const auto samples = timeline.slice(0, Instant{}, clock.now());
  ASSERT_EQ(samples.size(), sampler.stats().ticks);
  ASSERT_GE(samples.size(), 402U);
  for (std::size_t i = 0; i < samples.size(); ++i)
    ASSERT_EQ(samples[i].value, static_cast<double>(i));
  EXPECT_EQ(timeline.dropped_out_of_order(0), 0U);
}

TEST(SamplerThread, ItMeasuresItsOwnProcessorTime) {
  Timeline timeline;
  SystemClock clock;
  FakeSensor busy("busy", [](const Clock& c, Batch& out) -> Result<void> {
    const Seconds begin = thread_cpu_time();
    while (thread_cpu_time() - begin < 1_ms) {
    }
    out.add(0, 1.0, c.now(), c.now());
    return {};
  });
  Sampler sampler({&busy}, timeline, clock, {2_ms});
  sampler.start();
  wait_for([&] { return sampler.stats().ticks >= 20; });
  sampler.stop();
  const SamplerStats stats = sampler.stats();
  EXPECT_GE(stats.cpu.value(), 1e-3 * static_cast<double>(stats.ticks));
}

TEST(TimelineThreads, ReadersSeeACompletePastWhileItIsWritten) {
  TimelineOptions small;
  small.memory_samples = 4096;
  Timeline timeline(small);
  SignalInfo info;
  info.name = "a";
  const SignalId id = timeline.add(info);
  constexpr int total = 60000;
  std::atomic<bool> done = false;
  const auto reader = [&] {
    while (!done) {
      const std::size_t known = timeline.sample_count(id);
      std::int64_t next = 0;
      timeline.visit(id, Instant{}, Instant{total}, [&](const Sample& s) {
        ASSERT_EQ(s.time.ns, next);
        ASSERT_EQ(s.value, static_cast<double>(next));
        ++next;
      });
      ASSERT_GE(next, static_cast<std::int64_t>(known));
      if (timeline.samples_in_memory() > 4096U + 512U) ADD_FAILURE();
    }
  };
  std::thread one(reader);
  std::thread two(reader);
  for (std::int64_t i = 0; i < total; ++i) {
    timeline.append(id, {Instant{i}, static_cast<double>(i), 0.0F});
    if (i % 1000 == 0) timeline.add_gap({id, Instant{i}, Instant{i}, "test"});
    if (i % 20000 == 0) {
      info.name = "late" + std::to_string(i);
      timeline.add(info);
    }
  }
  done = true;
  one.join();
  two.join();
  EXPECT_EQ(timeline.spill_error(), std::nullopt);
  EXPECT_EQ(timeline.slice(id, Instant{}, Instant{total}).size(), static_cast<std::size_t>(total));
}

}  // namespace
}  // namespace ergo
