#pragma once
// The store: one SQLite file with everything that runs leave behind. Tables and queries:
// docs/user/store.md.
//
//   auto store = Store::open("results.db", Store::Mode::create);
//   auto experiment = store->begin_experiment(head);
//   auto writer = store->begin_run(*experiment, plan);
//   Sampler sampler(sensors, timeline, clock, options, (*writer)->observer());
//   …
//   (*writer)->finish(record);
//   store->finish_experiment(*experiment, summary);
//
// Several programs may use one file at the same time: each change is one transaction that waits for
// its turn.

#include "ergo/core/result.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/store/records.hpp"
#include "ergo/store/run_writer.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

enum class RunStatus {
  running,      ///< a living process works on it
  done,         ///< ended with exit code 0
  failed,       ///< the command failed; what was measured is kept
  invalid,      ///< something outside made it useless (RunRecord::invalid)
  interrupted,  ///< its process died or gave up: it has the samples up to its last second, and no
                ///< energies
};
std::string_view to_string(RunStatus status);

/// One cell of a sweep: what was asked for, not what came of it.
struct Cell {
  std::map<std::string, std::string> parameters;
  std::optional<Watts> power_limit;
  int repeat = 0;
  bool warmup = false;
  bool operator==(const Cell&) const = default;
};

/// What is known about a run before it starts.
struct RunPlan {
  int index = 0;
  Cell cell;
  std::int64_t started_unix_ns = 0;
  Instant begin;
};

struct RunInfo {
  std::int64_t id = 0;
  int index = 0;
  Cell cell;
  RunStatus status = RunStatus::running;
  std::size_t samples = 0;  ///< samples stored
};

struct ExperimentInfo {
  std::int64_t id = 0;
  std::string name;
  std::vector<std::string> command;
  std::string started;
  std::string host;
  std::string origin;  ///< "ergo", or the format it was imported from
  std::string plan;    ///< as given to begin_experiment
  RunStatus status = RunStatus::running;
  std::size_t runs = 0;
};

/// Thread-safety: one thread at a time; the RunWriters it hands out are independent of it.
class Store {
 public:
  enum class Mode {
    read,    ///< never writes; the file must exist and be up to date
    write,   ///< the file must exist; older versions are brought up to date
    create,  ///< as write, and a missing file is made
  };

  /// Errors: not_found, permission, busy, corrupt (no SQLite file, or another program's),
  /// not_supported (written by a newer ergo).
  static Result<Store> open(const std::filesystem::path& path, Mode mode,
                            StoreOptions options = {});
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Saves name, command, start and host of `head`; its runs and summary are not looked at. `plan`
  /// is free text (JSON) by which a sweep recognises itself when it resumes. Returns the
  /// experiment's id.
  Result<std::int64_t> begin_experiment(const ExperimentRecord& head, std::string_view plan = {},
                                        std::string_view origin = "ergo");
  /// Takes over an experiment that stopped. `busy` when a living process works on it, `not_found`
  /// when there is none.
  Result<void> resume_experiment(std::int64_t experiment);
  Result<void> finish_experiment(std::int64_t experiment, const SummaryRecord& summary);
  Result<std::unique_ptr<RunWriter>> begin_run(std::int64_t experiment, const RunPlan& plan);

  /// A whole experiment at once, with the samples of each run where `timelines` has one (same order
  /// as the runs).
  Result<std::int64_t> save(const ExperimentRecord& record,
                            const std::vector<std::unique_ptr<Timeline>>& timelines = {},
                            std::string_view origin = "ergo");

  /// Newest last.
  [[nodiscard]] Result<std::vector<ExperimentInfo>> experiments() const;
  /// The newest experiment with this plan and command that has not been finished, if any.
  [[nodiscard]] Result<std::optional<ExperimentInfo>> find_unfinished(std::string_view plan) const;
  /// In order of execution; the same order as load_experiment().runs.
  [[nodiscard]] Result<std::vector<RunInfo>> runs(std::int64_t experiment) const;
  /// The cells that need not run again: done or failed. Invalid and interrupted ones are not among
  /// them.
  [[nodiscard]] Result<std::vector<Cell>> finished_cells(std::int64_t experiment) const;

  /// Everything that was recorded. A run that is still running or was interrupted has `invalid` set
  /// to the reason, the duration that its samples span, and no energies.
  [[nodiscard]] Result<ExperimentRecord> load_experiment(std::int64_t experiment) const;
  [[nodiscard]] Result<std::vector<SignalInfo>> signals(std::int64_t run) const;
  /// In order of time. `not_found` for an unknown run or signal.
  [[nodiscard]] Result<std::vector<Sample>> load_samples(std::int64_t run,
                                                         std::string_view signal) const;
  /// All signals, samples and gaps of a run, ready for measure().
  [[nodiscard]] Result<std::unique_ptr<Timeline>> load_timeline(std::int64_t run) const;
  [[nodiscard]] Result<std::vector<RunEvent>> load_events(std::int64_t run) const;

  /// Deletes an experiment with all its runs. `busy` while a living process works on it.
  Result<void> remove(std::int64_t experiment);

  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ergo
