#pragma once
// A run as a folder in the layout of AIPowerMeter (its main branch), for tools written against it:
// power_metrics.json, metadata.json, latency.csv. Format: docs/user/aipowermeter.md.

#include "ergo/core/result.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/store/records.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace ergo::report {

struct AipowermeterOptions {
  /// One record each `period`; absent: theirs, 2 s, and less for runs under 20 s, so that these
  /// have ten records too.
  std::optional<Seconds> period;
  /// For metadata.json.
  std::string description;
  /// The root of the measured process tree: the key of all per-process entries.
  int pid = 0;
};

/// Where a run goes below `base`: `base` itself for a run without parameters, else
/// input_<value>/run_<repeat>; several values are joined by "-". What could not be in a folder's
/// name, or would hide the value from their reader ("_", "/"), becomes "-".
std::filesystem::path aipowermeter_folder(const std::filesystem::path& base, const RunRecord& run);

/// Writes the three files, replacing those of an earlier run. latency.csv is left out when the run
/// has no latencies. Power in watts is the mean over each period, from the same rules as all our
/// energies, so that the sum of power x interval is the run's energy.
/// Only measured (or simulated) power is written: this format cannot mark an estimate as one.
/// Errors: `not_supported` when there is no measured CPU or GPU power (metadata and latencies are
/// written even then), `invalid_argument` for a period that is not positive, and those of writing.
Result<void> write_aipowermeter(const std::filesystem::path& folder, const RunRecord& run,
                                const Timeline& timeline, const AipowermeterOptions& options);

}  // namespace ergo::report
