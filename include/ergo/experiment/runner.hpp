#pragma once
// Runs a command once and measures it: sensors, sampler, marks, child, windows -> one RunRecord.

#include "ergo/core/clock.hpp"
#include "ergo/core/environment.hpp"
#include "ergo/core/result.hpp"
#include "ergo/experiment/child.hpp"
#include "ergo/experiment/marks.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/sensors/registry.hpp"
#include "ergo/store/records.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ergo {

struct RunnerOptions {
  Seconds period{0.1};  ///< of the sampler
  Seconds idle{0.0};    ///< length of the baseline before and after each run; 0 = none
  GpuSelection gpus;
  /// Set for the child on top of ergo's own environment and of ERGO_MARKS and ERGO_RUN_DIR.
  std::vector<std::pair<std::string, std::string>> environment;
  /// External meters to read, as `meter::open` takes them.
  std::vector<std::string> meters;
  std::optional<RunAs> run_as;
};

struct RunRequest {
  std::vector<std::string> command;
  int index = 0;
  bool warmup = false;
  /// A file that takes the command's standard output and error (appended); empty: they are ergo's
  /// own.
  std::filesystem::path output = {};
};

/// What happens during a run. All calls but on_sample come from the thread that called Runner::run.
class RunEvents {
 public:
  virtual ~RunEvents() = default;
  /// A phase began: "idle before", "run", "idle after"; `length` when it is known.
  virtual void on_phase(std::string_view /*phase*/, std::optional<Seconds> /*length*/) {}
  /// A few times a second while the command runs.
  virtual void on_progress(const Timeline& /*timeline*/, Instant /*begin*/) {}
  /// A marked window has ended. On the marks' thread; its number counts ends, not starts. Must not
  /// block.
  virtual void on_window(const MarkedWindow& /*window*/) {}
  /// Each well-formed mark as it arrives. On the marks' thread. Must not block.
  virtual void on_mark(const MarkMessage& /*mark*/, int /*pid*/) {}
  /// Asked after each on_progress: true has the command asked to end, once, by a SIGINT to all its
  /// processes in ergo's group, as Ctrl-C would. The outcome's stop signal is then SIGINT.
  virtual bool wants_stop() { return false; }
  /// On the sampler's thread, once per sample. Must not block.
  virtual void on_sample(const Timeline& /*timeline*/, SignalId /*id*/, const Sample& /*sample*/) {}
};

/// A measured run and the readings it rests on. Instants in the timeline are those of
/// CLOCK_MONOTONIC.
struct RunOutcome {
  RunRecord record;
  std::shared_ptr<const Timeline> timeline;
  int pid = 0;  ///< of the command
  /// The command could not be started: the record's exit code says why (127, 126, 125).
  std::optional<Error> launch_error;
  /// SIGINT, SIGTERM, SIGHUP or SIGQUIT came: no further run should be started.
  std::optional<int> stop_signal;
};

/// Holds the machine's sensors over any number of runs. One thread; one Runner at a time in a
/// process (signals).
class Runner {
 public:
  /// Discovers the sensors. A sensor that is missing is a fact in discovery(), not an error.
  Runner(Environment environment, RunnerOptions options, Clock& clock);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  [[nodiscard]] const Discovery& discovery() const;
  [[nodiscard]] HostRecord host() const;

  /// Errors: only what prevents any measurement (a meter that does not answer, no temporary folder,
  /// no socket). A command that
  /// fails, cannot be started or is killed is an outcome.
  Result<RunOutcome> run(const RunRequest& request, RunEvents& events);

 private:
  friend class MeasuredRun;
  struct State;
  std::unique_ptr<State> state_;
};

/// Names of the slow-downs in a mask of NVML clock event reasons ("sw_power_cap",
/// "hw_thermal_slowdown", …); being idle and application clocks are none. Bits: NVML API reference,
/// nvmlClocksEventReasons.
std::vector<std::string> throttle_reasons(std::uint64_t mask);

/// The metric "gpuN.power_capped": share of the readings, from the first marked window to the last,
/// at which the power limit held the clock down.
inline constexpr std::string_view power_capped_suffix = ".power_capped";

/// Was the power limit binding? The largest share over the run's GPUs; absent where no GPU told.
std::optional<double> power_capped(const RunRecord& run);

}  // namespace ergo
