#pragma once
// What one signal says about the energy of a window, before gain. Internal to energy/.

#include "ergo/energy/measure.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ergo::energy_detail {

/// What a load is taken to do at least, unseen, between two readings: move by half its mean up and
/// down.
inline constexpr double unseen_swing = 0.5;

/// Energy of a window from one signal. All energies in joules, half-widths of 95 % intervals.
struct SourceEnergy {
  SignalId id = 0;
  const SignalInfo* info = nullptr;
  double joules = 0.0;
  double max_watts = 0.0;  ///< 0 = unknown
  /// Everything but the gain.
  std::vector<BudgetPart> parts;
  /// What a counter that never falls proves, whatever the load did between its ticks.
  std::optional<double> at_least;
  std::optional<double> at_most;
  std::vector<std::string> warnings;
};

/// A signal read so seldom or so late that it says nothing about the window: why.
struct NoEnergy {
  std::string why;
};

/// The part of a window that the readings of a signal reach.
struct Coverage {
  Window covered;
  double missing_s = 0.0;
};

/// Energy of `window` by a counter of joules. `power` (optional) is a power signal of the same
/// channel; it tells how the load moved between two ticks of the counter.
Result<SourceEnergy> by_counter(const Timeline& timeline, SignalId id, Window window,
                                std::optional<SignalId> power);

/// Energy of `window` by integrating a power signal.
Result<SourceEnergy> by_power(const Timeline& timeline, SignalId id, Window window);

/// Where the samples of a signal begin and end relative to a window. `slack` is how far beyond the
/// first and last sample the readings may be extended. Errors: unavailable, when less than half of
/// the window is covered.
Result<Coverage> coverage_of(const Timeline& timeline, SignalId id, Window window, Seconds slack);

/// Adds what the uncovered share of a window may have cost: the mean power of the rest, with wide
/// bounds.
void extend_to_uncovered(SourceEnergy& energy, Window window, const Coverage& coverage);

/// Half-width of the central 95 % of the sum of two independent uniform errors on ±a and ±b.
double uniform_sum_u95(double a, double b);

}  // namespace ergo::energy_detail
