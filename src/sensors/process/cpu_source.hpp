#pragma once
// Three ways to learn the CPU time of a process tree, from the best to the one that always works.

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"
#include "sensors/process/tree.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ergo::process {

/// CPU time (user and system) of a process tree since some moment before its start.
class CpuTimeSource {
 public:
  virtual ~CpuTimeSource() = default;
  /// Never falls. Descendants that ended are included.
  virtual Result<Seconds> read() = 0;
};

/// The kernel's account of a cgroup. Errors: not_supported, io.
Result<std::unique_ptr<CpuTimeSource>> open_cgroup_cpu(const CgroupPath& cgroup);

/// A perf task-clock that every process and thread started from now on inherits. Exact,
/// unprivileged up to perf_event_paranoid 2; the process must not have started anything. Errors:
/// permission, not_supported.
Result<std::unique_ptr<CpuTimeSource>> open_perf_cpu(int pid, const std::filesystem::path& procfs);

/// A sum over the members of a tree in which a member that ends hands its value to the parent that
/// waits for it, as the kernel does with CPU time and with I/O. What nobody inherited is kept at
/// its last known value.
class InheritedSum {
 public:
  struct Item {
    Stat stat;
    std::uint64_t own = 0;        ///< of the process itself
    std::uint64_t inherited = 0;  ///< from children that it waited for
  };
  /// The sum as of `items`. Never falls.
  std::uint64_t update(const std::vector<Item>& items);

 private:
  using Key = std::pair<int, std::uint64_t>;  ///< pid, start_ticks
  struct Last {
    int ppid = 0;
    std::uint64_t own = 0;
    std::uint64_t inherited = 0;
  };
  std::map<Key, Last> last_;
  std::uint64_t kept_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace ergo::process
