#pragma once
// A comparison for people and for programs. Computes nothing.

#include "ergo/experiment/compare.hpp"

#include <string>

namespace ergo::report {

/// "B uses 4.1 ± 0.6 % less energy (3.5 … 4.7 %)", or "cannot tell whether B uses more or less
/// energy: between -1.0 and +2.0 %; 14 more pairs would resolve 1 %".
std::string compare_verdict(const ComparedQuantity& quantity, const Comparison& comparison);

/// A table of all quantities, the notes, and the verdict on energy (on time where no energy is
/// known). UTF-8, ends with a newline.
std::string compare_text(const Comparison& comparison);

/// Schema ergo.compare/1 (docs/user/compare.md). Keys may be added, never removed or changed.
std::string compare_json(const Comparison& comparison);

}  // namespace ergo::report
