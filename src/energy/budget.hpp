#pragma once
// Puts the parts of an error budget together. Internal to energy/.

#include "ergo/energy/measure.hpp"

#include <span>

namespace ergo::energy_detail {

/// Distances from a value to the two ends of its 95 % interval.
struct Sides {
  double low = 0.0;
  double high = 0.0;
};

/// Independent parts in quadrature. Parts that concern only the net energy are left out.
Sides combine(std::span<const BudgetPart> parts);

/// The part that a device's gain adds to `joules`; nothing when the gain is taken as exact.
std::optional<BudgetPart> gain_part(const PowerTraits& traits, Joules joules);

}  // namespace ergo::energy_detail
