#pragma once
// Records as CSV tables (RFC 4180): for spreadsheets, for scripts, for models. Numbers are the
// shortest text that reads back as the same value; what was not measured is an empty field.

#include "ergo/core/result.hpp"
#include "ergo/model/table.hpp"
#include "ergo/store/records.hpp"

#include <filesystem>
#include <span>
#include <string>

namespace ergo::report {

/// One row per run, window and channel, the whole run with an empty window name first. Columns:
/// experiment,run,repeat,warmup,exit_code,window,window_index,start_s,duration_s,count,channel,
/// domain,provenance,source,joules,low_j,high_j,mean_w,max_w,idle_j,net_j,process_j,net_low_j,
/// net_high_j. Unit: SI.
std::string run_csv(const ExperimentRecord& record);

/// One row per run that is no warm-up. Columns: experiment,run,repeat,<parameters>,gpu,workload,
/// power_limit_w,duration_s,count,time_s,energy_j,low_j,high_j,provenance,status,
/// latency_median_s,latency_p95_s,power_capped, then <channel>_j for each channel of any run, then
/// <channel>_low_j,<channel>_high_j (95 %) for each.
///  - time_s and all energies are per item when the run had a count.
///  - energy_j is the measured total, and where nothing was measured the estimated one; provenance
///    says which (measured, simulated, estimated).
///  - status is done, failed or invalid; only done runs have time and energies.
///  - gpu names the boards that the run's energy is of; workload is the parameter of that name,
///  else
///    the experiment's name, else the command.
///  - power_capped is the share of the run in which the power limit held a GPU's clock down.
std::string sweep_csv(std::span<const ExperimentRecord> records);

/// The table that models read: gpu,workload,config,power_limit_w,time_s,energy_j and the optional
/// columns that are known. One row per run that is done, no warm-up, and has measured GPU energy;
/// energies are of the GPUs alone, host_energy_j is the measured rest: CPU and memory, or all that
/// a meter of the whole machine (channel "node") says beyond the GPUs. A last column `provenance`,
/// which models do not read, says measured or simulated. Errors: `not_supported` with
/// the reason when no run qualifies.
Result<std::string> model_csv(std::span<const ExperimentRecord> records);

/// A table for models, and whether any row of it is simulated.
struct ModelData {
  SweepTable table;
  bool simulated = false;
};

/// The table of a file: CSV (ergo/model/table.hpp), or a store with all of its experiments. Errors
/// as read_sweep_table(), Store::open() and model_csv() have them.
Result<ModelData> load_model_data(const std::filesystem::path& path);

}  // namespace ergo::report
