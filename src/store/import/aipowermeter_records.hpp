#pragma once
// power_metrics.json and omegawatt.csv as series.

#include "ergo/core/result.hpp"
#include "store/import/build.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::importing {

/// A stretch between a start and a stop of the recorder. Keys: intel_power, psys_power,
/// uncore_power, total_cpu_power, total_dram_power (W); gpu (all GPUs, W), gpu.N (W); cpu_use,
/// memory (B), gpu_use.N (%), gpu_memory.N (B).
struct Segment {
  std::map<std::string, Series> series;
  std::int64_t first_ns = 0;  ///< dates without zone, as if they were UTC
  std::int64_t last_ns = 0;
  std::size_t records = 0;
};

struct PowerMetrics {
  enum class Generation { y2021, y2023, main };
  std::vector<Segment> segments;  ///< none is empty
  Generation generation = Generation::y2021;
  std::size_t backwards = 0;  ///< records whose date lies before that of an earlier one (left out)
};

/// All three generations of power_metrics.json. Errors: `corrupt`, "FILE:LINE: what".
Result<PowerMetrics> parse_power_metrics(std::string_view text, const std::string& file);

/// The active powers of omegawatt.csv, W, by column ("activepow1"); times are since 1970.
Result<std::map<std::string, Series>> parse_omegawatt(std::string_view text,
                                                      const std::string& file);

/// latency.csv (one number a line) or latency.json (an array), s.
Result<std::vector<double>> parse_latencies(std::string_view text, const std::string& file,
                                            bool json);

}  // namespace ergo::importing
