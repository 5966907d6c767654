#pragma once
// Values that stand apart. They are flagged, never removed: a slow run is a fact about the machine.

#include <cstddef>
#include <span>
#include <vector>

namespace ergo::stats {

/// 0.6745 (x - median) / MAD of each value (Iglewicz & Hoaglin 1993, How to Detect and Handle
/// Outliers). Where more than half of the values are equal (MAD = 0): (x - median) / (1.2533 x mean
/// absolute deviation from the median); 0 where all are equal. Order of the input.
std::vector<double> modified_z(std::span<const double> values);

/// Iglewicz and Hoaglin's threshold.
inline constexpr double modified_z_threshold = 3.5;

/// Indices of the values whose modified z is beyond the threshold, in order.
std::vector<std::size_t> outliers(std::span<const double> values,
                                  double threshold = modified_z_threshold);

/// Values outside are outliers by Tukey's rule (Exploratory Data Analysis, 1977).
struct Fences {
  double low = 0.0;
  double high = 0.0;
};
/// Quartiles -+ `reach` x interquartile range; quartiles as quantile() computes them.
Fences tukey_fences(std::span<const double> values, double reach = 1.5);

}  // namespace ergo::stats
