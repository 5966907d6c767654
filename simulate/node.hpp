#pragma once
// The simulated node: GPUs and CPU packages in one memory-mapped file that any number of processes
// share. Nobody drives it: whoever touches a device first moves it to the present. A robust lock
// and a second copy of each device's state make it survive the death of any process at any moment.

#include "ergo/core/result.hpp"
#include "gpu.hpp"
#include "package.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ergo::sim {

inline constexpr std::size_t kMaxGpus = 8;
inline constexpr std::size_t kMaxPackages = 4;
/// Environment variable that names the state file.
inline constexpr const char* kStateVariable = "ERGO_SIM_STATE";

enum class Permission : std::int32_t { allowed, root_only, denied };

struct GpuOptions {
  std::string preset = "v100";
  LoadSpec load;
  Faults faults;  ///< times count from the start of the simulation
  /// Relative gain of the board's sensor; absent = drawn under the seed, normal with a 95 %
  /// half-width of `gain_u95`.
  std::optional<double> gain;
  /// How long a call takes that asks for the energy counter, in real time; absent = as the board's
  /// preset says, and no time at all on a manual clock.
  std::optional<std::int64_t> counter_call_ns;
};

struct NodeOptions {
  std::vector<GpuOptions> gpus;
  int packages = 1;
  LoadSpec package_load;
  std::optional<double> package_gain;  ///< absent = drawn like a GPU's
  double gain_u95 = 0.05;
  std::uint64_t seed = 1;
  /// Time stands still until somebody sets it; else it is CLOCK_MONOTONIC.
  bool manual_clock = false;
  std::int64_t manual_start_ns = 1'000 * kNsPerSecond;
  Permission permission = Permission::allowed;  ///< who may set power limits
  bool clamp_limits =
      false;  ///< bring a limit outside the constraints inside instead of refusing it
  bool counter_exact = false;  ///< the energy counter is not limited to what the power sensor sees
  double heat_drift_per_k = 0.0;      ///< growth of idle power with temperature
  std::uint32_t call_latency_us = 0;  ///< each device query sleeps so long
  std::string driver;                 ///< version; empty = one that fits all cards
};

/// Facts of the node that do not change.
struct NodeInfo {
  std::string driver;
  int driver_branch = 0;
  std::uint64_t seed = 0;
  bool manual_clock = false;
  Permission permission = Permission::allowed;
  bool clamp_limits = false;
  std::uint32_t call_latency_us = 0;
  std::int64_t start_ns = 0;
  std::int64_t unix_offset_ns = 0;  ///< add to a simulation time to get nanoseconds since 1970
};

struct StateFile;

/// Thread-safe; several Nodes may be open on one file, in one process or many.
class Node {
 public:
  /// Makes a new node. Errors: invalid_argument (unknown model, too many), io.
  static Result<Node> create(const std::filesystem::path& path, const NodeOptions& options);
  /// Errors: not_found, corrupt (not a state file, or of another version), permission, io.
  static Result<Node> open(const std::filesystem::path& path);
  /// Opens the file named by ERGO_SIM_STATE. Errors: as open(); not_found when it is unset.
  static Result<Node> from_environment();

  Node(Node&& other) noexcept;
  Node& operator=(Node&& other) noexcept;
  ~Node();

  [[nodiscard]] const NodeInfo& info() const { return info_; }
  [[nodiscard]] std::size_t gpu_count() const;
  [[nodiscard]] std::size_t package_count() const;

  /// The present, in simulation time.
  [[nodiscard]] std::int64_t now_ns() const;
  /// Moves a manual clock; false when the clock is not manual or `ns` is the past.
  bool set_time_ns(std::int64_t ns);

  /// A copy of a GPU, brought to the present. `index` < gpu_count().
  [[nodiscard]] Gpu gpu(std::size_t index);
  /// Brings a GPU to the present, applies `change` to it and makes that the state. Nothing of it is
  /// seen by others, or survives, if the process dies before `change` has returned. `change` may
  /// run while other processes wait: be brief.
  template <class Change>
  void update(std::size_t index, Change&& change) {
    Editing editing(*this, index);
    change(editing.gpu());
    editing.commit();
  }

  /// True energy of a GPU between two times, J. NaN when that is the future or longer ago than is
  /// remembered.
  [[nodiscard]] double gpu_energy_j(std::size_t index, std::int64_t from_ns, std::int64_t to_ns);
  /// True energy of a CPU domain between two times, J. NaN as above.
  [[nodiscard]] double cpu_energy_j(std::size_t package, CpuDomain domain, std::int64_t from_ns,
                                    std::int64_t to_ns);
  /// A copy of a package, brought to the present. `index` < package_count().
  [[nodiscard]] Package package(std::size_t index);

 private:
  class Lock;
  class Editing {
   public:
    Editing(Node& node, std::size_t index);
    ~Editing();
    Editing(const Editing&) = delete;
    Editing& operator=(const Editing&) = delete;
    [[nodiscard]] Gpu& gpu() { return *staged_; }
    void commit();

   private:
    Node& node_;
    std::size_t index_;
    std::unique_ptr<Lock> lock_;
    Gpu* staged_ = nullptr;
  };

  Node(StateFile* file, std::size_t size);
  void bring_gpu_to_present(std::size_t index);
  void bring_package_to_present(std::size_t index);
  void drop_dead_programs(Gpu& gpu);

  StateFile* file_ = nullptr;
  std::size_t size_ = 0;
  NodeInfo info_;
};

}  // namespace ergo::sim
