#pragma once
// Text to numbers, for flags and for the small files that kernels write. All functions are pure.

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// The whole of `text` as a finite number, surrounding blanks allowed. Locale-independent.
Result<double> parse_double(std::string_view text);
/// The whole of `text` as a decimal integer, surrounding blanks allowed.
Result<std::int64_t> parse_int(std::string_view text);
Result<std::uint64_t> parse_uint(std::string_view text);

/// "250us", "10ms", "1s", "2min", "1h"; a bare number is seconds. Negative durations are refused.
Result<Seconds> parse_duration(std::string_view text);

/// "10%" or "0.1" -> 0.1.
Result<double> parse_fraction(std::string_view text);

/// "V1,V2,…" or "A..B:STEP" (both ends included when the step reaches them); parts may be mixed:
/// "8,32..64:32".
Result<std::vector<double>> parse_numbers(std::string_view text);

/// As parse_numbers, but parts that are not ranges stay text ("relu,gelu").
Result<std::vector<std::string>> parse_values(std::string_view text);

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

/// The shortest text that reads back as `value` ("0.1", "300", "1e-07").
std::string shortest(double value);

}  // namespace ergo
