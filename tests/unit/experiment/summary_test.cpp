#include "ergo/experiment/summary.hpp"

#include <gtest/gtest.h>

namespace ergo {
namespace {

RunRecord run_of(double joules, double half, int exit_code = 0, bool warmup = false) {
  RunRecord run;
  run.duration = Seconds(joules / 100);
  run.exit_code = exit_code;
  run.warmup = warmup;
  ChannelEnergy e;
  e.channel = "gpu0";
  e.joules = Joules(joules);
  e.low = Joules(joules - half);
  e.high = Joules(joules + half);
  run.energy = {e};
  return run;
}

WindowRecord window(std::string name, double start, double duration,
                    std::optional<std::int64_t> count, double joules) {
  WindowRecord w;
  w.name = std::move(name);
  w.start = Seconds(start);
  w.duration = Seconds(duration);
  w.count = count;
  w.total.measured = Joules(joules);
  return w;
}

TEST(RunSummary, WarmUpsAndFailuresDoNotCount) {
  const auto s =
      summarize({run_of(1000, 1, 0, true), run_of(100, 1), run_of(5000, 1, 1), run_of(102, 1)});
  EXPECT_EQ(s.repeats, 2);
  EXPECT_DOUBLE_EQ(s.energy_j.at("gpu0").value, 101);
}

TEST(RunSummary, OneRunKeepsItsOwnInterval) {
  const auto s = summarize({run_of(100, 5)});
  EXPECT_DOUBLE_EQ(s.energy_j.at("gpu0").low, 95);
  EXPECT_DOUBLE_EQ(s.energy_j.at("gpu0").high, 105);
  EXPECT_DOUBLE_EQ(s.duration_s.low, s.duration_s.high);
}

TEST(RunSummary, RepeatsNeverNarrowTheGain) {
  std::vector<RunRecord> runs(20, run_of(100, 5));
  const auto s = summarize(runs);
  EXPECT_LE(s.energy_j.at("gpu0").low, 95);
  EXPECT_GE(s.energy_j.at("gpu0").high, 105);
}

TEST(RunSummary, AChannelThatDiedInOneRunHasNoMedian) {
  auto runs = std::vector{run_of(100, 5), run_of(100, 5)};
  runs[1].energy.clear();
  EXPECT_TRUE(summarize(runs).energy_j.empty());
}

TEST(RunSummary, NoGoodRunMeansNoNumbers) {
  EXPECT_EQ(summarize({run_of(100, 5, 3)}).repeats, 0);
}

TEST(Items, AreTheOutermostCountedWindows) {
  const std::vector<WindowRecord> windows{
      window("fit", 0, 10, std::nullopt, 1000), window("epoch", 0, 5, 100, 500),
      window("step", 1, 1, 10, 90), window("epoch", 5, 5, 100, 480), window("step", 6, 1, 10, 90)};
  const auto items = items_of(windows);
  ASSERT_TRUE(items);
  EXPECT_EQ(items->window, "epoch");
  EXPECT_EQ(items->count, 200);
  EXPECT_DOUBLE_EQ(items->total.measured->value(), 980);
  EXPECT_DOUBLE_EQ(items->duration.value(), 10);
}

TEST(Items, WithoutCountsThereAreNone) {
  EXPECT_FALSE(items_of({window("epoch", 0, 1, std::nullopt, 5)}));
}

TEST(Items, AWindowWithoutEnergyLeavesTheSumUnknown) {
  std::vector<WindowRecord> windows{window("epoch", 0, 5, 100, 500),
                                    window("epoch", 5, 5, 100, 500)};
  windows[1].total.measured.reset();
  EXPECT_FALSE(items_of(windows)->total.measured);
}

ChannelEnergy idle_and_share(double joules) {
  ChannelEnergy e;
  e.channel = "gpu0";
  e.joules = Joules(joules);
  e.idle = Joules(joules * 0.4);
  e.net = Joules(joules * 0.6);
  e.process = Joules(joules * 0.9);
  return e;
}

TEST(Items, IdleNetAndTheProcessesPartAreSumsOverAllWindows) {
  auto windows = std::vector{window("epoch", 0, 1, 10, 100), window("epoch", 1, 1, 10, 300)};
  windows[0].energy = {idle_and_share(100)};
  windows[1].energy = {idle_and_share(300)};
  const auto items = items_of(windows);
  ASSERT_TRUE(items);
  ASSERT_EQ(items->energy.size(), 1U);
  EXPECT_DOUBLE_EQ(items->energy[0].joules.value(), 400);
  EXPECT_DOUBLE_EQ(items->energy[0].idle->value(), 160);
  EXPECT_DOUBLE_EQ(items->energy[0].net->value(), 240);
  EXPECT_DOUBLE_EQ(items->energy[0].process->value(), 360);
}

TEST(Items, ASumThatOneWindowCannotAddToIsAbsent) {
  auto windows = std::vector{window("epoch", 0, 1, 10, 100), window("epoch", 1, 1, 10, 300)};
  windows[0].energy = {idle_and_share(100)};
  windows[1].energy = {idle_and_share(300)};
  windows[1].energy[0].process.reset();
  const auto items = items_of(windows);
  EXPECT_FALSE(items->energy[0].process);
  EXPECT_TRUE(items->energy[0].net);
}

}  // namespace
}  // namespace ergo
