#pragma once
// Two samples against each other: how much they differ, with 95 % intervals, and whether they do.
// Pure functions; random ones take their seed.

#include "ergo/core/estimate.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace ergo::stats {

/// mean(b) - mean(a) with Welch's interval (Welch 1947; degrees of freedom by Satterthwaite).
/// Nothing for fewer than two values on a side.
std::optional<Estimate> difference_of_means(std::span<const double> a, std::span<const double> b);

/// Shift of b against a: the median of all differences b[j] - a[i] (Hodges & Lehmann 1963), with
/// the interval that the rank-sum test leaves standing: exact by Mann and Whitney's distribution
/// up to 50 values on each side, by its normal approximation above. Holds for any distribution, at
/// least 95 %. Nothing when no interval of 95 % exists (fewer than 4 and 4, or 3 and 5, values).
std::optional<Estimate> shift(std::span<const double> a, std::span<const double> b);

/// mean of b[i] - a[i] with Student's interval. Nothing for fewer than two pairs or lengths that
/// differ.
std::optional<Estimate> paired_difference(std::span<const double> a, std::span<const double> b);

struct PermutationOptions {
  /// With at most so many arrangements all are tried; else as many random ones.
  std::uint64_t most = 20'000;
  std::uint64_t seed = 1;
};
struct PermutationTest {
  double p = 1.0;         ///< two-sided
  double smallest = 1.0;  ///< the least p that so few values can give
  bool exact = true;
};

/// How often values dealt to the two sides at random would have means as far apart (Fisher 1935;
/// Pitman 1937). Random arrangements count the observed one: p = (k + 1) / (m + 1) (Phipson & Smyth
/// 2010). Nothing when a side is empty.
std::optional<PermutationTest> permutation_test(std::span<const double> a,
                                                std::span<const double> b,
                                                const PermutationOptions& options = {});

/// The same for pairs: each pair's two values may be exchanged (signs of the differences).
std::optional<PermutationTest> paired_permutation_test(std::span<const double> a,
                                                       std::span<const double> b,
                                                       const PermutationOptions& options = {});

/// b / a - 1 of positive values, from differences of logarithms: geometric means, so that "B needs
/// a tenth more" and "A needs a tenth less" agree as ratios. Paired when `paired` (a[i] with b[i]).
struct RelativeDifference {
  Estimate change;       ///< b / a - 1; -0.041 is 4.1 % less
  PermutationTest test;  ///< of the logarithms
  std::size_t count_a = 0;
  std::size_t count_b = 0;
  bool paired = false;
  double log_deviation = 0.0;  ///< of one pair's difference; unpaired: of a run, pooled, x sqrt(2)
};
/// Nothing for fewer than two values on a side, values that are not positive, or unequal numbers of
/// pairs.
std::optional<RelativeDifference> relative_difference(std::span<const double> a,
                                                      std::span<const double> b, bool paired,
                                                      const PermutationOptions& options = {});

/// The interval excludes 0, and so does the test where it has values enough to say so.
bool is_told(const RelativeDifference& difference);

/// Pairs (runs on each side) for which the half-width would be at most `resolution` (0.01 = 1 %),
/// if the spread stays what it is. At least 2.
std::size_t pairs_for(const RelativeDifference& difference, double resolution);

}  // namespace ergo::stats
