#pragma once
// A folder that looks like the part of /sys that energy meters read, and follows the simulated
// node. Reading it works as with the kernel, but for two things: files are rewritten in place every
// few milliseconds instead of being made up on each read, and a number that became shorter is
// followed by empty lines.

#include "ergo/core/files.hpp"
#include "ergo/core/result.hpp"
#include "node.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace ergo::sim {

enum class AmdMetrics : std::int32_t { none = 0, v1_3 = 13, v1_4 = 14 };

/// What the tree holds. All of it follows the activity of package 0, RAPL that of its own package.
struct SysfsOptions {
  bool rapl = true;  ///< packages with core, uncore and DRAM
  bool core = true;
  bool uncore = true;
  bool dram = true;
  bool psys = false;
  /// The largest counter value, as the kernel shows it; small values make counters wrap soon.
  std::uint64_t max_energy_range_uj = 262'143'328'850;
  AmdMetrics amdgpu = AmdMetrics::none;
  bool i915 = false;
  bool xe = false;
  bool acpi_power_meter = false;
  bool ina = false;
  bool battery = false;
};

class SysfsTree {
 public:
  /// Writes the tree under `root` (created if absent), with a file `ergo-simulated` at its top as
  /// the marker. Errors: invalid_argument (a node without packages has nothing to show), io,
  /// permission.
  static Result<SysfsTree> make(const std::filesystem::path& root, Node& node,
                                const SysfsOptions& options);

  /// Brings all files to the present. Errors: io.
  Result<void> update(Node& node);

 private:
  /// The node at one moment.
  struct Moment {
    std::int64_t now_ns = 0;
    double elapsed_s = 0.0;
    std::vector<Package> packages;
  };
  using Content = std::function<std::string(const Moment&)>;
  struct File {
    Fd fd;
    Content content;
    std::size_t length = 0;
    bool text = true;
  };
  class Writer;

  static Moment look(Node& node);
  Result<void> write(File& file, const Moment& moment);

  std::vector<File> files_;
};

}  // namespace ergo::sim
