#pragma once
// The physical law with a prior learned from the training curves.

#include "ergo/model/method.hpp"
#include "model/constants.hpp"
#include "model/physics.hpp"

#include <map>
#include <memory>

namespace ergo {

/// What the methods of one evaluation share: the constants, and the physical fits of whole training
/// curves, made once each. Curves are known by address.
class CurveFits {
 public:
  explicit CurveFits(const Constants& constants = {}) : constants_(constants) {}

  [[nodiscard]] const Constants& constants() const { return constants_; }

  /// `highest_w`: the limit that powers are fractions of.
  const physics::Fit& of(const Curve& curve, double highest_w);

 private:
  Constants constants_;
  std::map<std::pair<const Curve*, double>, physics::Fit> fits_;
};

}  // namespace ergo
