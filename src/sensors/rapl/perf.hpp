#pragma once
// RAPL through perf events: the PMU `power` (linux, arch/x86/events/rapl.c). Counting events, one
// per package or die, opened on the CPUs of its cpumask; the kernel extends the counters to 64 bits
// while they are open.

#include "sensors/rapl/domain.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace ergo::rapl {

struct PerfEvent {
  Part part = Part::package;
  std::uint64_t config = 0;
  double joules_per_count = 0.0;
};

/// What the PMU offers, read from sysfs.
struct PerfPlan {
  std::uint32_t type = 0;
  std::map<Place, int> cpu_of;  ///< the CPU to open on, for each package or die
  std::vector<PerfEvent> events;
};

/// Absent when there is no such PMU. AMD kernels before 5.17 list events that their hardware lacks:
/// only the package's is kept there.
std::optional<PerfPlan> plan_perf(const std::filesystem::path& sysfs, const CpuInfo& cpu);

/// perf_event_open for a system-wide counting event in the read format PERF_FORMAT_GROUP; -errno on
/// failure. `group_fd` is the leader's, or -1 for a leader.
using PerfOpen =
    std::function<int(std::uint32_t type, std::uint64_t config, int cpu, int group_fd)>;
int perf_open(std::uint32_t type, std::uint64_t config, int cpu, int group_fd);

/// Opens all events. `open` is a seam for tests.
Found open_perf(const PerfPlan& plan, const Facts& facts, const PerfOpen& open = perf_open);

}  // namespace ergo::rapl
