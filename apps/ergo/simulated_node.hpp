#pragma once
// `--sim v100,t4`: a simulated GPU node in place of this machine's sensors, for the length of the
// command.

#include "ergo/core/result.hpp"

#include <string>

namespace ergo::cli {

/// Runs `ergo-sim serve` beside this process and points ERGO_NVML, ERGO_SYSFS and ERGO_SIM_STATE at
/// it, here and in every child. The node ends with the object, and by itself when this process
/// dies.
class SimulatedNode {
 public:
  /// `models`: "v100", "v100,t4". Errors: not_found (ergo-sim is not installed beside ergo), or
  /// what it says.
  static Result<SimulatedNode> start(const std::string& models, unsigned long long seed);
  SimulatedNode(SimulatedNode&& o) noexcept;
  SimulatedNode& operator=(SimulatedNode&& o) noexcept;
  ~SimulatedNode();

 private:
  explicit SimulatedNode(int pid) : pid_(pid) {}
  int pid_ = -1;
};

}  // namespace ergo::cli
