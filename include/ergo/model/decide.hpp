#pragma once
// From predictions to a limit: the smallest expected cost, not the smallest guess.

#include "ergo/model/method.hpp"

#include <optional>
#include <vector>

namespace ergo {

/// What an uncertain slowdown costs a choice with `max_slowdown`. A limit breaks the promise when
/// it is slower than `clearly` times what was accepted.
struct Caution {
  double clearly = 1.2;
  double most_likely = 0.35;  ///< largest probability of breaking it, whatever that saves
  double price = 0.25;        ///< below that: how much cost a probability of 1 counts as
  /// How far a measured slowdown lies from the true one (standard deviation of the logarithm): a
  /// promise that is judged by single runs, which scatter, wants more distance than one judged by
  /// windows of known precision.
  double noise = 0.0;
};

struct Decision {
  Objective objective = Objective::energy;
  std::optional<double> max_slowdown;  ///< 0.05: at most 5 % slower than under the highest limit
  double host_w = 0.0;                 ///< power of the host, which a slower run costs for longer
  Caution caution = {};
};

/// Where a promise is judged by runs of a sweep: the repeats' noise of public data, as in predict.
inline constexpr Caution judged_by_runs{.noise = 0.015};

/// The index into `predictions` (not empty, ascending by limit) of the limit to choose. Limits
/// whose slowdown is likely above `max_slowdown` are left out, and the probability of breaking it
/// adds to the cost of the others; the highest limit always stays.
std::size_t decide(const std::vector<Prediction>& predictions, const Decision& decision);

/// ln of the expected cost of one prediction: the mean of a log-normal, host energy included.
double log_expected_cost(const Prediction& prediction, const Decision& decision);

}  // namespace ergo
