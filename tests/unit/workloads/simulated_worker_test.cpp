#include "ergo/core/files.hpp"
#include "node.hpp"
#include "synthetic/synthetic.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace ergo::workload {
namespace {

/// A simulated V100 whose clock moves only when somebody works on it.
class SimulatedWorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    sim::NodeOptions options;
    options.gpus.resize(1);
    options.manual_clock = true;
    const auto file = folder_->path() / "state";
    auto node = sim::Node::create(file, options);
    ASSERT_TRUE(node.ok()) << node.error().text();
    node_.emplace(std::move(node).value());
    setenv("ERGO_SIM_STATE", file.c_str(), 1);
  }
  void TearDown() override { unsetenv("ERGO_SIM_STATE"); }

  SyntheticReport run(const SyntheticOptions& options) {
    auto worker = make_simulated_worker(0);
    EXPECT_TRUE(worker.ok());
    auto report = run_synthetic(options, **worker);
    EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().text());
    return std::move(report).value();
  }

  Result<TemporaryFolder> folder_ = TemporaryFolder::create("ergo-simulated");
  std::optional<sim::Node> node_;
};

TEST_F(SimulatedWorkerTest, WorkTakesSimulatedTimeAndEnergy) {
  SyntheticOptions options;
  options.iterations = 10;
  options.iteration = Seconds(0.1);
  options.compute = 0.3;
  const std::int64_t before = node_->now_ns();
  const SyntheticReport report = run(options);
  EXPECT_NEAR(report.duration.value(), 1.0, 0.05);
  const double joules = node_->gpu_energy_j(0, before, node_->now_ns());
  EXPECT_GT(joules, 40.0);
}

TEST_F(SimulatedWorkerTest, APowerLimitSlowsTheWork) {
  SyntheticOptions options;
  options.iterations = 20;
  options.iteration = Seconds(0.1);
  options.compute = 1.0;
  options.memory_bound = 0.1;
  const double free = run(options).duration.value();
  node_->update(0, [](sim::Gpu& gpu) { gpu.limit_mw = 150'000; });
  const double limited = run(options).duration.value();
  EXPECT_GT(limited, 1.1 * free);
}

TEST_F(SimulatedWorkerTest, PausesOfBurstsTakeTimeButLittleEnergy) {
  SyntheticOptions options;
  options.iterations = 10;
  options.iteration = Seconds(0.1);
  options.compute = 0.9;
  const std::int64_t t0 = node_->now_ns();
  run(options);
  const std::int64_t t1 = node_->now_ns();
  options.burst_period = Seconds(0.2);
  options.duty = 0.5;
  run(options);
  const std::int64_t t2 = node_->now_ns();
  const double steady_w = node_->gpu_energy_j(0, t0, t1) / (static_cast<double>(t1 - t0) * 1e-9);
  const double burst_w = node_->gpu_energy_j(0, t1, t2) / (static_cast<double>(t2 - t1) * 1e-9);
  EXPECT_NEAR(static_cast<double>(t2 - t1), 2.0 * static_cast<double>(t1 - t0),
              0.1 * static_cast<double>(t2 - t1));
  EXPECT_LT(burst_w, 0.8 * steady_w);
}

TEST_F(SimulatedWorkerTest, AGpuThatIsNotThereIsRefused) {
  const auto worker = make_simulated_worker(5);
  ASSERT_FALSE(worker.ok());
  EXPECT_EQ(worker.error().code, Errc::invalid_argument);
}

TEST(SimulatedWorker, WithoutANodeSaysSo) {
  setenv("ERGO_SIM_STATE", "/nonexistent/state", 1);
  const auto worker = make_simulated_worker(0);
  unsetenv("ERGO_SIM_STATE");
  ASSERT_FALSE(worker.ok());
  EXPECT_EQ(worker.error().code, Errc::not_found);
}

}  // namespace
}  // namespace ergo::workload
