#include "synthetic/synthetic.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ergo::workload {
namespace {

/// Works at a given speed on a clock of its own and writes down what it was told.
class ScriptedWorker final : public Worker {
 public:
  explicit ScriptedWorker(double speed = 1.0) : speed_(speed) {}

  Result<Seconds> run(const WorkDemand& demand, Seconds work) override {
    if (--runs_left_ < 0) return Error{Errc::lost, "gone", ""};
    last_ = demand;
    busy_ += work;
    now_ = now_ + work / speed_;
    return work / speed_;
  }
  Result<void> pause(Seconds time) override {
    idle_ += time;
    now_ = now_ + time;
    return {};
  }
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] std::string description() const override { return "script"; }

  void fail_after(int runs) { runs_left_ = runs; }
  [[nodiscard]] double busy() const { return busy_.value(); }
  [[nodiscard]] double idle() const { return idle_.value(); }
  [[nodiscard]] const WorkDemand& last() const { return last_; }

 private:
  double speed_;
  Instant now_;
  Seconds busy_, idle_;
  WorkDemand last_;
  int runs_left_ = 1'000'000;
};

TEST(Synthetic, IterationsStopItAndLatenciesFollowTheSpeed) {
  SyntheticOptions options;
  options.iterations = 8;
  options.iteration = Seconds(0.1);
  options.compute = 0.7;
  ScriptedWorker slow(0.5);
  const auto report = run_synthetic(options, slow);
  ASSERT_TRUE(report.ok()) << report.error().text();
  ASSERT_EQ(report->latencies.size(), 8u);
  EXPECT_NEAR(report->latencies[3].value(), 0.2, 1e-9);
  EXPECT_NEAR(report->duration.value(), 1.6, 1e-6);
  EXPECT_DOUBLE_EQ(slow.last().compute, 0.7);
}

TEST(Synthetic, TimeStopsItAfterTheIterationThatPassesIt) {
  SyntheticOptions options;
  options.seconds = Seconds(1.0);
  options.iteration = Seconds(0.3);
  ScriptedWorker worker;
  EXPECT_EQ(run_synthetic(options, worker)->latencies.size(), 4u);
  options.seconds = Seconds(0.0);
  EXPECT_EQ(run_synthetic(options, worker)->latencies.size(), 1u);
}

TEST(Synthetic, BurstsPauseForTheRestOfTheirPeriod) {
  SyntheticOptions options;
  options.iterations = 10;
  options.iteration = Seconds(0.1);
  options.burst_period = Seconds(0.04);
  options.duty = 0.25;
  ScriptedWorker worker;
  ASSERT_TRUE(run_synthetic(options, worker).ok());
  EXPECT_NEAR(worker.busy(), 1.0, 1e-6);
  EXPECT_NEAR(worker.idle(), 3.0, 1e-6);
}

TEST(Synthetic, BurstsRunThroughIterationsShorterThanThey) {
  SyntheticOptions options;
  options.iterations = 100;
  options.iteration = Seconds(0.01);
  options.burst_period = Seconds(1.0);
  options.duty = 0.5;
  ScriptedWorker worker;
  const auto report = run_synthetic(options, worker);
  EXPECT_NEAR(worker.idle(), 1.0, 1e-6);
  EXPECT_NEAR(report->latencies[0].value(), 0.01, 1e-6);
  EXPECT_NEAR(report->latencies[49].value(), 0.51, 1e-6);
}

TEST(Synthetic, WhatMakesNoSenseIsRefused) {
  ScriptedWorker worker;
  const auto refused = [&](auto change) {
    SyntheticOptions options;
    options.iterations = 1;
    change(options);
    const auto report = run_synthetic(options, worker);
    return !report.ok() && report.error().code == Errc::invalid_argument;
  };
  EXPECT_TRUE(refused([](auto& o) { o.iterations.reset(); }));
  EXPECT_TRUE(refused([](auto& o) { o.compute = 1.1; }));
  EXPECT_TRUE(refused([](auto& o) { o.memory = -0.1; }));
  EXPECT_TRUE(refused([](auto& o) { o.memory_bound = 2; }));
  EXPECT_TRUE(refused([](auto& o) { o.duty = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.iteration = Seconds(0); }));
  EXPECT_TRUE(refused([](auto& o) { o.burst_period = Seconds(-1); }));
}

TEST(Synthetic, ADeviceThatDiesEndsItWithTheDevicesError) {
  SyntheticOptions options;
  options.iterations = 10;
  ScriptedWorker worker;
  worker.fail_after(3);
  const auto report = run_synthetic(options, worker);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Errc::lost);
}

TEST(Synthetic, OnTheRealCpuItTakesAtLeastItsTime) {
  SyntheticOptions options;
  options.iterations = 2;
  options.iteration = Seconds(0.01);
  const auto worker = make_cpu_worker();
  const auto report = run_synthetic(options, *worker);
  ASSERT_TRUE(report.ok());
  EXPECT_GE(report->latencies[0].value(), 0.01);
}

}  // namespace
}  // namespace ergo::workload
