#pragma once
// How two quantities go together, with 95 % intervals. All functions are pure.

#include "ergo/core/estimate.hpp"

#include <optional>
#include <span>
#include <vector>

namespace ergo::stats {

/// Ranks from 1 on, in the order of the input, which holds no NaN; equal values share the mean of
/// their ranks.
std::vector<double> average_ranks(std::span<const double> values);

/// Product-moment correlation of pairs (x[i], y[i]). Interval: Fisher's z = atanh(r) with standard
/// error 1/sqrt(n-3) (Fisher 1921; Fisher, Statistical Methods for Research Workers, section 35);
/// with three pairs it is [-1, 1]. It assumes that pairs are independent and about normal.
/// Nothing when the lengths differ, for fewer than three pairs, when x or y does not vary, or when
/// a value is not finite.
std::optional<Estimate> pearson(std::span<const double> x, std::span<const double> y);

/// Spearman's rank correlation, mean ranks for ties. Interval: Fisher's z with variance
/// (1 + rho^2/2)/(n-3) (Bonett & Wright 2000, Psychometrika 65:23-28). At rho = 1 that interval
/// would be a point however few the pairs, so its open end is the one at the largest rho below,
/// where two neighbours are swapped: 1 - 12/(n^3-n). Nothing: as pearson().
std::optional<Estimate> spearman(std::span<const double> x, std::span<const double> y);

}  // namespace ergo::stats
