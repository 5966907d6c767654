// Power over time of a run, thinned so that peaks stay.

#include "ergo/report/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <span>

namespace ergo::report {
namespace {

/// The signal to draw for each channel: power before energy, then the lowest rank.
std::map<std::string, SignalId> signals_to_draw(const Timeline& timeline) {
  std::map<std::string, SignalId> chosen;
  const auto order = [&](SignalId id) {
    const SignalInfo& info = timeline.info(id);
    return std::pair(info.kind == SignalKind::power ? 0 : 1, info.rank);
  };
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::power && info.kind != SignalKind::energy) continue;
    const auto [known, inserted] = chosen.emplace(info.channel, id);
    if (!inserted && order(id) < order(known->second)) known->second = id;
  }
  return chosen;
}

/// Watts from a counter: its slope between two readings at which it had moved. Readings between
/// which it stood still say nothing: the hardware renews it at its own pace.
class Slope {
 public:
  explicit Slope(PeakKeeper& keeper) : keeper_(keeper) {}
  void add(double time, double joules) {
    if (!begun_ || joules > joules_) {
      if (begun_ && time > time_)
        keeper_.add((time_ + time) / 2, (joules - joules_) / (time - time_));
      begun_ = true;
      time_ = time;
      joules_ = joules;
    }
  }

 private:
  PeakKeeper& keeper_;
  bool begun_ = false;
  double time_ = 0.0;
  double joules_ = 0.0;
};

PowerTrace draw(const RunRecord& run, const Timeline& timeline, SignalId id, std::size_t buckets) {
  const SignalInfo& info = timeline.info(id);
  PowerTrace trace{info.channel, info.source, info.provenance, {}};
  PeakKeeper keeper(0.0, run.duration.value(), buckets);
  Slope slope(keeper);
  timeline.visit_runs(id, run.begin, run.begin + run.duration,
                      [&](std::span<const Sample> samples) {
                        for (const Sample& sample : samples) {
                          const double time = (sample.time - run.begin).value();
                          if (info.kind == SignalKind::energy) {
                            slope.add(time, sample.value);
                          } else {
                            keeper.add(time, sample.value);
                          }
                        }
                      });
  trace.points = keeper.points();
  return trace;
}

std::string run_label(const RunRecord& run) {
  std::string label;
  for (const auto& [name, value] : run.parameters)
    label += fmt::format("{}={} ", name, value);
  return label + fmt::format("{} {}", run.warmup ? "warm-up" : "repeat", run.repeat);
}

}  // namespace

PeakKeeper::PeakKeeper(double from, double to, std::size_t buckets)
    : from_(from), to_(std::max(to, from)), buckets_(std::max<std::size_t>(1, buckets)) {}

void PeakKeeper::add(double time, double value) {
  if (!(time >= from_) || !(time <= to_) || !std::isfinite(value)) return;
  const std::pair point(time, value);
  if (!any_) first_ = point;
  any_ = true;
  last_ = point;
  const double share = to_ > from_ ? (time - from_) / (to_ - from_) : 0.0;
  const auto index = std::min(
      static_cast<std::size_t>(share * static_cast<double>(buckets_.size())), buckets_.size() - 1);
  Bucket& bucket = buckets_[index];
  if (!bucket.used || value < bucket.low.second) bucket.low = point;
  if (!bucket.used || value > bucket.high.second) bucket.high = point;
  bucket.used = true;
}

std::vector<std::pair<double, double>> PeakKeeper::points() const {
  std::vector<std::pair<double, double>> out;
  if (!any_) return out;
  out.push_back(first_);
  for (const Bucket& bucket : buckets_) {
    if (!bucket.used) continue;
    out.push_back(std::min(bucket.low, bucket.high));
    out.push_back(std::max(bucket.low, bucket.high));
  }
  out.push_back(last_);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

RunTrace trace_of(const RunRecord& run, const Timeline& timeline, std::size_t buckets) {
  RunTrace trace;
  trace.label = run_label(run);
  trace.duration_s = run.duration.value();
  for (const auto& [channel, id] : signals_to_draw(timeline)) {
    PowerTrace power = draw(run, timeline, id, buckets);
    if (!power.points.empty()) trace.channels.push_back(std::move(power));
  }
  const std::size_t kept = std::min(run.windows.size(), most_windows);
  for (std::size_t i = 0; i < kept; ++i) {
    WindowRecord window;
    window.name = run.windows[i].name;
    window.index = run.windows[i].index;
    window.start = run.windows[i].start;
    window.duration = run.windows[i].duration;
    window.count = run.windows[i].count;
    trace.windows.push_back(std::move(window));
  }
  trace.windows_left_out = run.windows.size() - kept;
  return trace;
}

std::size_t buckets_for(std::size_t runs, std::size_t channels) {
  // About 18 bytes a point, two points a bucket: 100,000 buckets are 3.6 MB.
  constexpr std::size_t all = 100'000;
  constexpr std::size_t fewest = 20;
  constexpr std::size_t most = 1500;
  return std::clamp(all / std::max<std::size_t>(1, runs * channels), fewest, most);
}

}  // namespace ergo::report
