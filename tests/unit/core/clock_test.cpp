#include "ergo/core/clock.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace ergo {
namespace {

using namespace literals;

TEST(Clock, InstantsAndSecondsConvertWithoutDrift) {
  const Instant t{1'000'000'000'000};
  EXPECT_EQ((t + 0.1_s).ns, 1'000'100'000'000);
  EXPECT_EQ((t - 0.1_s).ns, 999'900'000'000);
  EXPECT_DOUBLE_EQ(((t + 0.25_s) - t).value(), 0.25);
}

TEST(Clock, SystemClockNeverRunsBackwards) {
  const SystemClock clock;
  Instant last = clock.now();
  for (int i = 0; i < 1000; ++i) {
    const Instant next = clock.now();
    ASSERT_GE(next, last);
    last = next;
  }
}

TEST(Clock, ASleeperOnTheManualClockWakesWhenItsInstantIsReached) {
  ManualClock clock;
  bool reached = false;
  std::jthread sleeper(
      [&](std::stop_token stop) { reached = clock.sleep_until(Instant{} + 1_s, stop); });
  clock.advance(2_s);
  sleeper.join();
  EXPECT_TRUE(reached);
}

TEST(Clock, AStopRequestEndsASleepAtOnce) {
  SystemClock clock;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(clock.sleep_until(clock.now() + 3600_s, stop.get_token()));
}

TEST(Clock, WallTimeIsPrintedInUtcWithMilliseconds) {
  const WallAnchor anchor{Instant{0}, 1'795'255'200'123'000'000};
  EXPECT_EQ(anchor.iso(Instant{0}), "2026-11-21T10:00:00.123Z");
  EXPECT_EQ(anchor.iso(Instant{1'500'000'000}), "2026-11-21T10:00:01.623Z");
}

TEST(Clock, UnixStampsBecomeInstants) {
  const WallAnchor anchor{Instant{500}, 1'000'000};
  EXPECT_EQ(anchor.instant_of_unix_ns(1'000'100).ns, 600);
}

}  // namespace
}  // namespace ergo
