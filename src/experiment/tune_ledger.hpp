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
    std::size_t from = 0;      ///< index of that kind
    double likely = 0;         ///< share that is thought to be of that kind
    double give_or_take = 1;   ///< 95 % half-width of it
  };
  std::vector<Blur> blurs;

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

/// ln of seconds per unit of work and of watts.
struct Pace {
  double log_time = 0;
  double log_power = 0;
};

/// A stretch of the job while it is watched.
struct Slice {
  TuneObservation o;
  bool tells = true;  ///< all of it was under one limit
  Pace beyond;        ///< its limit's pace less that of the limit settled on
};

/// The first of `slices` that is of the work after a change: where the best cut lies between slices
/// at one pace and slices at another, both under the limit settled on.
std::size_t change_in(const std::vector<Slice>& slices, const Pace& before, const Pace& after);

/// The same for paces that are not known: the cut that leaves least scatter on both sides, if it
/// leaves clearly less than there is without one.
std::optional<std::size_t> change_in(const std::vector<Slice>& slices);

/// Joules that profiling cost above those of the same work under the limit settled on; nothing before that.
std::optional<double> profiling_excess(const Phase& phase, double default_w);

/// Fills in savings, slowdown, profiling cost and why nothing can be said.
void settle_accounts(const std::vector<Phase>& phases, double default_w, TuneReport& report);

}  // namespace ergo::tune
