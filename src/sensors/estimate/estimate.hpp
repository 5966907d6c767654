#pragma once
// The last resort: CPU energy from a table of thermal design powers and the load in /proc/stat.
// Used only where nothing meters the CPU (a virtual machine, a container, a locked laptop),
// labelled `estimated`, never added to measured joules.
//
// Power = TDP x (0.21 + 0.79 x load). The idle share is that of Cloud Carbon Footprint's averages
// for AWS (0.74 W idle and 3.5 W busy per virtual CPU). No published bound is better than tens of
// percent: the interval is -50 % / +100 %. In a virtual machine the TDP is divided by the CPU's
// threads and counted for the threads that the machine shows.

#include "ergo/sensors/registry.hpp"

#include <string_view>

namespace ergo::estimate {

void discover(const DiscoveryContext& context, Discovery& so_far);

inline constexpr double idle_share = 0.74 / 3.5;
inline constexpr double gain_low = -0.5;
inline constexpr double gain_high = 1.0;

/// The first line of /proc/stat, in clock ticks since boot, all CPUs together.
struct CpuTicks {
  double busy = 0.0;   ///< user, nice, system, irq, softirq (guest time is part of user)
  double total = 0.0;  ///< busy, idle, iowait and steal
};

/// Errors: corrupt when the text does not begin with "cpu" and at least four numbers.
Result<CpuTicks> parse_stat(std::string_view text);

}  // namespace ergo::estimate
