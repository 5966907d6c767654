#include "limit_guard.hpp"

#include "ergo/core/parse.hpp"
#include "verbs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace ergo::cli {

control::LimitOptions limit_options() {
  control::LimitOptions options;
  options.guardian = {"/proc/self/exe", "limits", "guardian"};
  return options;
}

Result<void> print_limit_plan(const Environment& environment, const HostRecord& host, Watts limit) {
  std::vector<std::string> uuids;
  for (const GpuIdentity& gpu : host.gpus)
    uuids.push_back(gpu.uuid);
  const auto plan = control::plan_power_limit(environment, uuids, limit);
  if (!plan) return plan.error();
  for (const control::LimitChange& c : *plan) {
    std::cout << fmt::format("gpu{}: would be set to {:g} W, found {:g} W\n", c.index,
                             c.set.value(), c.found.value());
  }
  print_missing_right(host.gpus);
  return {};
}

Result<void> check_right_to_set(const SweepSpec& spec, const Store& store,
                                const Environment& environment, const HostRecord& host) {
  const bool limits = std::any_of(spec.axes.begin(), spec.axes.end(),
                                  [](const Axis& axis) { return axis.name == power_limit_axis; });
  if (!limits) return {};
  const auto experiment = find_sweep(spec, store);
  if (!experiment) return experiment.error();
  const auto remaining = remaining_runs(spec, store, *experiment);
  if (!remaining) return remaining.error();
  if (remaining->empty()) return {};
  for (const GpuIdentity& gpu : host.gpus) {
    const std::vector<std::string> one{gpu.uuid};
    const auto recovered = control::recover_left_over(environment, one);
    if (!recovered) return recovered.error();
    print_notes(*recovered);
    const auto selection = GpuSelection::parse(gpu.uuid);
    if (!selection) return selection.error();
    const auto overview = control::list(environment, *selection);
    if (!overview) return overview.error();
    if (overview->gpus.empty() || !overview->gpus.front().set) continue;
    const auto guard =
        control::set_power_limit(environment, one, *overview->gpus.front().set, limit_options());
    if (!guard) {
      Error error = guard.error();
      error.message = "power limits cannot be set: " + error.message;
      return error;
    }
    if (auto back = (*guard)->restore(); !back) return back;
  }
  return {};
}

Result<void> print_limits_found(const Environment& environment, const GpuSelection& gpus) {
  const auto overview = control::list(environment, gpus);
  if (!overview) return overview.error();
  std::vector<GpuIdentity> boards;
  for (const control::GpuLimits& gpu : overview->gpus) {
    boards.emplace_back().simulated = gpu.simulated;
    boards.back().uuid = gpu.uuid;
    boards.back().index = static_cast<int>(gpu.index);
    if (!gpu.set) continue;
    std::cout << fmt::format("gpu{}: found {:g} W, to which it would return after each run\n",
                             gpu.index, gpu.set->value());
  }
  print_notes(left_over_limits(environment, boards));
  print_missing_right(boards);
  return {};
}

std::vector<std::string> left_over_limits(const Environment& environment,
                                          const std::vector<GpuIdentity>& gpus) {
  std::vector<std::string> texts;
  if (gpus.empty()) return texts;
  for (const control::SavedState& state : control::left_over(environment)) {
    const control::SavedLimit& saved = state.saved;
    const auto gpu = std::find_if(gpus.begin(), gpus.end(),
                                  [&](const GpuIdentity& one) { return one.uuid == saved.uuid; });
    // One that died before its first write has changed nothing.
    if (gpu == gpus.end() || gpu->power_limit_w == saved.found.value()) continue;
    texts.push_back(fmt::format(
        "gpu{}: process {} died and left the power limit at {:g} W; it had found {:g} W: {} limits "
        "restore",
        gpu->index, saved.pid, saved.asked.value(), saved.found.value(),
        state.of_root ? "sudo ergo" : control::ergo_as_typed()));
  }
  return texts;
}

void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes)
    std::cerr << "note: " << note << "\n";
}

Error no_gpu(const Error& why) {
  if (!why.remedy.empty()) return why;
  return {why.code, why.message,
          "'ergo sensors' says what this machine has; --sim v100 tries it on a simulated GPU"};
}

void print_missing_right(const std::vector<GpuIdentity>& gpus) {
  const bool real =
      std::any_of(gpus.begin(), gpus.end(), [](const auto& gpu) { return !gpu.simulated; });
  if (real && ::geteuid() != 0)
    std::cerr << "note: a power limit needs root: sudo ergo …; a command that is measured still "
                 "runs as you\n";
}

Result<std::unique_ptr<LimitGuard>> LimitGuard::set(const Environment& environment,
                                                    const HostRecord& host, Watts limit) {
  std::vector<std::string> uuids;
  for (const GpuIdentity& gpu : host.gpus)
    uuids.push_back(gpu.uuid);
  auto guard = control::set_power_limit(environment, uuids, limit, limit_options());
  if (!guard) return guard.error();
  return std::unique_ptr<LimitGuard>(new LimitGuard(std::move(guard).value()));
}

LimitGuard::~LimitGuard() {
  if (const auto restored = guard_->restore(); !restored) print_error(restored.error());
}

void LimitGuard::inspect(RunRecord& record) {
  record.power_limit = guard_->enforced();
  const auto problem = guard_->check();
  for (const std::string& warning : guard_->warnings())
    record.warnings.push_back(warning);
  if (!problem) return;
  record.invalid = *problem;
  const bool told =
      std::find(record.warnings.begin(), record.warnings.end(), *problem) != record.warnings.end();
  if (!told) record.warnings.push_back(*problem);
}

Result<std::unique_ptr<LimitGuard>> guard_cell(const GridCell& cell, const Environment& environment,
                                               const HostRecord& host) {
  const auto value = cell.find(std::string(power_limit_axis));
  if (value == cell.end()) return std::unique_ptr<LimitGuard>();
  const auto watts = parse_double(value->second);
  if (!watts) return watts.error();
  return LimitGuard::set(environment, host, Watts(*watts));
}

/// A cell's guard that says when it goes.
class LimitedSweep::Watched final : public CellGuard {
 public:
  Watched(LimitedSweep& sweep, std::unique_ptr<LimitGuard> guard)
      : sweep_(sweep), guard_(std::move(guard)) {
    sweep_.current_ = guard_.get();
  }
  ~Watched() override { sweep_.current_ = nullptr; }
  void inspect(RunRecord& record) override { guard_->inspect(record); }

 private:
  LimitedSweep& sweep_;
  std::unique_ptr<LimitGuard> guard_;
};

/// A cell's run under a limit that somebody else left.
class LimitedSweep::Unlimited final : public CellGuard {
 public:
  Unlimited(std::vector<std::string> warnings, std::unique_ptr<CellGuard> next)
      : warnings_(std::move(warnings)), next_(std::move(next)) {}
  void inspect(RunRecord& record) override {
    record.warnings.insert(record.warnings.end(), warnings_.begin(), warnings_.end());
    if (next_) next_->inspect(record);
  }

 private:
  std::vector<std::string> warnings_;
  std::unique_ptr<CellGuard> next_;
};

RunEvents& LimitedSweep::run_events() {
  return checking_.emplace(current_, next_.run_events());
}

Result<std::unique_ptr<CellGuard>> LimitedSweep::prepare(const GridCell& cell) {
  auto guard = guard_cell(cell, environment_, host_);
  if (!guard) return guard.error();
  if (*guard) return std::unique_ptr<CellGuard>(new Watched(*this, std::move(*guard)));
  if (!left_over_) {
    left_over_ = left_over_limits(environment_, host_.gpus);
    if (!quiet_) print_notes(*left_over_);
  }
  auto next = next_.prepare(cell);
  if (!next || left_over_->empty()) return next;
  return std::unique_ptr<CellGuard>(new Unlimited(*left_over_, std::move(*next)));
}

}  // namespace ergo::cli
