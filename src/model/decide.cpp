#include "ergo/model/decide.hpp"

#include "ergo/stats/student.hpp"

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

/// Degrees of freedom of the error of a predicted time: its tails are heavier than a normal's.
constexpr double freedom = 4;

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
  double least = log_expected_cost(predictions[top], decision);
  for (std::size_t i = 0; i < top; ++i) {
    const Prediction& p = predictions[i];
    double cost = log_expected_cost(p, decision);
    if (decision.max_slowdown) {
      const Slowdown believed = p.slowdown.value_or(Slowdown{0.0, p.var_time});
      const double slowdown = p.log_time - predictions[top].log_time + believed.shift;
      const double sd =
          std::hypot(std::sqrt(std::max(believed.variance, 0.0)), decision.caution.noise);
      if (slowdown > std::log1p(*decision.max_slowdown)) continue;
      const double breaking = std::log1p(decision.caution.clearly * *decision.max_slowdown);
      const double breaks = stats::student_t_cdf((slowdown - breaking) / sd, freedom);
      if (breaks > decision.caution.most_likely) continue;
      cost += decision.caution.price * breaks;
    }
    if (cost < least) {
      least = cost;
      best = i;
    }
  }
  return best;
}

}  // namespace ergo
