#include "load.hpp"

#include <gtest/gtest.h>

namespace ergo::sim {
namespace {

LoadSpec spec_of(LoadKind kind) {
  LoadSpec spec;
  spec.kind = kind;
  return spec;
}

// Share of the time and mean level over the first `pieces` pieces.
struct Seen {
  double on_s = 0.0;
  double all_s = 0.0;
};

Seen watch(const LoadSpec& spec, int pieces) {
  Seen seen;
  RunningLoad load = start_load(spec, 0);
  std::int64_t from = 0;
  for (int i = 0; i < pieces; ++i) {
    const double s = static_cast<double>(load.next_edge_ns - from) * 1e-9;
    seen.all_s += s;
    if (load.now.active()) seen.on_s += s;
    from = load.next_edge_ns;
    pass_edge(load);
  }
  return seen;
}

TEST(Load, IdleAndSteadyNeverChange) {
  const RunningLoad idle = start_load(spec_of(LoadKind::idle), 5);
  EXPECT_FALSE(idle.now.active());
  EXPECT_EQ(idle.next_edge_ns, kNever);
  const RunningLoad steady = start_load(spec_of(LoadKind::steady), 5);
  EXPECT_EQ(steady.now.compute, 0.8);
  EXPECT_EQ(steady.next_edge_ns, kNever);
}

TEST(Load, ASquareWaveKeepsItsPeriodAndDuty) {
  LoadSpec spec = spec_of(LoadKind::square);
  spec.duty = 0.3;
  const Seen seen = watch(spec, 200);
  EXPECT_NEAR(seen.all_s, 100 * spec.period_s, 1e-6);
  EXPECT_NEAR(seen.on_s / seen.all_s, 0.3, 1e-6);
}

TEST(Load, BurstsAreRandomWithTheRightMean) {
  LoadSpec spec = spec_of(LoadKind::bursty);
  const Seen seen = watch(spec, 20'000);
  EXPECT_NEAR(seen.on_s / seen.all_s, 0.5, 0.02);
  spec.seed = 2;
  EXPECT_NE(watch(spec, 100).all_s, watch(spec_of(LoadKind::bursty), 100).all_s);
}

TEST(Load, TheSameSeedGivesTheSameLoad) {
  const LoadSpec spec = spec_of(LoadKind::bursty);
  RunningLoad a = start_load(spec, 100);
  RunningLoad b = start_load(spec, 100);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(a.next_edge_ns, b.next_edge_ns);
    ASSERT_EQ(a.now.compute, b.now.compute);
    pass_edge(a);
    pass_edge(b);
  }
}

TEST(Load, NoiseMovesTheLevelAndKeepsItInRange) {
  LoadSpec spec = spec_of(LoadKind::steady);
  spec.noise = 0.5;
  RunningLoad load = start_load(spec, 0);
  double low = 1.0;
  double high = 0.0;
  for (int i = 0; i < 1000; ++i) {
    low = std::min(low, load.now.compute);
    high = std::max(high, load.now.compute);
    pass_edge(load);
  }
  EXPECT_GT(low, 0.0);
  EXPECT_LE(high, 1.0);
  EXPECT_GT(high - low, 0.3);
}

TEST(Load, ATraceRepeats) {
  LoadSpec spec = spec_of(LoadKind::trace);
  spec.phase_count = 2;
  spec.trace[0] = {0.5, {1.0, 0.0, 0.0}};
  spec.trace[1] = {0.25, {0.25, 0.5, 0.0}};
  RunningLoad load = start_load(spec, 0);
  EXPECT_EQ(load.next_edge_ns, 500'000'000);
  pass_edge(load);
  EXPECT_EQ(load.now.memory, 0.5);
  EXPECT_EQ(load.next_edge_ns, 750'000'000);
  pass_edge(load);
  EXPECT_EQ(load.now.compute, 1.0);
}

}  // namespace
}  // namespace ergo::sim
