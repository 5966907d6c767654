#include "share.hpp"

#include <algorithm>

namespace ergo::energy_detail {
namespace {

/// Value of a cumulative signal at `t`, on the straight line between its neighbours; held beyond
/// the ends.
std::optional<double> value_at(const Timeline& timeline, SignalId id, Instant t) {
  std::optional<Sample> before;
  std::optional<Sample> after;
  timeline.visit(id, t, t, [&](const Sample& s) {
    if (s.time <= t) before = s;
    if (s.time >= t && !after) after = s;
  });
  if (!before || !after)
    return before ? before->value : after ? std::optional(after->value) : std::nullopt;
  const double length = (after->time - before->time).value();
  if (length <= 0.0) return before->value;
  return before->value + (after->value - before->value) * ((t - before->time).value() / length);
}

std::optional<double> increase(const Timeline& timeline, const std::string& name, Window window) {
  const auto id = timeline.find(name);
  if (!id) return std::nullopt;
  const auto begin = value_at(timeline, *id, window.begin);
  const auto end = value_at(timeline, *id, window.end);
  if (!begin || !end) return std::nullopt;
  return *end - *begin;
}

/// A reading of the gauge stands for the time since the one before it.
std::optional<double> mean_share(const Timeline& timeline, Window window, SignalId id) {
  double area = 0.0;
  double covered = 0.0;
  std::optional<double> only;
  Instant since = window.begin;
  timeline.visit(id, window.begin, window.end, [&](const Sample& s) {
    const Instant until = std::min(s.time, window.end);
    if (until > since) {
      area += s.value * (until - since).value();
      covered += (until - since).value();
      since = until;
    }
    only = s.value;
  });
  if (covered > 0.0) return area / covered;
  return only;
}

/// True also where that was not read.
bool computed(const Timeline& timeline, Window window, const std::string& utilization) {
  const auto id = timeline.find(utilization);
  if (!id) return true;
  bool read = false;
  bool busy = false;
  timeline.visit(*id, window.begin, window.end, [&](const Sample& s) {
    read = true;
    busy = busy || s.value > 0.0;
  });
  return busy || !read;
}

}  // namespace

std::optional<double> cpu_share(const Timeline& timeline, Window window,
                                const MeasureOptions& options) {
  const auto own = increase(timeline, options.process_cpu_signal, window);
  const auto all = increase(timeline, options.machine_cpu_signal, window);
  if (!own || !all || *all <= 0.0) return std::nullopt;
  return std::clamp(*own / *all, 0.0, 1.0);
}

std::optional<double> gpu_share(const Timeline& timeline, Window window,
                                const MeasureOptions& options, const std::string& device) {
  constexpr double whole = 1.0;
  const auto id = timeline.find(device + options.gpu_share_suffix);
  if (!id) return whole;
  if (const auto share = mean_share(timeline, window, *id)) return share;
  // No process was ever seen there, which happens to programs that compute for less than a second.
  if (computed(timeline, window, device + options.gpu_utilization_suffix)) return whole;
  return std::nullopt;
}

}  // namespace ergo::energy_detail
