#pragma once
// What `ergo tune` tells: a line while it works, and the result as text and as JSON.

#include "ergo/experiment/tune.hpp"
#include "ergo/experiment/tune_events.hpp"
#include "ergo/store/records.hpp"
#include "progress.hpp"

#include <optional>
#include <string>

namespace ergo::cli {

struct TuneResult {
  TuneOptions options;
  std::string objective;
  TuneReport report;
  RunRecord run;
  WorkMeasure measure = WorkMeasure::none;
  std::string counted;  ///< the marks that stand for the work
  std::optional<double> foreign_share;
  std::optional<Error> failure;  ///< a limit could not be set
};

/// Prints a line each time that the tuner changes its mind.
class TuneLine final : public RunEvents {
 public:
  TuneLine(const Tuner& tuner, Progress& progress, bool speaks)
      : tuner_(tuner), progress_(progress), speaks_(speaks) {}

  void on_phase(std::string_view phase, std::optional<Seconds> length) override {
    progress_.on_phase(phase, length);
  }
  void on_progress(const Timeline& timeline, Instant begin) override;
  void on_window(const MarkedWindow& window) override { progress_.on_window(window); }

 private:
  const Tuner& tuner_;
  Progress& progress_;
  bool speaks_;
  std::string told_;
};

/// "saved 14.0 ± 2.0 % energy, 3.1 ± 0.8 % slower than the default would have been", and how.
std::string tune_text(const TuneResult& result);

/// Schema ergo.tune/1 (docs/user/tune.md).
std::string tune_json(const TuneResult& result);

}  // namespace ergo::cli
