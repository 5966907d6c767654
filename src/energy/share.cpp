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

}  // namespace

std::optional<double> cpu_share(const Timeline& timeline, Window window,
                                const MeasureOptions& options) {
  const auto own = increase(timeline, options.process_cpu_signal, window);
  const auto all = increase(timeline, options.machine_cpu_signal, window);
  if (!own || !all || *all <= 0.0) return std::nullopt;
  return std::clamp(*own / *all, 0.0, 1.0);
}

/// A reading of the gauge stands for the time since the one before it.
std::optional<double> gpu_share(const Timeline& timeline, Window window,
                                const MeasureOptions& options, const std::string& device) {
  const auto id = timeline.find(device + options.gpu_share_suffix);
  if (!id) return std::nullopt;
  double area = 0.0;
  double covered = 0.0;
  std::optional<double> only;
  Instant since = window.begin;
  timeline.visit(*id, window.begin, window.end, [&](const Sample& s) {
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

}  // namespace ergo::energy_detail
