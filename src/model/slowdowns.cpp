#include "model/slowdowns.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace ergo {

Slowdown expected_slowdown(const std::vector<SlowdownMiss>& misses, double predicted,
                           double variance, double alike) {
  constexpr double freedom = 4;
  constexpr int steps = 20;
  std::vector<double> weights;
  std::map<std::size_t, double> most_alike;
  double total = 0;
  for (const SlowdownMiss& miss : misses) {
    const double d = (miss.predicted - predicted) / alike;
    const double near = std::exp(-0.5 * d * d);
    weights.push_back(miss.weight * near);
    total += weights.back();
    most_alike[miss.group] = std::max(most_alike[miss.group], near);
  }
  double groups = 0;
  for (const auto& [group, near] : most_alike)
    groups += near;
  Slowdown found{0.0, variance};
  if (!(total > 0) || !(variance > 0)) return found;
  // Expectation maximisation (Lange, Little, Taylor, J. Am. Stat. Assoc. 84, 1989).
  for (int step = 0; step < steps; ++step) {
    double sum = 0;
    double mean = 0;
    for (std::size_t i = 0; i < misses.size(); ++i) {
      const double from_centre = misses[i].size - found.shift;
      const double w = groups * weights[i] / total * (freedom + 1) /
                       (freedom + from_centre * from_centre / found.variance);
      sum += w;
      mean += w * misses[i].size;
    }
    const double shift = mean / (sum + 1);
    double squares = 0;
    for (std::size_t i = 0; i < misses.size(); ++i) {
      const double before = misses[i].size - found.shift;
      const double w = groups * weights[i] / total * (freedom + 1) /
                       (freedom + before * before / found.variance);
      squares += w * (misses[i].size - shift) * (misses[i].size - shift);
    }
    found = {shift, (squares + variance) / (groups + 1)};
  }
  return found;
}

}  // namespace ergo
