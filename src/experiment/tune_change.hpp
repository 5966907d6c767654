#pragma once
// When did the work change?

#include "ergo/experiment/tune.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace ergo::tune {

/// ln of seconds per unit of work and of watts.
struct Pace {
  double log_time = 0;
  double log_power = 0;
};

/// A stretch of the job while it is watched.
struct Slice {
  TuneObservation o;
  bool limited = true;  ///< under another limit than the default, at least in part
  bool tells = true;    ///< all of it was under one limit
  Pace beyond;          ///< its limit's pace less that of the limit settled on
};

/// The first of `slices` that is of the work after a change: where the best cut lies between slices
/// at one pace and slices at another, both under the limit settled on.
std::size_t change_in(const std::vector<Slice>& slices, const Pace& before, const Pace& after);

/// The same for paces that are not known: the cut that leaves least scatter on both sides, if it
/// leaves clearly less than there is without one.
std::optional<std::size_t> change_in(const std::vector<Slice>& slices);

}  // namespace ergo::tune
