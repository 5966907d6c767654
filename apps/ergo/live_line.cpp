#include "live_line.hpp"

#include "ergo/report/format.hpp"

#include <fmt/format.h>

#include <iostream>

namespace ergo::cli {
namespace {

/// "measured" is the rule and goes without saying.
std::string label(Provenance provenance) {
  if (provenance == Provenance::measured || provenance == Provenance::derived) return {};
  return fmt::format(" ({})", name_of(provenance));
}

/// "epochs"; what torchrun's ranks add to the name ("epoch/rank0") is left out.
std::string plural(const std::string& name, std::int64_t n) {
  return name.substr(0, name.find("/rank")) + (n == 1 ? "" : "s");
}

bool holds(const Estimate& interval, double value) {
  return interval.low <= value && value <= interval.high;
}

}  // namespace

std::string live_text(const LiveStatus& status) {
  return fmt::format(
      "{} of {} {}: {} [{}]{} and {} in all, {} left", status.done, status.total,
      plural(status.name, status.total), report::format_energy(Joules(status.joules.value)),
      report::format_range(Joules(status.joules.low), Joules(status.joules.high)),
      label(status.provenance), report::format_duration(Seconds(status.seconds.value)),
      report::format_duration(Seconds(status.seconds_left)));
}

std::string stop_text(const BudgetStop& stop) {
  const std::string budget = report::format_energy(stop.budget);
  const std::string used = report::format_energy(stop.used);
  if (!stop.predicted) {
    return fmt::format("the budget of {} is used up ({}{}); the program was asked to end (SIGINT)",
                       budget, used, label(stop.provenance));
  }
  return fmt::format(
      "the budget of {} would be passed: {} [{}]{} by the end of the training, {} so far; the "
      "program was asked to end (SIGINT)",
      budget, report::format_energy(Joules(stop.predicted->value)),
      report::format_range(Joules(stop.predicted->low), Joules(stop.predicted->high)),
      label(stop.provenance), used);
}

void LiveLine::say(const std::string& text) {
  progress_.clear();
  std::cerr << "ergo: " << text << '\n' << std::flush;
}

void LiveLine::tell(const LiveStatus& status) {
  if (!show_) return;
  const std::string text = live_text(status);
  if (progress_.note(text)) return;
  const bool due = !told_ || told_->name != status.name || told_->total != status.total ||
                   status.done < told_->done || status.done >= 2 * told_->done ||
                   !holds(told_->joules, status.joules.value) ||
                   !holds(told_->seconds, status.seconds.value);
  if (!due) return;
  told_ = status;
  std::cerr << "ergo: " << text << '\n' << std::flush;
}

}  // namespace ergo::cli
