#pragma once
// From predictions to a limit: the smallest expected cost, not the smallest guess.

#include "ergo/model/method.hpp"

#include <optional>
#include <vector>

namespace ergo {

struct Decision {
  Objective objective = Objective::energy;
  std::optional<double> max_slowdown;  ///< 0.05: at most 5 % slower than under the highest limit
  double host_w = 0.0;                 ///< power of the host, which a slower run costs for longer
};

/// The index into `predictions` (not empty, ascending by limit) of the limit to choose. Limits
/// whose slowdown is likely above `max_slowdown` are left out, and the probability of breaking it
/// adds to the cost of the others; the highest limit always stays.
std::size_t decide(const std::vector<Prediction>& predictions, const Decision& decision);

/// ln of the expected cost of one prediction: the mean of a log-normal, host energy included.
double log_expected_cost(const Prediction& prediction, const Decision& decision);

}  // namespace ergo
