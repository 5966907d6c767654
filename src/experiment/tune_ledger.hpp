#pragma once
// What the job used and what the default limit would have used, kind of work by kind of work.

#include "experiment/tune_choice.hpp"
#include "experiment/tune_progress.hpp"
#include "experiment/tune_window.hpp"

#include <optional>
#include <vector>

namespace ergo::tune {

/// What was done and the joules it took, host included.
struct Totals {
  Progress did;
  double joules = 0;

  void add(const TuneObservation& o);
  void add(const Totals& o);
};

/// One kind of work: what was measured of it and what it used in all.
struct Phase {
  std::vector<TuneWindow> windows;
  Totals all;
  Instant last;            ///< end of what was seen of it
  Totals before_settling;  ///< measured or waited before, and in returns to the default
  std::optional<double> settled_w;
  /// Time and power under `settled_w` as last seen; they follow slow drift.
  double log_time = 0;
  double log_power = 0;
  double se = 0;

  /// Means over the windows of each limit.
  [[nodiscard]] MeasuredLimits measured(double default_w) const;
  /// The windows under the default.
  [[nodiscard]] std::vector<const TuneWindow*> defaults(double default_w) const;
};

/// ln of a quantity under the default limit with its standard error and degrees of freedom.
struct DefaultLevel {
  double mean = 0;
  double se = 0;
  double freedom = 1;
};

/// From windows in order of time, each standing for the time nearest to it up to `last`: their
/// spread (drift included) and what each does not know about itself.
DefaultLevel default_level(const std::vector<const TuneWindow*>& windows, Instant last,
                           double (*value)(const TuneWindow&), double (*error)(const TuneWindow&));

/// Fills in savings, slowdown, profiling cost and why nothing can be said. `blurred_s`: seconds of
/// work that may be booked with another kind.
void settle_accounts(const std::vector<Phase>& phases, double default_w, double blurred_s,
                     TuneReport& report);

}  // namespace ergo::tune
