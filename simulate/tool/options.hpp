#pragma once
// The command line of ergo-sim as data.

#include "ergo/core/result.hpp"
#include "node.hpp"
#include "sysfs_tree.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace ergo::sim {

/// What the user typed to describe a node.
struct NodeArguments {
  std::string gpus = "v100";
  int packages = 1;
  std::uint64_t seed = 1;
  std::string gain = "drawn";
  double gain_u95 = 0.05;
  std::string load = "idle";
  std::string cpu_load;
  double compute = 0.8;
  double memory = 0.5;
  double memory_bound = 0.3;
  double period_s = 0.73;
  double duty = 0.5;
  double noise = 0.0;
  bool manual_clock = false;
  std::string permission = "allowed";
  bool clamp_limits = false;
  bool counter_exact = false;
  double heat_drift = 0.0;
  double wrap_j = 0.0;
  std::uint32_t latency_us = 0;
  std::string driver;
  std::vector<std::string> lost;
  std::vector<std::string> reset;
  std::vector<std::string> external_limits;
  std::vector<std::string> sysfs{"rapl"};
  std::uint64_t max_energy_range_uj = SysfsOptions{}.max_energy_range_uj;
  std::filesystem::path folder;
  std::filesystem::path library;
  int parent_pid = 0;
};

/// Adds the options above to a command.
void add_node_options(CLI::App& command, NodeArguments& arguments);

/// Errors: invalid_argument, and whatever reading a trace file says.
Result<NodeOptions> node_options(const NodeArguments& arguments);
Result<SysfsOptions> sysfs_options(const NodeArguments& arguments);

}  // namespace ergo::sim
