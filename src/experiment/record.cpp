#include "experiment/record.hpp"

#include "ergo/experiment/runner.hpp"
#include "ergo/experiment/summary.hpp"

#include <algorithm>

namespace ergo {
namespace {

void add_once(std::vector<std::string>& list, const std::vector<std::string>& more) {
  for (const std::string& text : more) {
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
  }
}

WindowRecord window_record(const Timeline& timeline, const MarkedWindow& marked, Instant run_begin,
                           const MeasureOptions& options) {
  WindowRecord record;
  record.name = marked.name;
  record.index = marked.index;
  record.pid = marked.pid;
  record.start = marked.begin - run_begin;
  record.duration = marked.end - marked.begin;
  record.count = marked.count;
  WindowEnergy energy = measure(timeline, {marked.begin, marked.end}, options);
  record.energy = std::move(energy.channels);
  record.total = energy.total;
  return record;
}

/// The bit of NVML's clock event reasons that says "the power limit holds the clock down".
constexpr std::uint64_t power_cap_bit = 0x04;

/// From the first marked window to the last; the whole run without marks. A program that loads for
/// long is not at the cap meanwhile.
Window marked_part(Window run, const std::vector<MarkedWindow>& windows) {
  if (windows.empty()) return run;
  Window part{run.end, run.begin};
  for (const MarkedWindow& window : windows) {
    part.begin = std::min(part.begin, window.begin);
    part.end = std::max(part.end, window.end);
  }
  return part;
}

/// Every mask of slow-downs seen in the run, by device, and the share of readings in `part` at the
/// power cap.
void fill_throttled(RunRecord& record, const Timeline& timeline, Window run, Window part) {
  constexpr std::string_view suffix = ".throttle_reasons";
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::flags || !info.name.ends_with(suffix)) continue;
    const std::string device = info.name.substr(0, info.name.size() - suffix.size());
    std::uint64_t seen = 0;
    std::size_t readings = 0;
    std::size_t capped = 0;
    timeline.visit(id, run.begin, run.end, [&](const Sample& sample) {
      if (sample.time < run.begin || sample.time > run.end) return;
      const auto mask = static_cast<std::uint64_t>(sample.value);
      seen |= mask;
      if (sample.time < part.begin || sample.time > part.end) return;
      ++readings;
      capped += (mask & power_cap_bit) != 0 ? 1 : 0;
    });
    auto names = throttle_reasons(seen);
    if (!names.empty()) record.throttled[device] = std::move(names);
    if (readings == 0) continue;
    const double share = static_cast<double>(capped) / static_cast<double>(readings);
    record.metrics.push_back(
        {device + std::string(power_capped_suffix), "1", share, capped > 0 ? 1.0 : 0.0});
  }
}

}  // namespace

void fill_record(RunRecord& record, const Timeline& timeline, Window run,
                 const std::vector<MarkedWindow>& windows, const MeasureOptions& options) {
  WindowEnergy energy = measure(timeline, run, options);
  record.energy = std::move(energy.channels);
  record.total = energy.total;
  add_once(record.warnings, energy.warnings);
  record.windows.reserve(windows.size());
  for (const MarkedWindow& marked : windows) {
    record.windows.push_back(window_record(timeline, marked, run.begin, options));
  }
  record.items = items_of(record.windows);
  record.metrics = summarize_gauges(timeline, run);
  fill_throttled(record, timeline, run, marked_part(run, windows));
  record.samples = timeline.total_samples();
  record.gaps = timeline.gaps().size();
}

}  // namespace ergo
