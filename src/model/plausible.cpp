#include "model/plausible.hpp"

#include <algorithm>
#include <cmath>

namespace ergo {

std::vector<double> not_rising(const std::vector<double>& values,
                               const std::vector<double>& weights) {
  struct Block {
    double value;
    double weight;
    std::size_t size;
  };
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < values.size(); ++i) {
    blocks.push_back({values[i], weights[i], 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].value < blocks.back().value) {
      const Block last = blocks.back();
      blocks.pop_back();
      Block& into = blocks.back();
      into.value =
          (into.value * into.weight + last.value * last.weight) / (into.weight + last.weight);
      into.weight += last.weight;
      into.size += last.size;
    }
  }
  std::vector<double> out;
  for (const Block& block : blocks)
    out.insert(out.end(), block.size, block.value);
  return out;
}

Target plausible(Target target) {
  auto& probes = target.probes.points;
  std::vector<double> times;
  for (const CurvePoint& p : probes)
    times.push_back(p.log_time);
  const auto possible = not_rising(times, std::vector<double>(times.size(), 1.0));
  double moved = 0;
  int free = 0;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    moved += (possible[i] - times[i]) * (possible[i] - times[i]);
    if (i > 0 && possible[i] == possible[i - 1]) ++free;
    probes[i].log_time = possible[i];
  }
  if (free > 0) target.noise = std::hypot(target.noise, std::sqrt(moved / free));
  return target;
}

void make_possible(std::vector<Prediction>& predictions, const Target& target) {
  std::vector<double> times;
  std::vector<double> weights;
  for (Prediction& p : predictions) {
    for (const CurvePoint& probe : target.probes.points) {
      p.log_time = probe.limit_w <= p.limit_w ? std::min(p.log_time, probe.log_time) : p.log_time;
    }
    for (const CurvePoint& probe : target.probes.points) {
      p.log_time = probe.limit_w >= p.limit_w ? std::max(p.log_time, probe.log_time) : p.log_time;
    }
    times.push_back(p.log_time);
    weights.push_back(1.0 / std::max(p.var_time, 1e-8));
  }
  const auto possible = not_rising(times, weights);
  for (std::size_t i = 0; i < predictions.size(); ++i)
    predictions[i].log_time = possible[i];
}

}  // namespace ergo
