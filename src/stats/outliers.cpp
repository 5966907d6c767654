#include "ergo/stats/outliers.hpp"

#include "ergo/stats/summary.hpp"

#include <cmath>

namespace ergo::stats {
namespace {

/// What one unit of modified z is worth: a robust standard deviation.
double robust_scale(std::span<const double> values, double centre) {
  constexpr double normal_mad = 0.6745;
  constexpr double normal_mean_deviation = 1.2533;
  const double mad = median_absolute_deviation(values);
  if (mad > 0) return mad / normal_mad;
  double sum = 0;
  for (const double v : values)
    sum += std::abs(v - centre);
  return normal_mean_deviation * sum / static_cast<double>(values.size());
}

}  // namespace

std::vector<double> modified_z(std::span<const double> values) {
  if (values.empty()) return {};
  const double centre = median(values);
  const double scale = robust_scale(values, centre);
  std::vector<double> z;
  z.reserve(values.size());
  for (const double v : values)
    z.push_back(scale > 0 ? (v - centre) / scale : 0.0);
  return z;
}

std::vector<std::size_t> outliers(std::span<const double> values, double threshold) {
  const std::vector<double> z = modified_z(values);
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < z.size(); ++i) {
    if (std::abs(z[i]) > threshold) found.push_back(i);
  }
  return found;
}

Fences tukey_fences(std::span<const double> values, double reach) {
  const double q1 = quantile(values, 0.25);
  const double q3 = quantile(values, 0.75);
  return {q1 - reach * (q3 - q1), q3 + reach * (q3 - q1)};
}

}  // namespace ergo::stats
