#pragma once
// A simulated node with one GPU, and an environment in which a monitor finds nothing else.

#include "ergo/core/environment.hpp"
#include "ergo/core/files.hpp"
#include "node.hpp"

#include <stdlib.h>

#include <utility>

namespace ergo::testing {

class MonitoredNode {
 public:
  explicit MonitoredNode(const std::string& preset = "t4", bool manual_clock = true)
      : folder_(TemporaryFolder::create("ergo-monitor-test").value()),
        node_(sim::Node::create(folder_.path() / "state", options(preset, manual_clock)).value()) {
    std::filesystem::create_directories(folder_.path() / "sys");
    std::filesystem::create_directories(folder_.path() / "proc");
    ::setenv(sim::kStateVariable, (folder_.path() / "state").c_str(), 1);
  }
  ~MonitoredNode() { ::unsetenv(sim::kStateVariable); }
  MonitoredNode(const MonitoredNode&) = delete;
  MonitoredNode& operator=(const MonitoredNode&) = delete;

  [[nodiscard]] Environment environment() const {
    Environment e;
    e.sysfs = folder_.path() / "sys";
    e.sysfs_replaced = true;
    e.procfs = folder_.path() / "proc";
    e.state_dir = folder_.path();
    e.nvml_library = ERGO_SIM_NVML;
    return e;
  }
  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  [[nodiscard]] sim::Node& node() { return node_; }
  [[nodiscard]] double truth(std::int64_t from_ns, std::int64_t to_ns) {
    return node_.gpu_energy_j(0, from_ns, to_ns);
  }

 private:
  static sim::NodeOptions options(const std::string& preset, bool manual_clock) {
    sim::NodeOptions o;
    o.packages = 0;
    o.manual_clock = manual_clock;
    sim::GpuOptions& gpu = o.gpus.emplace_back();
    gpu.preset = preset;
    gpu.gain = 1.0;
    gpu.load.kind = sim::LoadKind::square;
    return o;
  }

  TemporaryFolder folder_;
  sim::Node node_;
};

}  // namespace ergo::testing
