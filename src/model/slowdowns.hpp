#pragma once
// How far slowdowns lie from what was predicted, learned from curves that were predicted to be
// about as slow.

#include "ergo/model/method.hpp"

#include <cstddef>
#include <vector>

namespace ergo {

/// One point of a training curve that was predicted while its group was left out.
struct SlowdownMiss {
  double predicted = 0.0;  ///< ln of time over that under the highest limit
  double size = 0.0;       ///< ln of the true over the predicted time
  double weight = 1.0;
  std::size_t group = 0;  ///< curves left out together
};

/// Centre and variance of the errors of slowdowns near `predicted` (a normal kernel of width
/// `alike`), as Student's t with 4 degrees of freedom. `variance` is what is believed without them;
/// it counts as one group, and so does each group that has a slowdown like this.
Slowdown expected_slowdown(const std::vector<SlowdownMiss>& misses, double predicted,
                           double variance, double alike);

}  // namespace ergo
