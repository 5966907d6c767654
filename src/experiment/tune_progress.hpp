#pragma once
// How much work was done when nobody counts it. One unit of work takes
//   - cycles of the core: clock x busy time. Work that only computes needs the same number under
//   every
//     limit; work that waits for memory needs fewer under a lower clock. They never say too much.
//   - busy time. It never says too little: under a lower clock nothing becomes faster.
//   - memory traffic: utilisation x time. The same work moves the same bytes, whatever the clock.
// So traffic decides between the two bounds, as far as it is known better than its digits. That the
// utilisation of memory is proportional to traffic is assumed: a part of what it says is doubted.

#include "ergo/experiment/tune.hpp"

namespace ergo::tune {

/// Sums over a stretch of time.
struct Progress {
  double seconds = 0;
  double work = 0;  ///< items, or cycles in any unit
  TuneActivity activity;
  bool counted = true;  ///< work is items: nothing else matters

  void add(const TuneObservation& o, double sign = 1);
  void add(const Progress& o, double sign = 1);
};

/// ln of a factor with its bounds.
struct Factor {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// ln of (work done in `now`, in units of the work of `reference`) over the ratio of their cycles.
/// Not below 0, except where traffic fell by more than the clock (the clock that is told is not the
/// clock that is had). `se`: standard error of ln(traffic / work) in both together.
Factor more_than_cycles(const Progress& now, const Progress& reference, double se);

/// As a Progress.
Progress progress_of(const TuneWindow& window);

}  // namespace ergo::tune
