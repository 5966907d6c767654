#pragma once
// Watts and slowdowns as people type them.

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"

#include <string>
#include <vector>

namespace ergo::cli {

/// The error with the flag's name before it.
Error of_flag(const std::string& flag, const Error& error);

/// "200", "200W", "200 W", above 0. `flag` stands in the error.
Result<Watts> parse_watts(const std::string& flag, const std::string& text);

/// "W1,W2" or "A..B:STEP", all above 0.
Result<std::vector<double>> parse_watts_list(const std::string& flag, const std::string& text);

/// "5%" or "0.05" as a fraction, not negative. A bare 1 or more is refused: "5" is more likely 5 %
/// than five times the time.
Result<double> parse_slowdown(const std::string& flag, const std::string& text);

}  // namespace ergo::cli
