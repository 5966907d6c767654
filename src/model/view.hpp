#pragma once
// The training curves as seen from a target: on its GPU's range of limits, with their weights.

#include "ergo/model/method.hpp"

#include <optional>
#include <vector>

namespace ergo {

/// A training curve on the target's limits. Curves of other GPUs are carried over by the relative
/// position of the limit in the card's range, with power as a share of the limit.
struct Neighbor {
  const Curve* curve = nullptr;
  std::vector<CurvePoint> points;
  bool same_workload = false;
  double weight = 1.0;  ///< curves of one workload share one weight, so that many batch sizes do
                        ///< not outvote others; of the target's own, like configurations the most
};

/// Curves of the target's own GPU when there are any, else those of all others.
std::vector<Neighbor> neighbors_of(const Training& train, const Target& target);

/// The value at `limit_w`, linear in the logarithm of the limit between points. Empty outside the
/// curve's range.
std::optional<CurvePoint> interpolate(const std::vector<CurvePoint>& points, double limit_w);

/// As interpolate, but the nearest end is held outside the range.
CurvePoint interpolate_or_hold(const std::vector<CurvePoint>& points, double limit_w);

/// The measured point under the highest limit: what others are relative to. Null without probes.
const CurvePoint* base_of(const Target& target);

/// The lowest and highest limit that `train` shows for a GPU.
LimitRange range_of(const Training& train, const std::string& gpu);

/// At most `most` of `items`, evenly spread, first and last included.
template <class T>
std::vector<T> thinned(const std::vector<T>& items, std::size_t most) {
  if (items.size() <= most) return items;
  std::vector<T> kept;
  for (std::size_t i = 0; i < most; ++i)
    kept.push_back(items[i * (items.size() - 1) / (most - 1)]);
  return kept;
}

/// Of a finer grid than the curves have shape, this many limits say all.
inline constexpr std::size_t enough_limits = 48;

/// At most `most` points: means over neighbouring limits.
std::vector<CurvePoint> condensed(const std::vector<CurvePoint>& points, std::size_t most);

}  // namespace ergo
