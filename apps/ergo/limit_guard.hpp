#pragma once
// A power limit for the length of a run, in `ergo run` and in each cell of a sweep.

#include "ergo/control/power_limit.hpp"
#include "ergo/experiment/sweep.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ergo::cli {

/// The guardian is this program itself: `ergo limits guardian`.
control::LimitOptions limit_options();

class LimitGuard final : public CellGuard {
 public:
  /// Sets the limit on all GPUs of `host` (those that are measured). Errors: as
  /// control::set_power_limit().
  static Result<std::unique_ptr<LimitGuard>> set(const Environment& environment,
                                                 const HostRecord& host, Watts limit);
  ~LimitGuard() override;

  /// The record gets the limit enforced, warnings, and, if the limit did not hold, why the run is
  /// invalid.
  void inspect(RunRecord& record) override;
  /// Reads the limits again; what it sees is told by inspect().
  void check() { std::ignore = guard_->check(); }
  /// Another limit on the same GPUs (control::PowerLimitGuard::change).
  Result<void> change(Watts limit) { return guard_->change(limit); }
  /// Also done, and a failure printed, when the object goes.
  Result<void> restore() { return guard_->restore(); }
  [[nodiscard]] Watts enforced() const { return guard_->enforced(); }

 private:
  explicit LimitGuard(std::unique_ptr<control::PowerLimitGuard> guard) : guard_(std::move(guard)) {}
  std::unique_ptr<control::PowerLimitGuard> guard_;
};

/// Checks that the GPUs of `host` take the limit, and prints what setting it would change.
Result<void> print_limit_plan(const Environment& environment, const HostRecord& host, Watts limit);

/// Before a sweep with an axis `power_limit_w` of which runs remain: writes to each GPU the limit
/// that it stands under, so that a missing right ends the sweep now and not each of its runs. What
/// a dead run left is put right first. Errors: as control::set_power_limit().
Result<void> check_right_to_set(const SweepSpec& spec, const Store& store,
                                const Environment& environment, const HostRecord& host);

/// For a dry run with power limits: the limit found on each GPU, to which it would return.
Result<void> print_limits_found(const Environment& environment, const GpuSelection& gpus);

/// What a process that died has left set on these GPUs, and the command that puts it right: one
/// text for each GPU, as a rule none.
std::vector<std::string> left_over_limits(const Environment& environment,
                                          const std::vector<GpuIdentity>& gpus);

/// Prints notes to stderr.
void print_notes(const std::vector<std::string>& notes);

/// Why no GPU can be asked, with what to do about it.
Error no_gpu(const Error& why);

/// For a dry run, which writes nothing and so does not find out: whether setting the limit will
/// need root. Prints a note.
void print_missing_right(const std::vector<GpuIdentity>& gpus);

/// The guard for a cell with the axis `power_limit_w`, else null.
Result<std::unique_ptr<LimitGuard>> guard_cell(const GridCell& cell, const Environment& environment,
                                               const HostRecord& host);

/// Passes events on, and has the limit checked each time that progress is told.
class CheckingEvents final : public RunEvents {
 public:
  /// `guard` may be null.
  CheckingEvents(LimitGuard* guard, RunEvents& next) : guard_(guard), next_(next) {}
  void on_phase(std::string_view phase, std::optional<Seconds> length) override {
    next_.on_phase(phase, length);
  }
  void on_progress(const Timeline& timeline, Instant begin) override {
    if (guard_ != nullptr) guard_->check();
    next_.on_progress(timeline, begin);
  }
  void on_window(const MarkedWindow& window) override { next_.on_window(window); }
  void on_mark(const MarkMessage& mark, int pid) override { next_.on_mark(mark, pid); }
  bool wants_stop() override { return next_.wants_stop(); }
  void on_sample(const Timeline& timeline, SignalId id, const Sample& sample) override {
    next_.on_sample(timeline, id, sample);
  }

 private:
  LimitGuard* guard_;
  RunEvents& next_;
};

/// The events of a sweep, with the power limit of each cell set and watched while it runs. Cells
/// without the axis `power_limit_w` pass through, with a warning where a limit was left set.
class LimitedSweep final : public SweepEvents {
 public:
  /// `host`: Runner::host(). `next` must outlive the object. `quiet`: notes go into records only.
  LimitedSweep(Environment environment, HostRecord host, SweepEvents& next, bool quiet = false)
      : environment_(std::move(environment)), host_(std::move(host)), next_(next), quiet_(quiet) {}

  void on_run(std::size_t number, std::size_t total, const GridCell& cell, int repeat) override {
    next_.on_run(number, total, cell, repeat);
  }
  void on_record(const RunRecord& record, const std::optional<Error>& launch_error) override {
    next_.on_record(record, launch_error);
  }
  void on_skip(const GridCell& cell, const std::string& reason) override {
    next_.on_skip(cell, reason);
  }
  RunEvents& run_events() override;
  Result<std::unique_ptr<CellGuard>> prepare(const GridCell& cell) override;

 private:
  class Watched;
  class Unlimited;

  Environment environment_;
  HostRecord host_;
  SweepEvents& next_;
  bool quiet_;
  LimitGuard* current_ = nullptr;  ///< of the cell that runs
  std::optional<CheckingEvents> checking_;
  std::optional<std::vector<std::string>> left_over_;
};

}  // namespace ergo::cli
