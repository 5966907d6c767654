#pragma once
// Thermal design power by the CPU's name.

#include "sensors/cpuinfo.hpp"

#include <optional>
#include <string_view>

namespace ergo::estimate {

/// A row of the table: a processor and what its vendor states for one package.
struct Tdp {
  std::string_view name;  ///< "Xeon Gold 6230"; stands as whole words in the model name
  double watts = 0.0;
  int threads = 0;
};

/// The row whose name stands in a model name such as "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz".
/// Pure; any text is accepted. Absent for names that hide the model ("AMD EPYC", "Intel Xeon
/// Processor (Skylake)").
std::optional<Tdp> find_tdp(std::string_view model);

/// Busy power of all CPUs that this system shows, and how it came about.
struct BusyPower {
  double watts = 0.0;
  std::string_view row;  ///< name of the row; empty: the figure per thread was used
};

/// W per thread where the model is not in the table (Cloud Carbon Footprint, AWS average at full
/// load).
inline constexpr double watts_per_thread = 3.5;

BusyPower busy_power(const CpuInfo& cpu);

}  // namespace ergo::estimate
