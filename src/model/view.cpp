#include "model/view.hpp"

#include "model/configs.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace ergo {
namespace {

std::vector<CurvePoint> carried_over(const Curve& curve, const LimitRange& from,
                                     const LimitRange& to) {
  std::vector<CurvePoint> points;
  const double width = std::max(from.highest_w - from.lowest_w, 1e-9);
  for (const CurvePoint& p : curve.points) {
    const double position = (p.limit_w - from.lowest_w) / width;
    const double limit = to.lowest_w + position * (to.highest_w - to.lowest_w);
    points.push_back(
        {limit, p.log_time, p.log_power - std::log(p.limit_w) + std::log(limit), p.clock_mhz});
  }
  return points;
}

/// Of the target's own workload, configurations that are like its own count most. Across workloads
/// the numbers say nothing: a batch of 8 is small for one network and large for another.
void prefer_close_configs(std::vector<Neighbor>& neighbors, const std::string& config) {
  constexpr double unlike = 0.02;  // what a far configuration still counts
  Training curves;
  for (const Neighbor& n : neighbors)
    curves.push_back(n.curve);
  const ConfigSpace space(curves);
  const ConfigPlace own = space.place(config);
  for (Neighbor& n : neighbors) {
    if (n.same_workload) n.weight = unlike + closeness(own, space.place(n.curve->config));
  }
}

}  // namespace

LimitRange range_of(const Training& train, const std::string& gpu) {
  LimitRange range{1e300, 0.0};
  for (const Curve* curve : train) {
    if (curve->gpu != gpu) continue;
    range.lowest_w = std::min(range.lowest_w, curve->lowest());
    range.highest_w = std::max(range.highest_w, curve->highest());
  }
  return range;
}

std::vector<Neighbor> neighbors_of(const Training& train, const Target& target) {
  std::vector<Neighbor> neighbors;
  for (const Curve* curve : train) {
    if (curve->gpu != target.probes.gpu) continue;
    neighbors.push_back({curve, curve->points, curve->workload == target.probes.workload, 1.0});
  }
  if (neighbors.empty()) {
    std::map<std::string, LimitRange> ranges;
    for (const Curve* curve : train) {
      const auto [range, added] = ranges.try_emplace(curve->gpu);
      if (added) range->second = range_of(train, curve->gpu);
      neighbors.push_back({curve, carried_over(*curve, range->second, target.range),
                           curve->workload == target.probes.workload, 1.0});
    }
  }
  prefer_close_configs(neighbors, target.probes.config);
  std::map<std::pair<std::string, std::string>, double> of_workload;
  for (const Neighbor& n : neighbors)
    of_workload[{n.curve->gpu, n.curve->workload}] += n.weight;
  for (Neighbor& n : neighbors)
    n.weight /= of_workload[{n.curve->gpu, n.curve->workload}];
  return neighbors;
}

std::optional<CurvePoint> interpolate(const std::vector<CurvePoint>& points, double limit_w) {
  constexpr double slack = 1e-5;
  if (points.empty() || limit_w < points.front().limit_w - slack ||
      limit_w > points.back().limit_w + slack)
    return {};
  return interpolate_or_hold(points, limit_w);
}

CurvePoint interpolate_or_hold(const std::vector<CurvePoint>& points, double limit_w) {
  const auto after = std::lower_bound(points.begin(), points.end(), limit_w,
                                      [](const CurvePoint& p, double w) { return p.limit_w < w; });
  if (after == points.begin()) return {limit_w, points.front().log_time, points.front().log_power};
  if (after == points.end()) return {limit_w, points.back().log_time, points.back().log_power};
  const CurvePoint& b = *after;
  const CurvePoint& a = *(after - 1);
  const double share = std::log(limit_w / a.limit_w) / std::log(b.limit_w / a.limit_w);
  return {limit_w, std::lerp(a.log_time, b.log_time, share),
          std::lerp(a.log_power, b.log_power, share)};
}

std::vector<CurvePoint> condensed(const std::vector<CurvePoint>& points, std::size_t most) {
  if (points.size() <= most) return points;
  std::vector<CurvePoint> out;
  for (std::size_t group = 0; group < most; ++group) {
    const std::size_t first = group * points.size() / most;
    const std::size_t end = (group + 1) * points.size() / most;
    CurvePoint mean;
    for (std::size_t i = first; i < end; ++i) {
      const double share = 1.0 / static_cast<double>(end - first);
      mean.limit_w += share * points[i].limit_w;
      mean.log_time += share * points[i].log_time;
      mean.log_power += share * points[i].log_power;
    }
    out.push_back(mean);
  }
  return out;
}

const CurvePoint* base_of(const Target& target) {
  return target.probes.points.empty() ? nullptr : &target.probes.points.back();
}

}  // namespace ergo
