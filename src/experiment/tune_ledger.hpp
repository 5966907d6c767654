#pragma once
// What the job used and what the default limit would have used, kind of work by kind of work.

#include "experiment/tune_choice.hpp"
#include "experiment/tune_progress.hpp"
#include "experiment/tune_window.hpp"

#include <optional>
#include <vector>

namespace ergo::tune {

inline constexpr double other_work = 0.06;  ///< a change beyond it is one of the work

/// What was done and the joules it took, host included.
struct Totals {
  Progress did;
  double joules = 0;

  void add(const TuneObservation& o);
  void add(const Totals& o, double sign = 1);
};

/// All that was done, and the part of it under another limit than the default: only there anything
/// is saved.
struct Account {
  Totals all;
  Totals limited;

  void add(const TuneObservation& o, bool under_other_limit);
  void add(const Account& o, double sign = 1);
};

/// One kind of work: what was measured of it and what it used in all.
struct Phase {
  std::vector<TuneWindow> windows;
  Account done;
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
  /// A window that was unlike the others, but too uneven in itself to be called other work: the
  /// work that it stands for times how far ln of its energy and time were off.
  struct Uneven {
    Instant end;
    double energy = 0;
    double time = 0;
  };
  std::vector<Uneven> uneven;
  /// Mean temperature that the card would have had under the default, where that is known.
  std::optional<double> default_celsius;

  /// Means over the windows of each limit.
  [[nodiscard]] MeasuredLimits measured(double default_w) const;
  /// Looks for the beat of a window that is about to join.
  void find_beat(TuneWindow& window, const std::vector<double>& watts, double step_s,
                 double default_w) const;
  /// How much more work was done in one of the windows than its cycles say: by the beat, where two
  /// limits or more show one and agree on how much the work waits; else by `more_than_cycles`.
  [[nodiscard]] Factor more_of(const TuneWindow& window, double default_w) const;
  /// The same of the limit settled on, by its beat.
  [[nodiscard]] std::optional<Factor> settled_beat(double default_w) const;
  /// Power shows a beat under the default.
  [[nodiscard]] bool has_beat(double default_w) const;
  [[nodiscard]] bool beats_agree(double default_w) const;
  /// The windows under the default.
  [[nodiscard]] std::vector<const TuneWindow*> defaults(double default_w) const;
};

/// Joules that profiling cost above those of the same work under the limit settled on; nothing
/// before that.
std::optional<double> profiling_excess(const Phase& phase, double default_w);

/// Fills in savings, slowdown, profiling cost and why nothing can be said.
void settle_accounts(const std::vector<Phase>& phases, double default_w, TuneReport& report);

}  // namespace ergo::tune
