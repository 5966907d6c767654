#pragma once
// The physical law with a prior learned from the training curves.

#include "ergo/model/method.hpp"
#include "model/physics.hpp"

#include <map>
#include <memory>

namespace ergo {

/// The physical fits of whole training curves, made once each. Curves are known by address.
class CurveFits {
 public:
  /// `highest_w`: the limit that powers are fractions of.
  const physics::Fit& of(const Curve& curve, double highest_w);

 private:
  std::map<std::pair<const Curve*, double>, physics::Fit> fits_;
};

}  // namespace ergo
