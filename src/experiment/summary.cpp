#include "ergo/experiment/summary.hpp"

#include "ergo/stats/summary.hpp"

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

bool counts(const RunRecord& run) {
  return !run.warmup && run.exit_code == 0 && !run.invalid;
}

bool contains(const WindowRecord& outer, const WindowRecord& inner) {
  constexpr double rounding = 1e-9;
  return outer.pid == inner.pid && outer.start.value() <= inner.start.value() + rounding &&
         (outer.start + outer.duration).value() >=
             (inner.start + inner.duration).value() - rounding &&
         outer.duration > inner.duration;
}

Estimate with_budget(const Estimate& repeats, double half_low, double half_high) {
  return {repeats.value, repeats.value - std::hypot(repeats.value - repeats.low, half_low),
          repeats.value + std::hypot(repeats.high - repeats.value, half_high)};
}

struct ChannelRuns {
  std::vector<double> joules;
  std::vector<double> half_low;
  std::vector<double> half_high;
};

void add_total(EnergyTotal& sum, const EnergyTotal& one) {
  if (one.measured) {
    sum.measured = sum.measured.value_or(Joules(0)) + *one.measured;
    sum.low += one.low;
    sum.high += one.high;
  }
  if (one.estimated) {
    sum.estimated = sum.estimated.value_or(Joules(0)) + *one.estimated;
    sum.estimated_low += one.estimated_low;
    sum.estimated_high += one.estimated_high;
  }
}

/// A sum with a missing part is absent.
void add_or_drop(std::optional<Joules>& sum, const std::optional<Joules>& one) {
  if (sum && one) {
    *sum += *one;
  } else {
    sum.reset();
  }
}

void add_channels(std::vector<ChannelEnergy>& sum, const std::vector<ChannelEnergy>& one) {
  for (const ChannelEnergy& e : one) {
    const auto known = std::find_if(sum.begin(), sum.end(),
                                    [&](const ChannelEnergy& s) { return s.channel == e.channel; });
    if (known == sum.end()) {
      sum.push_back(e);
      sum.back().alternatives.clear();
      sum.back().budget.clear();
      continue;
    }
    known->joules += e.joules;
    known->low += e.low;
    known->high += e.high;
    add_or_drop(known->idle, e.idle);
    add_or_drop(known->net, e.net);
    add_or_drop(known->process, e.process);
  }
}

}  // namespace

SummaryRecord summarize(const std::vector<RunRecord>& runs) {
  SummaryRecord summary;
  std::vector<double> durations;
  std::map<std::string, ChannelRuns> channels;
  for (const RunRecord& run : runs) {
    if (!counts(run)) continue;
    durations.push_back(run.duration.value());
    for (const ChannelEnergy& e : run.energy) {
      ChannelRuns& channel = channels[e.channel];
      channel.joules.push_back(e.joules.value());
      channel.half_low.push_back((e.joules - e.low).value());
      channel.half_high.push_back((e.high - e.joules).value());
    }
  }
  summary.repeats = static_cast<int>(durations.size());
  if (durations.empty()) return summary;
  summary.duration_s = stats::median_interval(durations);
  for (const auto& [name, channel] : channels) {
    // A channel that some runs lack (a sensor died) has no median over all of them.
    if (channel.joules.size() != durations.size()) continue;
    summary.energy_j[name] =
        with_budget(stats::median_interval(channel.joules), stats::median(channel.half_low),
                    stats::median(channel.half_high));
  }
  return summary;
}

bool made_again(const std::vector<RunRecord>& runs, std::size_t index) {
  const RunRecord& run = runs[index];
  if (!run.invalid) return false;
  return std::any_of(runs.begin() + static_cast<std::ptrdiff_t>(index) + 1, runs.end(),
                     [&](const RunRecord& later) {
                       return !later.warmup && later.repeat == run.repeat &&
                              later.parameters == run.parameters;
                     });
}

std::vector<std::size_t> item_windows(const std::vector<WindowRecord>& windows) {
  std::vector<std::size_t> counted;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (windows[i].count && *windows[i].count > 0) counted.push_back(i);
  }
  std::string name;
  std::vector<std::size_t> outermost;
  // Windows come in order of start, so whatever contains a window stands before it, or beside it
  // with the same start.
  std::vector<std::size_t> open;
  for (const std::size_t i : counted) {
    std::erase_if(open, [&](std::size_t o) {
      return windows[o].pid == windows[i].pid &&
             (windows[o].start + windows[o].duration) <= windows[i].start;
    });
    const bool inside = std::any_of(
        open.begin(), open.end(), [&](std::size_t o) { return contains(windows[o], windows[i]); });
    open.push_back(i);
    if (inside) continue;
    if (outermost.empty()) name = windows[i].name;
    if (windows[i].name == name) outermost.push_back(i);
  }
  return outermost;
}

std::optional<ItemsRecord> items_of(const std::vector<WindowRecord>& windows) {
  const std::vector<std::size_t> chosen = item_windows(windows);
  if (chosen.empty()) return std::nullopt;
  ItemsRecord items;
  items.window = windows[chosen.front()].name;
  bool all_measured = true;
  bool all_estimated = true;
  for (const std::size_t i : chosen) {
    items.count += *windows[i].count;
    items.duration += windows[i].duration;
    all_measured = all_measured && windows[i].total.measured.has_value();
    all_estimated = all_estimated && windows[i].total.estimated.has_value();
    add_total(items.total, windows[i].total);
    add_channels(items.energy, windows[i].energy);
  }
  // A sum over only some of the windows would be too small for the count it is divided by.
  if (!all_measured) items.total.measured.reset();
  if (!all_estimated) {
    items.total.estimated.reset();
    items.total.estimated_low = items.total.estimated_high = Joules(0);
  }
  return items;
}

}  // namespace ergo
