#pragma once
// Finds the best power limit of a job while it runs: a state machine that is fed with what the job
// did and says which limit should be in force. It touches no hardware and no clock; ten minutes of
// a job pass in milliseconds in a test. How it decides: docs/user/tune.md.

#include "ergo/core/clock.hpp"
#include "ergo/core/estimate.hpp"
#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// What is to be small. `cost` is Zeus's eta * energy + (1 - eta) * (highest limit) * time (You,
/// Chung, Chowdhury, NSDI 2023).
struct TuneGoal {
  enum class Kind { energy, edp, ed2p, cost };
  Kind kind = Kind::energy;
  double eta = 1.0;  ///< 0..1, of `cost`

  /// "energy", "edp", "ed2p", "cost:0.5".
  static Result<TuneGoal> parse(std::string_view text);
};

enum class TuneRule {
  /// The default limit, one low probe, the predicted optimum, a check; then watch.
  hybrid,
  /// Zeus's: every limit once, from the highest down; then the best of them for good.
  exhaustive,
};

struct TuneOptions {
  /// Limits to choose from, ascending. The highest is the one found: the default that savings are
  /// relative to.
  std::vector<double> limits_w;
  TuneGoal goal;
  std::optional<double> max_slowdown;  ///< 0.05: at most 5 % slower than under the default
  TuneRule rule = TuneRule::hybrid;
  Seconds settle{1.0};           ///< after a change of the limit nothing is measured for so long
  Seconds shortest_window{4.0};  ///< of one measurement
  Seconds longest_window{12.0};
  double precision = 0.004;  ///< a window ends when its relative standard error is so small
  Seconds revisit{60.0};  ///< first return to the default after settling; then twice as long, …
  /// No return to the default while profiling would have cost more than this share of the energy
  /// used so far (of the whole job where it tells how long it is); and from half of it on new kinds
  /// of work are probed more cheaply.
  double budget = 0.035;
  std::string gpu;  ///< its name
  int gpus = 1;     ///< how many share the limit; observed joules are of all of them
};

/// What a GPU shows of work that nobody counts.
struct TuneActivity {
  double busy_s = 0.0;  ///< time with any kernel
  /// Memory utilisation x time, summed over GPUs; 0: not read.
  double traffic_s = 0.0;
  /// Its square x time: readings that differ by more than their last digit tell more than it.
  double traffic_squares_s = 0.0;
  /// Half of the last digit of memory utilisation: 0.005 for NVML's whole per cents.
  double traffic_error = 0.005;
};

/// A stretch of the job. Consecutive stretches do not overlap.
struct TuneObservation {
  Instant begin;
  Instant end;
  double joules = 0.0;       ///< of the GPUs whose limit is set
  double host_joules = 0.0;  ///< of CPU and memory where they are measured
  /// Items finished, when `begin` and `end` are the ends of items; else any number that grows with
  /// the work that was done.
  double work = 0.0;
  /// Without items: what the GPUs show beside clock x busy time, which is then `work`.
  std::optional<TuneActivity> activity;
  std::optional<double> celsius;  ///< mean over the GPUs
  /// Share of the time in which a power limit held a clock down, 0..1; of the GPU that was held
  /// most.
  std::optional<double> capped;
  /// Mean power of the GPUs in even steps, where nobody counts the work: it may show a beat.
  std::vector<double> watts;
  Seconds watts_step{0.0};
  /// How long the job goes on after it, where the job tells how much it has to do.
  std::optional<Seconds> left;
};

/// One measurement under one limit. Logarithms are natural.
struct TuneWindow {
  Instant begin;
  Instant end;
  double limit_w = 0.0;
  double joules = 0.0;  ///< host included
  double work = 0.0;
  double log_time = 0.0;   ///< seconds per unit of work
  double log_power = 0.0;  ///< watts of the GPUs
  double host_w = 0.0;
  double se_time = 0.0;  ///< standard errors of the logarithms
  double se_power = 0.0;
  double se_energy = 0.0;
  std::optional<TuneActivity> activity;
  double se_traffic = 0.0;  ///< of ln(traffic / work)
  std::optional<double> celsius;
  std::optional<double> capped;  ///< share of the time at the limit
  /// Seconds in which power comes again (an iteration, as a rule), where that is clear, and the
  /// standard error of its logarithm. Only where nobody counts the work.
  std::optional<double> beat_s;
  double se_beat = 0.0;
  std::string purpose;  ///< "default", "probe", "check", "settled", "profile"

  [[nodiscard]] Seconds duration() const { return end - begin; }
  /// ln of joules per unit of work.
  [[nodiscard]] double log_energy() const;
};

struct TuneReport {
  /// Why nothing can be said about savings; empty: `saved_j` and `lost_s` are set.
  std::string cannot_tell;
  std::optional<Estimate>
      saved_j;  ///< against the default limit all the time, same work; may be < 0
  std::optional<Estimate> lost_s;  ///< longer than the default would have taken
  double joules = 0.0;             ///< used in what was observed, host included
  double seconds = 0.0;
  std::optional<double> settled_w;  ///< the last limit settled on
  int phases = 0;                   ///< kinds of work told apart
  int phase_changes = 0;
  Seconds profiling{0.0};  ///< time spent before settling and in returns to the default
  /// What profiling cost: its energy above that of the same work under the limit settled on, as a
  /// share of all energy. Absent when nothing was settled on.
  std::optional<double> profiling_cost;
  /// All but those of watching. Work that nobody counts is in units of what the default does in a
  /// second.
  std::vector<TuneWindow> windows;
};

/// One thread.
class Tuner {
 public:
  explicit Tuner(TuneOptions options);
  Tuner(Tuner&&) noexcept;
  Tuner& operator=(Tuner&&) noexcept;
  ~Tuner();

  /// The limit that should be in force.
  [[nodiscard]] double wanted_limit() const;
  /// `watts` is in force since `t`. Call it once at the beginning, and after every change.
  void limit_set(Instant t, double watts);
  void observe(const TuneObservation& observation);
  /// The unit of work has changed: what was measured before cannot be compared any more.
  void new_unit();

  /// What it does now, for people: "probing 180 W", "settled on 210 W".
  [[nodiscard]] std::string status() const;
  [[nodiscard]] bool settled() const;
  [[nodiscard]] TuneReport report() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ergo
