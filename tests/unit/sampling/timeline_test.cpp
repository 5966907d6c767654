#include "ergo/sampling/timeline.hpp"

#include "ergo/core/files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <random>

namespace ergo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SignalInfo signal(std::string name) {
  SignalInfo info;
  info.name = std::move(name);
  return info;
}

Instant at(double seconds) {
  return Instant{} + Seconds(seconds);
}

void fill(Timeline& timeline, SignalId id, int count) {
  for (int i = 0; i < count; ++i)
    timeline.append(id, {at(i), static_cast<double>(i), 0.0F});
}

std::vector<double> values(const Timeline& timeline, SignalId id, Instant from, Instant to) {
  std::vector<double> found;
  for (const Sample& s : timeline.slice(id, from, to))
    found.push_back(s.value);
  return found;
}

TEST(Timeline, ASignalDeclaredTwiceIsOneSignal) {
  Timeline timeline;
  const SignalId first = timeline.add(signal("a"));
  EXPECT_EQ(timeline.add(signal("b")), first + 1);
  EXPECT_EQ(timeline.add(signal("a")), first);
  EXPECT_EQ(timeline.signal_count(), 2U);
  EXPECT_EQ(timeline.find("b"), first + 1);
  EXPECT_EQ(timeline.find("c"), std::nullopt);
  EXPECT_EQ(timeline.info(first).name, "a");
}

TEST(Timeline, AWindowComesWithItsNeighbours) {
  Timeline timeline;
  const SignalId id = timeline.add(signal("a"));
  fill(timeline, id, 10);
  EXPECT_THAT(values(timeline, id, at(3), at(5)), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_THAT(values(timeline, id, at(3.5), at(3.6)), ElementsAre(3, 4));
  EXPECT_THAT(values(timeline, id, at(-5), at(-1)), ElementsAre(0));
  EXPECT_THAT(values(timeline, id, at(20), at(30)), ElementsAre(9));
  EXPECT_THAT(values(timeline, id, at(8.5), at(30)), ElementsAre(8, 9));
}

TEST(Timeline, AnUnreadSignalHasNothing) {
  Timeline timeline;
  const SignalId id = timeline.add(signal("a"));
  EXPECT_TRUE(timeline.slice(id, at(0), at(10)).empty());
  EXPECT_EQ(timeline.first(id), std::nullopt);
  EXPECT_EQ(timeline.last(id), std::nullopt);
  EXPECT_EQ(timeline.sample_count(id), 0U);
}

TEST(Timeline, TimesThatFallAreRefusedAndCounted) {
  Timeline timeline;
  const SignalId id = timeline.add(signal("a"));
  timeline.append(id, {at(2), 1.0, 0.0F});
  timeline.append(id, {at(1), 2.0, 0.0F});
  timeline.append(id, {at(2), 3.0, 0.0F});
  EXPECT_EQ(timeline.sample_count(id), 2U);
  EXPECT_EQ(timeline.dropped_out_of_order(id), 1U);
  EXPECT_EQ(timeline.last(id)->value, 3.0);
}

TEST(Timeline, SpilledSamplesReadBackAsTheyWere) {
  TimelineOptions small;
  small.memory_samples = 2048;
  Timeline timeline(small);
  const SignalId a = timeline.add(signal("a"));
  const SignalId b = timeline.add(signal("b"));
  std::mt19937_64 random(1);
  std::vector<double> expected;
  for (int i = 0; i < 20000; ++i) {
    const double value = std::uniform_real_distribution<double>()(random);
    expected.push_back(value);
    timeline.append(a, {at(i), value, 0.5F});
    timeline.append(b, {at(i), -value, 0.25F});
  }
  ASSERT_EQ(timeline.spill_error(), std::nullopt) << timeline.spill_error()->text();
  EXPECT_LE(timeline.samples_in_memory(), 2048U + 512U);
  EXPECT_EQ(timeline.total_samples(), 40000U);
  EXPECT_EQ(timeline.first(a)->value, expected.front());

  std::size_t seen = 0;
  timeline.visit(a, at(0), at(20000), [&](const Sample& s) {
    ASSERT_EQ(s.value, expected[seen]);
    ASSERT_EQ(s.time, at(static_cast<double>(seen)));
    ASSERT_EQ(s.half_width_s, 0.5F);
    ++seen;
  });
  EXPECT_EQ(seen, expected.size());
  EXPECT_THAT(values(timeline, b, at(700), at(701)),
              ElementsAre(-expected[699], -expected[700], -expected[701], -expected[702]));
}

TEST(Timeline, TheSpillFileLeavesNothingBehind) {
  auto folder = TemporaryFolder::create("ergo-spill");
  ASSERT_TRUE(folder) << folder.error().text();
  TimelineOptions small;
  small.memory_samples = 512;
  small.spill_folder = folder->path();
  Timeline timeline(small);
  const SignalId id = timeline.add(signal("a"));
  fill(timeline, id, 5000);
  EXPECT_EQ(timeline.spill_error(), std::nullopt);
  EXPECT_TRUE(std::filesystem::is_empty(folder->path()));
}

TEST(Timeline, WithoutAPlaceToSpillItGoesOnAndSaysSoOnce) {
  TimelineOptions small;
  small.memory_samples = 1024;
  small.spill_folder = "/nonexistent/ergo";
  Timeline timeline(small);
  const SignalId id = timeline.add(signal("a"));
  fill(timeline, id, 10000);
  ASSERT_TRUE(timeline.spill_error());
  EXPECT_THAT(timeline.spill_error()->text(), HasSubstr("/nonexistent/ergo"));
  // The newest are kept, the lost ones are one gap, and of each lost stretch its ends are known.
  EXPECT_THAT(values(timeline, id, at(9998), at(9999)), ElementsAre(9997, 9998, 9999));
  const auto gaps = timeline.gaps();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps.front().from, at(0));
  EXPECT_GT(gaps.front().to, at(8000));
  EXPECT_EQ(timeline.first(id)->value, 0.0);
  EXPECT_LE(timeline.samples_in_memory(), 1024U + 512U);
}

/// Refuses files beyond a size, as a full disk would.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST(Timeline, ADiskThatFillsUpLosesOnlyTheOldestOfWhatFollows) {
  const FileSizeLimit limit(rlim_t{64} * 1024);
  TimelineOptions small;
  small.memory_samples = 1024;
  Timeline timeline(small);
  const SignalId id = timeline.add(signal("a"));
  fill(timeline, id, 20000);
  ASSERT_TRUE(timeline.spill_error());
  EXPECT_THAT(values(timeline, id, at(100), at(101)), ElementsAre(99, 100, 101, 102));
  EXPECT_THAT(values(timeline, id, at(19999), at(19999)), ElementsAre(19998, 19999));
  EXPECT_EQ(timeline.total_samples(), 20000U);
}

TEST(Timeline, GapsThatTouchBecomeOne) {
  Timeline timeline;
  const SignalId id = timeline.add(signal("a"));
  timeline.add_gap({id, at(1), at(2), "slow"});
  timeline.add_gap({id, at(2), at(3), "slow"});
  timeline.add_gap({id, at(5), at(6), "slow"});
  timeline.add_gap({std::nullopt, at(5), at(6), "slow"});
  const auto gaps = timeline.gaps();
  ASSERT_EQ(gaps.size(), 3U);
  EXPECT_EQ(gaps[0].from, at(1));
  EXPECT_EQ(gaps[0].to, at(3));
}

TEST(Timeline, AFloodOfGapsDoesNotGrowWithoutBound) {
  Timeline timeline;
  const SignalId id = timeline.add(signal("a"));
  for (int i = 0; i < 200000; ++i)
    timeline.add_gap({id, at(2 * i), at(2 * i + 1), "slow"});
  EXPECT_LE(timeline.gaps().size(), 65536U);
  EXPECT_EQ(timeline.gaps().back().to, at(2 * 199999 + 1));
}

}  // namespace
}  // namespace ergo
