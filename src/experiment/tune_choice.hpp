#pragma once
// From measured windows to the next limit.

#include "ergo/experiment/tune.hpp"

#include <map>
#include <optional>
#include <vector>

namespace ergo::tune {

/// Means over the windows of one limit.
struct Measured {
  double log_time = 0.0;
  double log_power = 0.0;
  double host_w = 0.0;
  double se = 0.0;               ///< of ln of the energy
  double se_time = 0.0;          ///< of ln of the time
  double var_time = 0.0;         ///< of ln of the time, where nobody counts the work
  double log_cycles_time = 0.0;  ///< seconds per unit that is counted: as windows have it
  double log_clock = 0.0;        ///< of the busy GPU as it is told, where nobody counts the work
  /// Below the default, but not in the way of the work: it ran as under the default, and has its
  /// values.
  bool free = false;
  /// At the card's lowest clock, where it may skip pulses: time and cost are only what they are at
  /// least.
  bool beyond = false;
};
/// Clocks that lie nearer together are one, as logarithms.
inline constexpr double same_clock = 0.01;

using MeasuredLimits = std::map<double, Measured>;

struct Choice {
  double limit_w = 0.0;
  /// How much less it is expected to cost than the best limit that was measured, relative.
  double gain = 0.0;
};

/// The best of the limits that were measured, by what was measured. `measured` holds the default.
/// Where noise does not tell limits apart, the highest of them.
double best_measured(const TuneOptions& options, const MeasuredLimits& measured);

/// The best of all limits, by measurement and, where there is none, by the model.
Choice best_predicted(const TuneOptions& options, const MeasuredLimits& measured);

/// A limit worth measuring by the shape of what was measured alone, for where the model is wrong or
/// does not know: half-way down from a best limit that is the lowest measured, where the slowdown
/// accepted is just reached, or where a valley may lie between the best limit and a neighbour: the
/// cost falls towards the gap from both sides, and an edge (the lowest clock) may be in it. Nothing
/// when no gain of `least_gain` is in sight.
std::optional<double> refinement(const TuneOptions& options, const MeasuredLimits& measured,
                                 double least_gain);

/// Whether `limit_w`, one of those measured, is hardly told apart from the default: another window
/// would help.
bool unsure(const TuneOptions& options, const MeasuredLimits& measured, double limit_w);

/// The limit for the low probe: 20 % of the range above the lowest one. The range ends at what is
/// drawn under the default where that never reaches a limit (`capped`: share of the time).
double low_probe(const std::vector<double>& limits, double drawn_w, std::optional<double> capped);

}  // namespace ergo::tune
