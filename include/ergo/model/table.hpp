#pragma once
// The table that models read: one row per measured run of a workload under a GPU power limit.
//
// CSV with the header `gpu,workload,config,power_limit_w,time_s,energy_j` and, in any order, the
// optional columns `repeat,tdp_w,idle_w,utilization,host_energy_j,clock_mhz`. Other columns are
// ignored. Fields may be quoted as RFC 4180 says.

#include "ergo/core/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// One measurement. `time_s` and `energy_j` are of the same fixed amount of work within one (gpu,
/// workload, config).
struct SweepRow {
  std::string gpu;
  std::string workload;
  std::string config;
  double power_limit_w = 0.0;
  double time_s = 0.0;
  double energy_j = 0.0;  ///< of the GPU
  std::optional<int> repeat;
  std::optional<double> tdp_w;
  std::optional<double> idle_w;       ///< power of the idle GPU
  std::optional<double> utilization;  ///< 0..1
  std::optional<double>
      host_energy_j;  ///< CPU, DRAM or node during the same work; the GPU's own joules not included
  std::optional<double> clock_mhz;  ///< mean graphics clock
};

using SweepTable = std::vector<SweepRow>;

/// Reads a table. Errors: not_found, permission, io, and `corrupt` with "FILE:LINE: what is wrong".
Result<SweepTable> read_sweep_table(const std::filesystem::path& path);

/// The text that read_sweep_table reads, for who needs more of it than the table. Errors:
/// not_found, permission, io.
Result<std::string> read_sweep_text(const std::filesystem::path& path);

/// As read_sweep_table, from memory; `name` stands for the file in errors.
Result<SweepTable> parse_sweep_table(std::string_view text, std::string_view name);

/// The table as CSV; optional columns appear when any row has them. Reads back as the same rows.
std::string format_sweep_table(const SweepTable& table);

}  // namespace ergo
