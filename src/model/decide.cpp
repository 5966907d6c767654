#include "ergo/model/decide.hpp"

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

// A limit is within the slowdown when it is so with a little in hand, and when it would break the
// promise clearly (by a fifth of it) only with a probability of about a quarter.
constexpr double in_hand = 0.25;  ///< standard deviations
constexpr double clearly = 1.2;   ///< times the slowdown accepted
constexpr double unlikely = 0.6;  ///< standard deviations

int time_exponent(Objective objective) {
  switch (objective) {
    case Objective::energy:
      return 1;
    case Objective::edp:
      return 2;
    case Objective::ed2p:
      return 3;
    case Objective::time:
      return 1;
  }
  return 1;
}

}  // namespace

double log_expected_cost(const Prediction& p, const Decision& decision) {
  if (decision.objective == Objective::time) return p.log_time + 0.5 * p.var_time;
  // The host adds a constant to the GPU's power; its share also tempers how much the GPU's
  // uncertainty counts.
  const double gpu = std::exp(p.log_power);
  const double share = gpu / (gpu + decision.host_w);
  const double k = time_exponent(decision.objective);
  const double mean = k * p.log_time + std::log(gpu + decision.host_w);
  const double variance = k * k * p.var_time + share * share * p.var_power + 2 * k * share * p.cov;
  return mean + 0.5 * std::max(variance, 0.0);
}

std::size_t decide(const std::vector<Prediction>& predictions, const Decision& decision) {
  const std::size_t top = predictions.size() - 1;
  std::size_t best = top;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const Prediction& p = predictions[i];
    if (decision.max_slowdown && i != top) {
      const double slowdown = p.log_time - predictions[top].log_time;
      if (slowdown + in_hand * std::sqrt(p.var_time) > std::log1p(*decision.max_slowdown)) continue;
      if (slowdown + unlikely * std::sqrt(p.var_time) >
          std::log1p(clearly * *decision.max_slowdown))
        continue;
    }
    if (log_expected_cost(p, decision) < log_expected_cost(predictions[best], decision)) best = i;
  }
  return best;
}

}  // namespace ergo
