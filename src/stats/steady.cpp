#include "ergo/stats/steady.hpp"

#include "ergo/stats/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ergo::stats {
namespace {

constexpr std::size_t group = 5;

std::vector<double> means_of(std::span<const double> series, std::size_t length) {
  std::vector<double> means;
  for (std::size_t first = 0; first + length <= series.size(); first += length)
    means.push_back(mean(series.subspan(first, length)));
  return means;
}

/// Squared standard error of the mean of a part, by batch means.
double squared_error(std::span<const double> part) {
  constexpr std::size_t batches = 10;
  const std::vector<double> means = means_of(part, std::max<std::size_t>(1, part.size() / batches));
  const double deviation = standard_deviation(means);
  return deviation * deviation / static_cast<double>(means.size());
}

}  // namespace

bool SteadyState::drifts() const {
  constexpr double z_95 = 1.959963984540054;
  return std::abs(geweke_z) > z_95;
}

std::optional<SteadyState> steady_state(std::span<const double> series) {
  if (series.size() < fewest_for_steady) return std::nullopt;
  const std::vector<double> y = means_of(series, group);
  double least = std::numeric_limits<double>::infinity();
  std::size_t best = 0;
  // Beyond the half, leaving out nearly all would look good: of the last few values, few differ.
  const std::size_t last = y.size() / 2;
  // From the end, so that each value is taken into mean and squares once (Welford 1962): a million
  // latencies are nothing special.
  double middle = 0;
  double squares = 0;
  double n = 0;
  for (std::size_t d = y.size(); d-- > 0;) {
    n += 1;
    const double before = y[d] - middle;
    middle += before / n;
    squares += before * (y[d] - middle);
    const double error = squares / (n * n);
    if (d <= last && error <= least) {
      least = error;
      best = d;
    }
  }
  if (best == last) return std::nullopt;
  return SteadyState{best * group, geweke(series.subspan(best * group))};
}

double geweke(std::span<const double> series) {
  constexpr std::size_t fewest = 20;
  if (series.size() < fewest) return std::numeric_limits<double>::quiet_NaN();
  const auto early = series.first(series.size() / 10);
  const auto late = series.last(series.size() / 2);
  const double difference = mean(early) - mean(late);
  if (difference == 0) return 0;
  return difference / std::sqrt(squared_error(early) + squared_error(late));
}

}  // namespace ergo::stats
