#pragma once
// Whose joules: splits the energy of a shared device between the measured processes, the others and
// idling.

#include "ergo/core/units.hpp"

#include <optional>

namespace ergo {

/// Parts of one channel's energy. They sum to the whole, exactly up to rounding.
struct Attribution {
  Joules process;  ///< the measured process tree
  Joules others;   ///< everybody else
  Joules idle;     ///< what the device would have used with nothing running; charged to nobody
};

/// Above this share the measured program counts as alone on the device, and idling is charged to
/// it.
inline constexpr double alone_share = 0.95;

/// The active part (whole - idle, not below 0) goes by `share` (clamped to 0..1). When the share is
/// above alone_share, `process` gets the idle part, too. Without `idle` the share is taken of the
/// whole.
Attribution attribute(Joules whole, std::optional<Joules> idle, double share);

}  // namespace ergo
