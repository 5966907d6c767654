#pragma once
// What physics says about measurements: time does not fall as the limit falls.

#include "ergo/model/method.hpp"

#include <vector>

namespace ergo {

/// The nearest values (least squares) that do not rise with their index; pool adjacent violators
/// (Ayer, Brunk, Ewing, Reid, Silverman, Ann. Math. Stat. 26(4), 1955).
std::vector<double> not_rising(const std::vector<double>& values,
                               const std::vector<double>& weights);

/// The target with its probes' times moved to the nearest possible ones, and its noise raised by
/// how far they had to move.
Target plausible(Target target);

/// Times of `predictions` (ascending by limit) made possible: not rising with the limit, and
/// between those of the probes.
void make_possible(std::vector<Prediction>& predictions, const Target& target);

}  // namespace ergo
