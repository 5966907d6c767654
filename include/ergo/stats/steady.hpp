#pragma once
// Where a series has left its warm-up: repeats of a command, power over time, latencies.

#include <cstddef>
#include <optional>
#include <span>

namespace ergo::stats {

struct SteadyState {
  /// Index of the first value that counts.
  std::size_t from = 0;
  /// Geweke's z between the first tenth and the last half of what counts: beyond -+1.96, it still
  /// drifts.
  double geweke_z = 0.0;
  [[nodiscard]] bool drifts() const;
};

/// MSER-5 (White 1997; White, Cobb & Spratt 2000, Simulation 69(6)): of the means of each five
/// values, leave out the first d for which the squared standard error of the rest, sum (y - mean)^2
/// / (n - d)^2, is least. What is left at the end by grouping into fives is not looked at. d is
/// looked for in the first half; nothing when the least lies at its end, as it does when the series
/// has not settled, and for fewer than `fewest_for_steady` values.
std::optional<SteadyState> steady_state(std::span<const double> series);
inline constexpr std::size_t fewest_for_steady = 25;

/// (mean of the first tenth - mean of the last half) / its standard error (Geweke 1992), which is
/// by means of at most ten batches in each part, so that neighbours may be alike. 0 where neither
/// part varies and the means are equal, infinite where they are not. NaN for fewer than 20 values.
double geweke(std::span<const double> series);

}  // namespace ergo::stats
