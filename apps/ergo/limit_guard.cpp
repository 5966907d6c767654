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

RunEvents& LimitedSweep::run_events() {
  return checking_.emplace(current_, next_.run_events());
}

Result<std::unique_ptr<CellGuard>> LimitedSweep::prepare(const GridCell& cell) {
  auto guard = guard_cell(cell, environment_, host_);
  if (!guard) return guard.error();
  if (*guard) return std::unique_ptr<CellGuard>(new Watched(*this, std::move(*guard)));
  return next_.prepare(cell);
}

}  // namespace ergo::cli
