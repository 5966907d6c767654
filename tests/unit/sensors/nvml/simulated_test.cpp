// The backend against the simulated node's own NVML library, which knows the truth.
#include "ergo/core/files.hpp"
#include "ergo/sensors/probe.hpp"
#include "node.hpp"
#include "sensors/nvml/nvml.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <memory>
#include <optional>
#include <stdexcept>

namespace ergo::nvml {
namespace {

using ::testing::HasSubstr;

/// Simulation time: sleeping moves it.
class NodeClock final : public Clock {
 public:
  explicit NodeClock(sim::Node& node) : node_(node) {}
  [[nodiscard]] Instant now() const noexcept override { return Instant{node_.now_ns()}; }
  [[nodiscard]] WallAnchor wall() const override {
    return {now(), node_.now_ns() + node_.info().unix_offset_ns};
  }
  bool sleep_until(Instant t, std::stop_token stop) override {
    node_.set_time_ns(t.ns);
    return !stop.stop_requested();
  }

 private:
  sim::Node& node_;
};

class SimulatedNode : public ::testing::Test {
 protected:
  void make(const sim::NodeOptions& options) {
    auto created = sim::Node::create(folder_->path() / "state", options);
    ASSERT_TRUE(created.ok()) << created.error().text();
    node_ = std::make_unique<sim::Node>(std::move(created).value());
    clock_ = std::make_unique<NodeClock>(*node_);
    ::setenv(sim::kStateVariable, (folder_->path() / "state").c_str(), 1);
    DiscoveryContext context;
    context.environment.nvml_library = ERGO_SIM_NVML;
    context.environment.sysfs = folder_->path();
    context.environment.procfs = folder_->path();
    context.gpus.mode = GpuSelection::Mode::all;
    context.scope = scope_;
    nvml::discover(context, found_);
  }
  static sim::NodeOptions options_for(const std::vector<std::string>& presets, sim::LoadKind kind) {
    sim::NodeOptions options;
    options.manual_clock = true;
    for (const std::string& preset : presets) {
      sim::GpuOptions gpu;
      gpu.preset = preset;
      gpu.load.kind = kind;
      gpu.gain = 1.0;
      options.gpus.push_back(gpu);
    }
    return options;
  }
  double value(std::size_t gpu, const std::string& name) {
    Sensor& sensor = *found_.sensors.at(gpu);
    Batch batch;
    const auto result = sensor.read(*clock_, batch);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().text());
    for (const auto& entry : batch.entries()) {
      if (sensor.signals()[entry.signal].name == name) return entry.sample.value;
    }
    ADD_FAILURE() << name << " was not read";
    return 0;
  }
  static const SignalInfo& find_signal(const Sensor& sensor, const std::string& name) {
    for (const SignalInfo& info : sensor.signals()) {
      if (info.name == name) return info;
    }
    throw std::runtime_error("no signal " + name);
  }
  void pass(double seconds) { clock_->sleep_until(clock_->now() + Seconds(seconds), {}); }

  Result<TemporaryFolder> folder_ = TemporaryFolder::create("ergo-sim");
  std::unique_ptr<sim::Node> node_;
  std::unique_ptr<NodeClock> clock_;
  std::shared_ptr<const ProcessScope> scope_;
  Discovery found_;
};

TEST_F(SimulatedNode, EverythingItYieldsIsLabelledSimulated) {
  make(options_for({"v100", "t4", "k80", "a100", "h200"}, sim::LoadKind::steady));
  ASSERT_EQ(found_.gpus.size(), 5U);
  for (const GpuIdentity& gpu : found_.gpus) {
    EXPECT_TRUE(gpu.simulated);
    EXPECT_GT(gpu.power_limit_w, 0.0);
  }
  for (const auto& sensor : found_.sensors) {
    for (const SignalInfo& info : sensor->signals()) {
      EXPECT_EQ(info.provenance, Provenance::simulated) << info.name;
    }
  }
}

TEST_F(SimulatedNode, AgreesWithTheTableAboutHowItsSensorsWork) {
  make(options_for({"v100", "t4", "a100", "h200"}, sim::LoadKind::bursty));
  for (const auto& sensor : found_.sensors) {
    for (const SignalProbe& probe : probe_update_period(*sensor, *clock_).signals) {
      EXPECT_TRUE(probe.update_period.has_value()) << probe.signal;
      EXPECT_FALSE(probe.disagrees) << describe_disagreement(probe);
    }
  }
}

TEST_F(SimulatedNode, TheCounterOfAPerfectSensorCountsTheTrueEnergy) {
  sim::NodeOptions options = options_for({"v100", "h200"}, sim::LoadKind::square);
  options.counter_exact = true;
  make(options);
  for (std::size_t gpu : {0U, 1U}) {
    const std::string name = "nvml.total_energy@gpu" + std::to_string(gpu);
    const std::int64_t from = node_->now_ns();
    const double before = value(gpu, name);
    for (int tick = 0; tick < 100; ++tick) {
      pass(0.1);
      value(gpu, name);
    }
    const double counted = value(gpu, name) - before;
    const double truth = node_->gpu_energy_j(gpu, from, node_->now_ns());
    // What the counter may lag by: an update period at the highest power.
    const double period = find_signal(*found_.sensors[gpu], name).traits.update_period.value();
    const double edge = period * node_->gpu(gpu).preset().max_limit_w;
    ASSERT_GT(truth, 10 * edge);
    EXPECT_NEAR(counted, truth, edge);
  }
}

TEST_F(SimulatedNode, AGpuThatFallsOffTheBusIsLost) {
  sim::NodeOptions options = options_for({"v100", "v100"}, sim::LoadKind::steady);
  options.gpus[0].faults.lost_at_ns = 2 * sim::kNsPerSecond;
  make(options);
  value(0, "nvml.total_energy@gpu0");
  value(1, "nvml.total_energy@gpu1");
  pass(3.0);
  Batch batch;
  const auto result = found_.sensors[0]->read(*clock_, batch);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::lost);
  EXPECT_GT(value(1, "nvml.total_energy@gpu1"), 0.0);
}

TEST_F(SimulatedNode, ACounterThatIsResetGoesOnWithANotice) {
  sim::NodeOptions options = options_for({"v100"}, sim::LoadKind::steady);
  options.gpus[0].faults.counter_reset_at_ns = 5 * sim::kNsPerSecond;
  make(options);
  double last = value(0, "nvml.total_energy@gpu0");
  for (int tick = 0; tick < 100; ++tick) {
    pass(0.1);
    const double now = value(0, "nvml.total_energy@gpu0");
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_THAT(found_.sensors[0]->take_notices(), ::testing::ElementsAre(HasSubstr("began anew")));
}

TEST_F(SimulatedNode, MigModeIsSeen) {
  sim::NodeOptions options = options_for({"a100"}, sim::LoadKind::steady);
  options.gpus[0].faults.mig = 1;
  make(options);
  EXPECT_THAT(found_.warnings, ::testing::Contains(HasSubstr("MIG")));
  EXPECT_GE(value(0, "nvml.power_instant@gpu0"), 1.0);
}

TEST_F(SimulatedNode, AGpuWithoutPermissionIsMissingWithItsRemedy) {
  sim::NodeOptions options = options_for({"v100"}, sim::LoadKind::steady);
  options.gpus[0].faults.no_permission = 1;
  make(options);
  ASSERT_FALSE(found_.missing.empty());
  EXPECT_THAT(found_.missing[0].fix, HasSubstr("usermod"));
}

TEST_F(SimulatedNode, TheDriversRecordOfPowerLeavesNothingOutOnAnA100FromDriver580On) {
  sim::NodeOptions options = options_for({"a100"}, sim::LoadKind::bursty);
  options.gpus[0].gain = 1.0;
  make(options);
  Sensor& sensor = *found_.sensors.at(0);
  const Instant begin = clock_->now();
  double recorded = 0.0;
  std::optional<Sample> last;
  for (int tick = 0; tick < 100; ++tick) {
    pass(0.3);
    Batch batch;
    ASSERT_TRUE(sensor.read(*clock_, batch));
    for (const auto& entry : batch.entries()) {
      if (sensor.signals()[entry.signal].name != "nvml.power_samples@gpu0") continue;
      if (last && last->time > begin) {
        recorded += entry.sample.value * (entry.sample.time - last->time).value();
      }
      last = entry.sample;
    }
  }
  ASSERT_TRUE(last.has_value());
  const double truth = node_->gpu_energy_j(0, begin.ns, last->time.ns);
  EXPECT_NEAR(recorded / truth, 1.0, 0.01);
}

TEST_F(SimulatedNode, BeforeDriver580TheRecordOfAnA100IsNotUnderstoodAndNotUsed) {
  sim::NodeOptions options = options_for({"a100"}, sim::LoadKind::bursty);
  options.driver = "570.86.15";
  make(options);
  for (const SignalInfo& info : found_.sensors.at(0)->signals())
    EXPECT_NE(info.name, "nvml.power_samples@gpu0");
}

TEST_F(SimulatedNode, WithoutACounterEachReadOutArrivesOnceHoweverSeldomItIsAskedFor) {
  make(options_for({"k80"}, sim::LoadKind::bursty));
  Sensor& sensor = *found_.sensors.at(0);
  std::vector<Sample> samples;
  for (int tick = 0; tick < 40; ++tick) {
    pass(0.25);
    Batch batch;
    ASSERT_TRUE(sensor.read(*clock_, batch));
    for (const auto& entry : batch.entries()) {
      if (sensor.signals()[entry.signal].name == "nvml.power_samples@gpu0")
        samples.push_back(entry.sample);
    }
  }
  // Ten seconds, and what the driver had from before.
  ASSERT_GE(samples.size(), 100U);
  for (std::size_t i = 1; i < samples.size(); ++i)
    EXPECT_NEAR((samples[i].time - samples[i - 1].time).value(), 0.1, 2e-6);
  EXPECT_THAT(sensor.take_notices(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace ergo::nvml
