#pragma once
// Order statistics and the interval of a median. All functions are pure; inputs need not be sorted.

#include "ergo/core/estimate.hpp"

#include <cstdint>
#include <span>

namespace ergo::stats {

/// Middle value; mean of the two middle ones for an even count. NaN for no values.
double median(std::span<const double> values);

/// Quantile by linear interpolation between order statistics (type 7 of Hyndman & Fan 1996, the
/// default of R and NumPy). `p` in [0, 1]. NaN for no values.
double quantile(std::span<const double> values, double p);

/// Median absolute deviation from the median, unscaled.
double median_absolute_deviation(std::span<const double> values);

double mean(std::span<const double> values);
/// Sample standard deviation (n - 1); 0 for fewer than two values.
double standard_deviation(std::span<const double> values);

struct IntervalOptions {
  double confidence = 0.95;
  int resamples = 2000;
  std::uint64_t seed = 1;
};

/// The median with its interval over repeats: bias-corrected and accelerated bootstrap (Efron 1987)
/// from 8 values on. Below that the bootstrap is too narrow, so the interval is Student's t about
/// the mean, widened to hold the median (always 95 %); a single value has no spread: low = high =
/// value.
Estimate median_interval(std::span<const double> values, const IntervalOptions& options = {});

/// Bootstrap interval (BCa) of any statistic of one sample. Deterministic under a seed.
using Statistic = double (*)(std::span<const double>);
Estimate bca_interval(std::span<const double> values, Statistic statistic,
                      const IntervalOptions& options = {});

/// Distribution function of the standard normal and its inverse (p in (0, 1); Acklam's
/// approximation with one Newton step, absolute error below 1e-12).
double normal_cdf(double z);
double normal_quantile(double p);

}  // namespace ergo::stats
