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
  /// Also done, and a failure printed, when the object goes.
  Result<void> restore() { return guard_->restore(); }
  [[nodiscard]] Watts enforced() const { return guard_->enforced(); }

 private:
  explicit LimitGuard(std::unique_ptr<control::PowerLimitGuard> guard) : guard_(std::move(guard)) {}
  std::unique_ptr<control::PowerLimitGuard> guard_;
};

/// The guard for a cell with the axis `power_limit_w`, else null: what SweepEvents::prepare()
/// returns.
Result<std::unique_ptr<CellGuard>> guard_cell(const GridCell& cell, const Environment& environment,
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
  void on_sample(const Timeline& timeline, SignalId id, const Sample& sample) override {
    next_.on_sample(timeline, id, sample);
  }

 private:
  LimitGuard* guard_;
  RunEvents& next_;
};

}  // namespace ergo::cli
