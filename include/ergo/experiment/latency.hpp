#pragma once
// latency.csv: what a measured program leaves in ERGO_RUN_DIR, one latency in seconds per line, no
// header.

#include "ergo/core/result.hpp"
#include "ergo/store/records.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ergo {

/// Empty lines are allowed. Error `corrupt` names the first line that is no number.
Result<std::vector<double>> parse_latencies(std::string_view text);

/// The latencies of a run: none when the program left no file.
Result<std::vector<double>> read_latencies(const std::filesystem::path& run_dir);

/// Median, 95th and 99th percentile; nothing for no values.
std::optional<LatencySummary> summarize_latencies(std::span<const double> seconds);

}  // namespace ergo
