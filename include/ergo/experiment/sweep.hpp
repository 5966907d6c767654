#pragma once
// Runs every cell of a grid several times, in random order, into a store; goes on where it stopped.

#include "ergo/core/result.hpp"
#include "ergo/experiment/plan.hpp"
#include "ergo/experiment/runner.hpp"
#include "ergo/store/store.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ergo {

/// Name of the axis of power limits, in the grid and in exports.
inline constexpr std::string_view power_limit_axis = "power_limit_w";

struct SweepSpec {
  std::string name;
  std::vector<std::string> command;  ///< with {NAME} where a value belongs
  std::vector<Axis> axes;
  int repeats = 1;
  int warmup = 0;  ///< runs of each cell before its first that do not count
  std::uint64_t seed = 1;
  Seconds cooldown{0.0};  ///< between runs
  /// Repeat a cell until the half-width of its median energy's interval over repeats is below this
  /// share of it.
  std::optional<double> until;
  int most_repeats = 30;  ///< with `until`
  /// Further words for the command that follow from one value of an axis: "size=112" ->
  /// {iterations: 40000}. They stand in the command as {NAME} and are no parameters of the run.
  std::map<std::string, GridCell> companions = {};
  /// With this exit code the command says that the cell cannot be run here (too large): its further
  /// repeats are left out, and it is no failure.
  std::optional<int> skip_code = {};
  /// Keep what the command prints away from the terminal; of a command that fails, the last line
  /// becomes a warning of its run.
  bool capture_output = false;
};

/// What must stand for a cell while it runs (a power limit) and is undone when the object goes.
class CellGuard {
 public:
  virtual ~CellGuard() = default;
  /// After the run: puts what it knows into the record (the limit enforced, why the run is
  /// invalid).
  virtual void inspect(RunRecord& record) = 0;
};

/// All calls come from the thread that called run_sweep.
class SweepEvents {
 public:
  virtual ~SweepEvents() = default;
  /// `number` of `total` runs, counted from 1; total grows with `until`.
  virtual void on_run(std::size_t /*number*/, std::size_t /*total*/, const GridCell& /*cell*/,
                      int /*repeat*/) {}
  virtual void on_record(const RunRecord& /*record*/,
                         const std::optional<Error>& /*launch_error*/) {}
  /// A run ended with `skip_code`; the cell's other repeats will not be made.
  virtual void on_skip(const GridCell& /*cell*/, const std::string& /*reason*/) {}
  /// Receives the events of each run.
  virtual RunEvents& run_events() = 0;
  /// Makes a cell's conditions true. An error is recorded as this run's failure. May return null.
  virtual Result<std::unique_ptr<CellGuard>> prepare(const GridCell& /*cell*/) {
    return std::unique_ptr<CellGuard>();
  }
};

struct SweepResult {
  std::int64_t experiment = 0;  ///< in the store
  std::size_t resumed = 0;      ///< runs that were there already
  std::size_t measured = 0;     ///< runs made now
  std::size_t failed = 0;       ///< of those: with an exit code other than 0, or invalid
  std::size_t skipped = 0;      ///< cells that cannot be run here (skip_code)
  std::optional<int> stop_signal;
};

/// Text by which a sweep knows itself again in a store: command, axes, seed and name, not the
/// number of repeats, so that more repeats can be added later.
std::string plan_text(const SweepSpec& spec);

/// The newest experiment in the store with this plan, finished or not.
Result<std::optional<std::int64_t>> find_sweep(const SweepSpec& spec, const Store& store);

/// The runs that are planned and not in the store yet, in order.
Result<std::vector<PlannedRun>> remaining_runs(const SweepSpec& spec, const Store& store,
                                               std::optional<std::int64_t> experiment);

/// The command of a cell: values of its axes, and what follows from them, in their places. Error: a
/// parameter that the command never uses.
Result<std::vector<std::string>> cell_command(const SweepSpec& spec, const GridCell& cell);

/// How long planned runs take by those of the same cells that are known; nothing when a cell has
/// none.
std::optional<Seconds> expected_length(const std::vector<PlannedRun>& planned,
                                       const ExperimentRecord& known);

/// Runs them. A failing command is recorded and the sweep goes on. Errors: a parameter that the
/// command never uses, a store that cannot be written.
Result<SweepResult> run_sweep(const SweepSpec& spec, Runner& runner, Store& store, Clock& clock,
                              SweepEvents& events);

}  // namespace ergo
