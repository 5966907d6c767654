#pragma once
// Recordings of other tools as experiments, so that old data gets the new analysis:
// docs/user/import.md.
//
//   auto imported = import_recording("measurements/input_112");
//   imported->record.summary = summarize(imported->record.runs);
//   store.save(imported->record, imported->timelines, imported->origin);
//
// Power and energy readings become a timeline and are integrated by the same rules as our own.
// Where the other tool's formula gives another number, that number stands beside ours as an
// alternative of the channel, and a warning of the run says why they differ. All errors about
// content are `corrupt` and begin with "FILE:LINE: ".

#include "ergo/core/result.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/store/records.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace ergo {

/// Stands for the name of a board that a recording does not tell.
inline constexpr const char* unnamed_gpu = "unnamed GPU";

struct ImportedExperiment {
  ExperimentRecord record;  ///< without summary
  /// The readings of each run, in order of the runs; null where the source has only results.
  std::vector<std::unique_ptr<Timeline>> timelines;
  std::string origin;  ///< "aipowermeter", "gpyjoules", "zeus", "kernel_tuner", "nvidia-smi"
  std::vector<std::string> notes;  ///< about the import as a whole: what was left out and why
};

/// Recognises the format. Errors: not_found, not_supported with the list of formats that are known,
/// corrupt.
Result<ImportedExperiment> import_recording(const std::filesystem::path& path);

/// A folder with power_metrics.json (and latency.csv or latency.json, metadata.json,
/// omegawatt.csv), or a folder of such folders (input_<value>/run_<k>). All generations of the
/// format: 2021, 2023 and the main branch of 2026. Each recording segment is a run.
Result<ImportedExperiment> import_aipowermeter(const std::filesystem::path& folder);

/// A folder with gpu-power.csv and timestamps.csv, or any folder above it in
/// <experiment>/<benchmark>/<setting>/<repetition>.
Result<ImportedExperiment> import_gpyjoules(const std::filesystem::path& folder);

/// Zeus's summary_power_<gpu>.csv: one run per row, time and energy of an epoch.
Result<ImportedExperiment> import_zeus(const std::filesystem::path& file);

/// What Zeus's profiling leaves: the windows of a ZeusMonitor's `log_file` (CSV, a run each), or a
/// GlobalPowerLimitOptimizer's `profile_path` (JSON, a run for each limit). Neither names the GPU.
Result<ImportedExperiment> import_zeus_profile(const std::filesystem::path& file);

/// Kernel Tuner's cache, closed or still open: one run per configuration, time and energy of a
/// launch.
Result<ImportedExperiment> import_kernel_tuner(const std::filesystem::path& file);

/// What `nvidia-smi --query-gpu=timestamp,power.draw,… --format=csv -l …` wrote, with or without
/// units.
Result<ImportedExperiment> import_nvidia_smi(const std::filesystem::path& file);

}  // namespace ergo
