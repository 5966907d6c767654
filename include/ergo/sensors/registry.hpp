#pragma once
// Discovery: which sensors this machine has, what is missing, why, and the command that unlocks it.

#include "ergo/core/clock.hpp"
#include "ergo/core/environment.hpp"
#include "ergo/core/result.hpp"
#include "ergo/sensors/sensor.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ergo {

/// Which GPUs may be touched. An unselected GPU is never asked anything beyond its handle and UUID.
struct GpuSelection {
  enum class Mode { visible, all, none, listed };
  Mode mode = Mode::visible;        ///< visible: all that CUDA_VISIBLE_DEVICES shows
  std::vector<std::string> listed;  ///< indices ("0") or UUIDs ("GPU-…", a unique prefix is enough)

  /// Parses `--gpus all|none|0,1|UUID…`.
  static Result<GpuSelection> parse(std::string_view text);
};

/// Tells sensors which processes are the measured program's. Thread-safe.
class ProcessScope {
 public:
  virtual ~ProcessScope() = default;
  [[nodiscard]] virtual bool contains(int pid) const = 0;
};

struct DiscoveryContext {
  Environment environment;
  GpuSelection gpus;
  /// Absent until there is a measured program: then no per-process shares are read.
  std::shared_ptr<const ProcessScope> scope;
};

/// Something that could be measured but is not.
struct Missing {
  std::string backend;  ///< "rapl"
  std::string what;     ///< "CPU package energy"
  std::string why;      ///< "/sys/class/powercap/…/energy_uj: permission denied"
  std::string fix;      ///< a command to copy; empty when nothing helps
};

struct GpuIdentity {
  int index = 0;  ///< NVML index, as in "gpu0"
  std::string uuid;
  std::string name;
  double power_limit_w = 0.0;  ///< enforced limit; 0 when unknown
  bool simulated = false;
};

struct Discovery {
  std::vector<std::unique_ptr<Sensor>> sensors;
  std::vector<Missing> missing;
  std::vector<GpuIdentity> gpus;
  std::vector<std::string> warnings;
};

/// A backend looks for its devices and reports; it never throws and never kills. It sees what
/// earlier backends found in `so_far` (the estimate backend fills only what nobody meters) and
/// appends to it.
struct Backend {
  std::string_view name;
  void (*discover)(const DiscoveryContext& context, Discovery& so_far);
};

/// All backends, in the order in which they are asked. The one list to edit for a new one.
std::span<const Backend> backends();

/// Asks every backend.
Discovery discover(const DiscoveryContext& context);

}  // namespace ergo
