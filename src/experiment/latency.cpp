#include "ergo/experiment/latency.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/stats/summary.hpp"

#include <fmt/format.h>

namespace ergo {

Result<std::vector<double>> parse_latencies(std::string_view text) {
  std::vector<double> values;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    const auto value = parse_double(line);
    if (!value || *value < 0) {
      return Error{Errc::corrupt,
                   fmt::format("latency.csv line {}: '{}' is not a time in seconds", number,
                               line.substr(0, 40)),
                   "write one latency in seconds per line, without a header"};
    }
    values.push_back(*value);
  }
  return values;
}

Result<std::vector<double>> read_latencies(const std::filesystem::path& run_dir) {
  const auto text = read_text(run_dir / "latency.csv");
  if (!text && text.error().code == Errc::not_found) return std::vector<double>{};
  if (!text) return text.error();
  return parse_latencies(*text);
}

std::optional<LatencySummary> summarize_latencies(std::span<const double> seconds) {
  if (seconds.empty()) return std::nullopt;
  return LatencySummary{seconds.size(), Seconds(stats::median(seconds)),
                        Seconds(stats::quantile(seconds, 0.95)),
                        Seconds(stats::quantile(seconds, 0.99))};
}

}  // namespace ergo
