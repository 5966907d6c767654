#pragma once
// Connects a Tuner with a run: readings and marks become observations, and what it wants is set.

#include "ergo/experiment/runner.hpp"
#include "ergo/experiment/tune.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ergo {

/// What stands for the work that was done.
enum class WorkMeasure {
  none,      ///< nothing yet
  items,     ///< marks: their counts
  activity,  ///< busy time x clock of the GPUs, exact for work that only computes, and memory
             ///< utilisation for work that waits for memory (src/experiment/tune_progress.hpp)
};

struct TuneEventsOptions {
  /// Sets a limit on all GPUs that are measured; returns the limit enforced.
  std::function<Result<Watts>(Watts)> set_limit;
  /// The watts in force when the run begins.
  Watts found{0.0};
  /// Without marks for so long, activity stands for the work.
  Seconds wait_for_marks{10.0};
  Seconds shortest_slice{0.5};
};

/// Watches a run; passes every event on to `next`. One object for one run.
class TuneEvents final : public RunEvents {
 public:
  TuneEvents(Tuner& tuner, TuneEventsOptions options, RunEvents& next);
  ~TuneEvents() override;

  void on_phase(std::string_view phase, std::optional<Seconds> length) override;
  void on_progress(const Timeline& timeline, Instant begin) override;
  void on_mark(const MarkMessage& mark, int pid) override;
  void on_window(const MarkedWindow& window) override;
  void on_sample(const Timeline& timeline, SignalId id, const Sample& sample) override;
  bool wants_stop() override;

  [[nodiscard]] WorkMeasure work_measure() const;
  /// The name of the marks that are counted.
  [[nodiscard]] std::string counted() const;
  /// Why the tuning stopped before the end of the run, if it did: a limit that could not be set.
  [[nodiscard]] const std::optional<Error>& failure() const;
  /// Largest share of other programs' use of the GPUs that was seen, 0..1; absent: not known.
  [[nodiscard]] std::optional<double> foreign_share() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ergo
