#pragma once
// The tables of a gpyjoules repetition as series.

#include "ergo/core/result.hpp"
#include "store/import/build.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::importing {

/// gpu-power.csv: each numeric column by its name, in the units of the file (mW, mJ, MHz, %); times
/// are dates without zone, as if they were UTC.
Result<std::map<std::string, Series>> parse_gpu_power(std::string_view text,
                                                      const std::string& file);

/// *_samples.csv: microseconds since 1970 and a value. Times are since 1970.
Result<Series> parse_samples(std::string_view text, const std::string& file);

struct TimedEvent {
  std::int64_t ns = 0;
  std::string name;  ///< "epoch_begin"
  std::optional<int> number;
};
/// timestamps.csv.
Result<std::vector<TimedEvent>> parse_timestamps(std::string_view text, const std::string& file);

/// power-external.csv: the sum of its channels, W.
Result<Series> parse_external(std::string_view text, const std::string& file);

}  // namespace ergo::importing
