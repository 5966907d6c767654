#pragma once
// Numbers for people: a value with a unit that fits its size, to four significant digits.

#include "ergo/core/units.hpp"
#include "ergo/energy/measure.hpp"

#include <string>

namespace ergo::report {

std::string format_energy(Joules energy);   ///< "812.4 J", "1.204 kJ", "35.2 mJ"
std::string format_power(Watts power);      ///< "65.8 W"
std::string format_duration(Seconds time);  ///< "12.35 s", "1.10 ms", "2 h 03 min"
/// For what is planned or left: "44 s", "12 min", "2 h 03 min".
std::string format_rough(Seconds time);
std::string format_bytes(double bytes);  ///< "769 KiB", "1.571 GiB": powers of 1024
std::string format_count(double count);  ///< "4000", "1.2e+09"
/// "790.1 … 834.7 J": both ends in the unit that fits the larger one.
std::string format_range(Joules low, Joules high);
/// "±2.8 %" when the interval is nearly symmetric, "-50 % / +100 %" otherwise.
std::string format_uncertainty(Joules value, Joules low, Joules high);

/// How the measured part of a total came to be: simulated if any of its channels is.
Provenance provenance_of_total(const std::vector<ChannelEnergy>& channels);

}  // namespace ergo::report
