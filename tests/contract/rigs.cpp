#include "contract/fake_root.hpp"
#include "contract/rig.hpp"
#include "node.hpp"
#include "sensors/estimate/estimate.hpp"
#include "sensors/hwmon/hwmon.hpp"
#include "sensors/meter/meter.hpp"
#include "sensors/nvml/nvml.hpp"
#include "sensors/process/process.hpp"
#include "sensors/rapl/rapl.hpp"
#include "sysfs_tree.hpp"
#include "unit/sensors/hwmon/gpu_bytes.hpp"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

namespace ergo::testing {
namespace {

constexpr Instant begin{1'000'000'000'000};

/// A folder that a function rewrites as time passes.
class FolderRig : public Rig {
 public:
  /// `write(root, t)`: makes all files what they are `t` seconds after the begin.
  using Write = std::function<void(const FakeRoot& root, double t)>;
  using Look = void (*)(const DiscoveryContext&, Discovery&);

  FolderRig(Look look, Write write) : look_(look), write_(std::move(write)) { write_(root_, 0.0); }

  Discovery discover() override {
    Discovery found;
    look_(root_.context(), found);
    return found;
  }
  Clock& clock() override { return clock_; }
  void pass(Seconds time) override {
    clock_.advance(time);
    write_(root_, (clock_.now() - begin).value());
  }
  void vanish() override {
    root_.remove("sys");
    root_.remove("proc");
  }
  [[nodiscard]] std::filesystem::path folder() const override { return root_.path(); }

 protected:
  FakeRoot root_;
  ManualClock clock_{begin};

 private:
  Look look_;
  Write write_;
};

std::string microjoules(double joules) {
  return std::to_string(std::llround(joules * 1e6)) + "\n";
}

void write_powercap(const FakeRoot& root, double t) {
  // Wraps every 43 s at 100 W.
  const std::string range = "4294967295";
  const auto raw = [&](double watts) {
    return std::llround((500 + watts * t) * 1e6) % 4'294'967'296;
  };
  root.add_zone("intel-rapl:0", "package-0", raw(100), range);
  root.add_zone("intel-rapl:0/intel-rapl:0:0", "core", raw(60), range);
  root.add_zone("intel-rapl:0/intel-rapl:0:1", "dram", raw(20), range);
  root.add_zone("intel-rapl:1", "package-1", raw(90), range);
  root.add_zone("intel-rapl:2", "psys", raw(200), range);
  root.add_zone("intel-rapl-mmio:0", "package-0", raw(100), range);
}

void write_amdgpu(const FakeRoot& root, double t) {
  const std::string hwmon = root.add_card(0, "0x1002", "amdgpu");
  root.write(hwmon + "/power1_average", "150000000\n");
  root.write(hwmon + "/power1_cap", "300000000\n");
  root.write(FakeRoot::card_folder(0) + "/gpu_metrics",
             gpu_metrics(3, static_cast<std::uint64_t>((10 + 150 * t) * 65536),
                         static_cast<std::uint64_t>((5 + t) * 1e9), 150));
}

void write_intel_gpu(const FakeRoot& root, double t) {
  for (int card = 0; card < 2; ++card) {
    const std::string hwmon = root.add_card(card, "0x8086", card == 0 ? "i915" : "xe");
    root.write(hwmon + "/energy1_input", microjoules(10 + 40 * t));
    root.write(hwmon + "/power1_max", "190000000\n");
  }
}

void write_chips(const FakeRoot& root, double t) {
  const std::string acpi = root.add_chip(0, "power_meter");
  root.write(acpi + "/power1_average", "250000000\n");
  root.write(acpi + "/power1_average_interval", "1000\n");
  const std::string ina = root.add_chip(1, "ina3221");
  root.write(ina + "/in1_label", "VDD_IN\n");
  root.write(ina + "/in1_input", "5000\n");
  root.write(ina + "/curr1_input", "2000\n");
  const std::string other = root.add_chip(2, "occ");
  root.write(other + "/energy1_input", microjoules(1 + 30 * t));
  root.write(other + "/power2_input", "3000000\n");
}

void write_battery(const FakeRoot& root, double) {
  root.write("sys/class/power_supply/BAT0/type", "Battery\n");
  root.write("sys/class/power_supply/BAT0/status", "Discharging\n");
  root.write("sys/class/power_supply/BAT0/power_now", "12500000\n");
}

void write_estimate(const FakeRoot& root, double t) {
  root.add_cpuinfo("GenuineIntel", "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", 2, "");
  root.set_stat(1000 + std::llround(50 * t), 9000 + std::llround(150 * t));
}

/// A wattmeter whose program appends to a file.
class MeterRig final : public FolderRig {
 public:
  MeterRig() : FolderRig(nullptr, [](const FakeRoot& root, double t) { append(root, t); }) {}
  Discovery discover() override {
    auto sensor = meter::open("file=" + (root_.path() / "meter.csv").string() + ";value=watts");
    EXPECT_TRUE(sensor.ok()) << (sensor.ok() ? "" : sensor.error().text());
    Discovery found;
    if (sensor) found.sensors.push_back(std::move(*sensor));
    append(root_, 0.5);
    return found;
  }
  void vanish() override { root_.remove("meter.csv"); }
  // Its file is written by the meter's program, here the rig itself.
  [[nodiscard]] std::filesystem::path folder() const override { return {}; }

 private:
  static void append(const FakeRoot& root, double t) {
    std::ofstream(root.path() / "meter.csv", std::ios::app)
        << (t == 0 ? "seconds,watts\n" : "") << t << ",230.5\n";
  }
};

/// Simulation time: the clock of the node.
class NodeClock final : public Clock {
 public:
  explicit NodeClock(sim::Node& node) : node_(node) {}
  [[nodiscard]] Instant now() const noexcept override { return Instant{node_.now_ns()}; }
  bool sleep_until(Instant t, std::stop_token stop) override {
    node_.set_time_ns(t.ns);
    return !stop.stop_requested();
  }
  [[nodiscard]] WallAnchor wall() const override {
    return {Instant{0}, node_.info().unix_offset_ns};
  }

 private:
  sim::Node& node_;
};

/// The simulated node: its NVML library, or its sysfs tree with everything in it.
class NodeRig final : public Rig {
 public:
  explicit NodeRig(bool nvml)
      : nvml_(nvml), folder_(std::move(TemporaryFolder::create("ergo-contract").value())) {
    sim::NodeOptions options;
    options.manual_clock = true;
    for (const char* preset : {"v100", "a100"}) {
      sim::GpuOptions gpu;
      gpu.preset = preset;
      options.gpus.push_back(gpu);
    }
    node_ =
        std::make_unique<sim::Node>(sim::Node::create(folder_.path() / "state", options).value());
    clock_ = std::make_unique<NodeClock>(*node_);
    clock_->sleep_until(clock_->now() + Seconds(10), {});
    ::setenv(sim::kStateVariable, (folder_.path() / "state").c_str(), 1);
    if (nvml_) return;
    sim::SysfsOptions tree;
    tree.psys = true;
    tree.amdgpu = sim::AmdMetrics::v1_4;
    tree.xe = tree.i915 = tree.acpi_power_meter = tree.ina = tree.battery = true;
    tree_ = std::make_unique<sim::SysfsTree>(
        sim::SysfsTree::make(folder_.path() / "sys", *node_, tree).value());
  }
  ~NodeRig() override { ::unsetenv(sim::kStateVariable); }

  Discovery discover() override {
    DiscoveryContext context;
    context.environment.sysfs = folder_.path() / "sys";
    context.environment.sysfs_replaced = true;
    context.environment.procfs = folder_.path() / "proc";
    context.environment.nvml_library =
        nvml_ ? ERGO_SIM_NVML : (folder_.path() / "none.so").string();
    context.gpus.mode = GpuSelection::Mode::all;
    Discovery found;
    if (nvml_) {
      nvml::discover(context, found);
    } else {
      rapl::discover(context, found);
      hwmon::discover(context, found);
    }
    return found;
  }
  Clock& clock() override { return *clock_; }
  void pass(Seconds time) override {
    clock_->sleep_until(clock_->now() + time, {});
    if (!tree_) return;
    EXPECT_TRUE(tree_->update(*node_).ok());
  }
  void vanish() override {
    if (tree_) {
      std::filesystem::remove_all(folder_.path() / "sys");
      return;
    }
    for (std::size_t i = 0; i < node_->gpu_count(); ++i) {
      node_->update(i, [](sim::Gpu& gpu) { gpu.faults.lost_at_ns = gpu.now_ns; });
    }
    pass(Seconds(1));
  }
  [[nodiscard]] std::filesystem::path folder() const override {
    return nvml_ ? std::filesystem::path() : folder_.path() / "sys";
  }

 private:
  bool nvml_;
  TemporaryFolder folder_;
  std::unique_ptr<sim::Node> node_;
  std::unique_ptr<NodeClock> clock_;
  std::unique_ptr<sim::SysfsTree> tree_;
};

/// A process that sleeps, seen through the true /proc.
class ProcessRig final : public Rig {
 public:
  ProcessRig() : pid_(::fork()) {
    if (pid_ == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  ~ProcessRig() override { end(); }
  Discovery discover() override {
    Discovery found;
    auto sensor = process::open(pid_, Environment{});
    EXPECT_TRUE(sensor.ok()) << (sensor.ok() ? "" : sensor.error().text());
    if (sensor) found.sensors.push_back(std::move(*sensor));
    return found;
  }
  Clock& clock() override { return clock_; }
  void pass(Seconds time) override { clock_.advance(time); }
  void vanish() override { end(); }

 private:
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  pid_t pid_;
  ManualClock clock_{begin};
};

RigMaker folder_rig(std::string name, FolderRig::Look look, FolderRig::Write write) {
  return {std::move(name), [=] { return std::make_unique<FolderRig>(look, write); }};
}

}  // namespace

std::vector<RigMaker> all_rigs() {
  return {folder_rig("RaplPowercap", rapl::discover, write_powercap),
          folder_rig("AmdGpu", hwmon::discover, write_amdgpu),
          folder_rig("IntelGpu", hwmon::discover, write_intel_gpu),
          folder_rig("BoardMeters", hwmon::discover, write_chips),
          folder_rig("Battery", hwmon::discover, write_battery),
          folder_rig("Estimate", estimate::discover, write_estimate),
          {"Meter", [] { return std::make_unique<MeterRig>(); }},
          {"Process", [] { return std::make_unique<ProcessRig>(); }},
          {"SimulatedNvml", [] { return std::make_unique<NodeRig>(true); }},
          {"SimulatedSysfs", [] { return std::make_unique<NodeRig>(false); }}};
}

}  // namespace ergo::testing
