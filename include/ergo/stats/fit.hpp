#pragma once
// Lines through points, with 95 % intervals. Errors of y are taken as independent and about normal
// with one spread. Pure functions.

#include "ergo/core/estimate.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace ergo::stats {

/// y = intercept + slope x by ordinary least squares, intervals by Student's t.
struct LineFit {
  Estimate intercept;
  Estimate slope;
  double residual_deviation = 0.0;  ///< sqrt(sum of squared residuals / (n - 2))
  double r_squared = 0.0;
  std::size_t points = 0;
};
/// Nothing for fewer than three points, lengths that differ, an x that does not vary, or a value
/// that is not finite.
std::optional<LineFit> fit_line(std::span<const double> x, std::span<const double> y);

/// Two straight lines that meet: y = level + slope_below (x - at) for x <= at, level + slope_above
/// (x - at) beyond. The plateaus of energy per inference over the input size are of this kind.
struct BrokenLineFit {
  Estimate at;                      ///< the break point
  double level = 0.0;               ///< y there
  Estimate slope_below;             ///< given the break point
  Estimate slope_above;             ///< given the break point
  double residual_deviation = 0.0;  ///< sqrt(sum of squared residuals / (n - 4))
  double r_squared = 0.0;
  std::size_t points = 0;
  /// How often a straight line with the spread found about it would seem broken as much or more:
  /// below 0.05, one line does not do.
  double p_straight = 1.0;
};

struct BreakOptions {
  int simulations = 1000;  ///< for p_straight
  std::uint64_t seed = 1;
};

/// The least squares over all break points, exactly (Hudson 1966, JASA 61:1097): between each two
/// neighbours in x, where two lines meet or at a point. The interval of the break point holds all
/// that raise the sum of squares by no more than F(0.95; 1, n-4) (profile likelihood; Seber & Wild,
/// Nonlinear Regression, 1989, 5.2 and 9.3); an end at the second smallest or second largest x says
/// that the points do not bound it. p_straight by parametric bootstrap, as no F distribution holds
/// for a break that was searched for. Nothing for fewer than six points or four different x, and as
/// fit_line().
std::optional<BrokenLineFit> fit_broken_line(std::span<const double> x, std::span<const double> y,
                                             const BreakOptions& options = {});

}  // namespace ergo::stats
