#pragma once
// What a training will have cost in all, told while it runs, and a budget that ends it in time.
//
// A program says with a mark how many windows of a name there will be (`ergo1 begin epoch T
// total=10`). From one begin to the next is a cycle: an epoch with its validation and whatever else
// belongs to it. After the first cycles the rest is predicted:
//
//   training = what was used up to the last begin + (cycles left) x (mean cycle)
//
// The first cycle is left out of the mean: it compiles, fills caches and reads files
// (docs/user/live.md).

#include "ergo/core/estimate.hpp"
#include "ergo/experiment/runner.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// "2kWh", "500 J", "1.5MJ", "300Wh"; a bare number is joules. More than 0.
Result<Joules> parse_energy(std::string_view text);

/// Predicts a sum of like amounts from those seen so far. Pure; no unit.
class CyclePredictor {
 public:
  /// `cycles` of them together took `amount`. The first call is the warm-up.
  void add(double cycles, double amount);

  /// The sum over `cycles` more, with its 95 % prediction interval, which is never below 0. Nothing
  /// before the second call of add().
  ///
  /// Linear regression on the number of the cycle with priors (Gelman et al., Bayesian Data
  /// Analysis, chapter 14): on the scatter, worth two observations of 5 %, so that two equal cycles
  /// are not taken for certainty; and on the trend, 0 ± 0.3 % of a cycle per cycle. A trend is
  /// taken to go on for as long as it has been seen, and then to stop. The interval is Student's t.
  [[nodiscard]] std::optional<Estimate> sum_of(double cycles) const;

 private:
  struct Sums;
  [[nodiscard]] Sums sums() const;

  struct Observation {
    double cycles;
    double amount;
    double centre;  ///< number of cycles before its middle
  };
  std::vector<Observation> observations_;  ///< without the warm-up
  double seen_ = 0;                        ///< cycles, with the warm-up
  int calls_ = 0;
};

/// A row of windows whose number was announced.
struct AnnouncedSeries {
  std::string name;
  int pid = 0;
  std::int64_t total = 0;
  /// Begin of the window around the series (`fit`), else of its first window.
  Instant training_begin;
  std::vector<Instant> begins;
  bool over = false;
  int number = 0;  ///< 1, 2, … among the series of a run
};

/// Finds the series in a stream of marks: the outermost one of the process that announced one
/// first. It is over when the window around it has ended, or else its last window has. Not
/// thread-safe.
class SeriesTracker {
 public:
  /// `alive`: whether a process exists; a series of one that is gone makes room for another's.
  explicit SeriesTracker(std::function<bool(int pid)> alive);
  void take(const MarkMessage& mark, int pid);
  /// The current series, or the last one.
  [[nodiscard]] const std::optional<AnnouncedSeries>& series() const { return series_; }

 private:
  struct Open {
    int pid;
    std::string name;
    Instant begin;
  };
  void begin(const MarkMessage& mark, int pid);
  void end(const MarkMessage& mark, int pid);
  void start(const MarkMessage& mark, int pid);

  std::function<bool(int)> alive_;
  std::vector<Open> open_;
  std::optional<AnnouncedSeries> series_;
  std::optional<Open> around_;
  std::int64_t ended_ = 0;
};

/// What is known of the training that runs.
struct LiveStatus {
  std::string name;  ///< of its windows
  std::int64_t done = 0;
  std::int64_t total = 0;
  /// Of the whole training, in joules and seconds. The error of the sensors is in the interval.
  Estimate joules;
  Estimate seconds;
  double seconds_left = 0;
  Provenance provenance = Provenance::measured;
};

/// Why the command was asked to end.
struct BudgetStop {
  Joules budget;
  Joules used;  ///< since the run's begin
  /// Of the run up to the end of its training; absent when the budget is used up already.
  std::optional<Estimate> predicted;
  Provenance provenance = Provenance::measured;
};

struct LiveOptions {
  /// Of one run, in measured joules, or in estimated ones where nothing is measured.
  std::optional<Joules> budget;
  /// A new prediction. On the runner's thread.
  std::function<void(const LiveStatus&)> on_status;
  /// Once, when the command is about to be asked to end. On the runner's thread.
  std::function<void(const BudgetStop&)> on_stop;
};

/// Watches a run; passes every event on to `next`, which must outlive it. One object for each run.
class LiveTotal final : public RunEvents {
 public:
  LiveTotal(LiveOptions options, RunEvents& next);
  ~LiveTotal() override;

  void on_phase(std::string_view phase, std::optional<Seconds> length) override;
  void on_progress(const Timeline& timeline, Instant begin) override;
  void on_mark(const MarkMessage& mark, int pid) override;
  void on_window(const MarkedWindow& window) override;
  void on_sample(const Timeline& timeline, SignalId id, const Sample& sample) override;
  /// The budget is used up, or the lower end of the predicted interval lies above it.
  bool wants_stop() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ergo
