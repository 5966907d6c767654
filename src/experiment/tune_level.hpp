#pragma once
// What the default limit would have taken, from the windows under it.

#include "ergo/experiment/tune.hpp"

#include <optional>
#include <vector>

namespace ergo::tune {

/// ln of a quantity under the default limit with its standard error and degrees of freedom.
struct DefaultLevel {
  double mean = 0;
  double se = 0;
  double freedom = 1;
  double heat = 0;        ///< what a warmer card adds, part of `mean`
  double heat_above = 0;  ///< how much more it may be, 95 %
};

/// From windows in order of time, each standing for the time nearest to it up to `last`: their
/// spread (drift included) and what each does not know about itself. With `celsius`: at that
/// temperature, by the slope that the windows show.
DefaultLevel default_level(const std::vector<const TuneWindow*>& windows, Instant last,
                           std::optional<double> celsius, double (*value)(const TuneWindow&),
                           double (*error)(const TuneWindow&));

}  // namespace ergo::tune
