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
  void add(const Totals& o, double sign = 1);
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
  /// What was booked here when the work changed to it, and may in part be work of the kind before.
  struct Blur {
    Totals totals;
    std::size_t from = 0;     ///< index of that kind
    double likely = 0;        ///< share that is thought to be of that kind
    double give_or_take = 1;  ///< 95 % half-width of it
  };
  std::vector<Blur> blurs;
  /// Mean temperature that the card would have had under the default, where that is known.
  std::optional<double> default_celsius;

  /// Means over the windows of each limit.
  [[nodiscard]] MeasuredLimits measured(double default_w) const;
  /// The windows under the default.
  [[nodiscard]] std::vector<const TuneWindow*> defaults(double default_w) const;
};

/// Joules that profiling cost above those of the same work under the limit settled on; nothing
/// before that.
std::optional<double> profiling_excess(const Phase& phase, double default_w);

/// Fills in savings, slowdown, profiling cost and why nothing can be said.
void settle_accounts(const std::vector<Phase>& phases, double default_w, TuneReport& report);

}  // namespace ergo::tune
