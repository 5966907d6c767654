#pragma once
// The beat of a job in the power it draws: iterations are alike, so power comes again with every
// one of them. Its period under two limits tells how much slower the work is under one of them,
// without anybody counting it.

#include <cstddef>
#include <optional>
#include <vector>

namespace ergo::tune {

struct Beat {
  double period_s = 0.0;
  double se = 0.0;  ///< of ln of the period
};

/// Mean power in even steps of `step_s` seconds. Where it does not come again clearly (a scatter of
/// 8 % of the mean, of which six harmonics explain 70 %, over at least four periods of at least
/// six steps), nothing. Of a period and its multiples, the shortest.
std::optional<Beat> beat_of(const std::vector<double>& watts, double step_s);

/// The same for a period that is known to be from `shortest_s` to `longest_s`, in a scatter of 1.5
/// % of the mean or more.
std::optional<Beat> beat_within(const std::vector<double>& watts, double step_s, double shortest_s,
                                double longest_s);

}  // namespace ergo::tune
