#include "common/run_record.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace ergo::workload {

std::optional<std::filesystem::path> run_folder() {
  const char* folder = std::getenv("ERGO_RUN_DIR");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return std::filesystem::path(folder);
}

Result<void> write_latencies(const std::filesystem::path& folder,
                             const std::vector<Seconds>& latencies) {
  std::string text;
  text.reserve(latencies.size() * 24);
  for (Seconds latency : latencies)
    text += shortest(latency.value()) + "\n";
  return write_text_atomically(folder / "latency.csv", text);
}

Seconds quantile(std::vector<Seconds> latencies, double q) {
  std::sort(latencies.begin(), latencies.end());
  const double place = q * static_cast<double>(latencies.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, latencies.size() - 1);
  const double part = place - static_cast<double>(below);
  return latencies[below] + part * (latencies[above] - latencies[below]);
}

std::string with_commas(long long number) {
  std::string digits = fmt::format("{}", std::abs(number));
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return number < 0 ? "-" + digits : digits;
}

std::string readable(Seconds time) {
  const double s = time.value();
  if (s >= 1) return fmt::format("{:.3g} s", s);
  if (s >= 1e-3) return fmt::format("{:.3g} ms", s * 1e3);
  return fmt::format("{:.3g} us", s * 1e6);
}

std::string readable_rate(double value) {
  constexpr std::array<const char*, 5> prefixes{"", "k", "M", "G", "T"};
  std::size_t at = 0;
  while (value >= 999.5 && at + 1 < prefixes.size()) {
    value /= 1000;
    ++at;
  }
  return fmt::format("{:.3g} {}", value, prefixes[at]);
}

}  // namespace ergo::workload
