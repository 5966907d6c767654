#include "ergo/stats/summary.hpp"

#include "ergo/stats/student.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>
#include <vector>

namespace ergo::stats {
namespace {

constexpr std::size_t smallest_bootstrap = 8;

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

double sorted_quantile(std::span<const double> sorted_values, double p) {
  if (sorted_values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double position = std::clamp(p, 0.0, 1.0) * static_cast<double>(sorted_values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted_values.size() - 1);
  const double share = position - static_cast<double>(below);
  return sorted_values[below] + share * (sorted_values[above] - sorted_values[below]);
}

/// Acceleration of BCa: skewness of the jackknife values.
double acceleration(std::span<const double> values, Statistic statistic) {
  std::vector<double> jackknife;
  std::vector<double> rest;
  jackknife.reserve(values.size());
  for (std::size_t left_out = 0; left_out < values.size(); ++left_out) {
    rest.assign(values.begin(), values.end());
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(left_out));
    jackknife.push_back(statistic(rest));
  }
  const double centre = mean(jackknife);
  double squares = 0;
  double cubes = 0;
  for (const double v : jackknife) {
    squares += (centre - v) * (centre - v);
    cubes += (centre - v) * (centre - v) * (centre - v);
  }
  return squares > 0 ? cubes / (6.0 * std::pow(squares, 1.5)) : 0.0;
}

}  // namespace

double median(std::span<const double> values) {
  return quantile(values, 0.5);
}

double quantile(std::span<const double> values, double p) {
  return sorted_quantile(sorted(values), p);
}

double median_absolute_deviation(std::span<const double> values) {
  const double centre = median(values);
  std::vector<double> deviations;
  deviations.reserve(values.size());
  for (const double v : values)
    deviations.push_back(std::abs(v - centre));
  return median(deviations);
}

double mean(std::span<const double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0.0;
  const double centre = mean(values);
  double squares = 0;
  for (const double v : values)
    squares += (v - centre) * (v - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

Estimate median_interval(std::span<const double> values, const IntervalOptions& options) {
  const double centre = median(values);
  if (values.size() < 2) return {centre, centre, centre};
  if (values.size() >= smallest_bootstrap) return bca_interval(values, median, options);
  const auto n = static_cast<double>(values.size());
  const double half = student_t_95(n - 1) * standard_deviation(values) / std::sqrt(n);
  const double middle = mean(values);
  return {centre, std::min(middle - half, centre), std::max(middle + half, centre)};
}

Estimate bca_interval(std::span<const double> values, Statistic statistic,
                      const IntervalOptions& options) {
  const double observed = statistic(values);
  if (values.size() < 2) return {observed, observed, observed};
  std::mt19937_64 random(options.seed);
  std::uniform_int_distribution<std::size_t> pick(0, values.size() - 1);
  std::vector<double> resample(values.size());
  std::vector<double> replicates;
  replicates.reserve(static_cast<std::size_t>(options.resamples));
  double below = 0;
  for (int i = 0; i < options.resamples; ++i) {
    for (double& v : resample)
      v = values[pick(random)];
    replicates.push_back(statistic(resample));
    // Ties count half: with few distinct values (a median's case) the bias would be overstated
    // otherwise.
    below += replicates.back() < observed ? 1.0 : (replicates.back() == observed ? 0.5 : 0.0);
  }
  std::sort(replicates.begin(), replicates.end());
  const double n = static_cast<double>(options.resamples);
  const double bias = normal_quantile(std::clamp(below / n, 0.5 / n, 1.0 - 0.5 / n));
  const double a = acceleration(values, statistic);
  const auto bound = [&](double p) {
    const double z = bias + normal_quantile(p);
    return sorted_quantile(replicates, normal_cdf(bias + z / (1.0 - a * z)));
  };
  const double tail = (1.0 - options.confidence) / 2.0;
  return {observed, std::min(bound(tail), observed), std::max(bound(1.0 - tail), observed)};
}

double normal_cdf(double z) {
  return 0.5 * std::erfc(-z / std::numbers::sqrt2);
}

double normal_quantile(double p) {
  constexpr std::array a{-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                         1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr std::array b{-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                         6.680131188771972e+01, -1.328068155288572e+01};
  constexpr std::array c{-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                         -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr std::array d{7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                         3.754408661907416e+00};
  constexpr double low = 0.02425;
  const auto tail = [&](double q) {
    return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
           ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
  };
  double z = 0;
  if (p < low) {
    z = tail(std::sqrt(-2 * std::log(p)));
  } else if (p > 1 - low) {
    z = -tail(std::sqrt(-2 * std::log(1 - p)));
  } else {
    const double q = p - 0.5;
    const double r = q * q;
    z = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
        (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
  }
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  return density > 0 ? z - (normal_cdf(z) - p) / density : z;
}

}  // namespace ergo::stats
