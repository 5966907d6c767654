#pragma once
// The sensor of the measured command: CPU time, memory and I/O of its whole process tree, and the
// busy time of the machine beside it.

#include "ergo/core/environment.hpp"
#include "ergo/core/result.hpp"
#include "ergo/sensors/sensor.hpp"
#include "sensors/process/cgroup.hpp"
#include "sensors/process/tree.hpp"

#include <memory>

namespace ergo::process {

/// How CPU time is counted. The sensor's name says which one it is.
enum class Method {
  automatic,  ///< the first of the following that works
  cgroup,     ///< cgroup v2 of the run's own: everything, whatever the processes do
  perf,       ///< inherited perf task-clock: everything but programs that gain privileges (sudo)
  proc,  ///< /proc: all but the last period of processes that nobody waits for; resolution 10 ms
};

struct Options {
  Method method = Method::automatic;
  /// The cgroup in which the command was born, if it was.
  std::optional<CgroupPath> cgroup;
  /// The command has not started yet (ChildSpec::before_exec), so that perf can catch all of it.
  bool before_exec = false;
  /// Shared with the GPU sensors; made when absent.
  std::shared_ptr<const ProcessTree> tree;
  // The shortest time between two readings. They are stretched so that reading costs at most 0.03 %
  // of a core each.
  Seconds cpu_period{0.1};
  Seconds memory_period{0.5};
  Seconds pss_period{5.0};
};

/// Signals, of the tree unless said otherwise:
/// - process.cpu_time (s): of every descendant, also those that ended between two readings
/// - machine.cpu_time (s): busy time of all CPUs: user, nice, system, irq, softirq; not iowait, not
/// steal
/// - process.memory_rss (B): sum over processes; pages that they share are counted once for each
/// - process.memory_pss (B): sum of proportional shares; at most every 5 s, as the kernel walks
/// page tables for it
/// - process.memory_uss (B): sum of what no other process shares; with process.memory_pss
/// - machine.memory_used (B): what the whole machine cannot give to new programs
/// - process.io_read, process.io_write (B): from and to storage
///
/// What cannot be read is not among the signals. Errors: not_found (no such process), and, with a
/// method other than `automatic`, why it cannot be used.
Result<std::unique_ptr<Sensor>> open(int pid, const Environment& environment, Options options = {});

}  // namespace ergo::process
