#pragma once
// From readings to a run: what all imports share.

#include "ergo/core/clock.hpp"
#include "ergo/energy/measure.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/store/records.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ergo::importing {

/// Readings of one signal: time in ns on the recording's own clock, value.
using Series = std::vector<std::pair<std::int64_t, double>>;

/// An energy or power signal "source@channel".
SignalInfo channel_signal(SignalKind kind, const std::string& channel, Domain domain,
                          const std::string& source, bool in_total);
SignalInfo gauge_signal(const std::string& name, const std::string& unit);

/// Adds a signal with its readings; those that go back in time are left out. Returns how many were
/// left out.
std::size_t add_series(Timeline& timeline, const SignalInfo& info, const Series& series);

/// Energy, total, metrics and sample count of a run, from a timeline. The run begins at
/// window.begin.
RunRecord run_from(const Timeline& timeline, Window window);

/// The joules of another formula, beside ours. No effect when the channel is not in the list.
void add_alternative(std::vector<ChannelEnergy>& energies, const std::string& channel,
                     const std::string& source, double joules);
const ChannelEnergy* find_channel(const std::vector<ChannelEnergy>& energies,
                                  const std::string& channel);

/// Sum of trapezoids, J. The pieces one by one in `pieces` when given.
double trapezoids(std::span<const std::pair<std::int64_t, double>> series,
                  std::vector<double>* pieces = nullptr);

/// A channel known only by its result: ±`gain` is its whole budget.
ChannelEnergy channel_result(const std::string& channel, const std::string& source, double joules,
                             double seconds, double gain);

/// Median spacing of the readings in s; 0 for fewer than two.
double median_spacing(const Series& series);

/// The limit of a run whose source names one: recorded, and a parameter, so that tables tell limits
/// apart.
void set_power_limit(RunRecord& run, double watts);

/// No card takes more: milliwatts, most likely.
inline constexpr double highest_limit_w = 5000.0;

void set_latencies(RunRecord& run, std::vector<double> latencies);

}  // namespace ergo::importing
