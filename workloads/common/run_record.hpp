#pragma once
// What a workload leaves behind for its observer: latencies in a file, and the numbers of its
// summary.

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ergo::workload {

/// The folder in ERGO_RUN_DIR; absent when unset or empty.
std::optional<std::filesystem::path> run_folder();

/// Writes `folder`/latency.csv: one latency in seconds a line, no header, enough digits to read
/// back the same number. Errors: those of the file system.
Result<void> write_latencies(const std::filesystem::path& folder,
                             const std::vector<Seconds>& latencies);

/// The value that a fraction `q` of the latencies does not exceed, interpolated linearly between
/// neighbours (type 7 of Hyndman and Fan 1996). `latencies` must not be empty.
Seconds quantile(std::vector<Seconds> latencies, double q);

/// "61,100,840".
std::string with_commas(long long number);

/// "12.3 ms", with three significant digits.
std::string readable(Seconds time);

/// "1.23 G": three significant digits and the prefix (k, M, G, T).
std::string readable_rate(double value);

}  // namespace ergo::workload
