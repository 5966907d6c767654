#pragma once
// A number with its 95 % interval.

namespace ergo {

/// `value` lies in [low, high]. The unit is the one of the field that holds it.
struct Estimate {
  double value = 0.0;
  double low = 0.0;
  double high = 0.0;
};

}  // namespace ergo
