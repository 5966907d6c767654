#pragma once
// The law of one workload on one GPU: time and mean power against the power limit. See
// docs/developer/model.md.

#include "model/constants.hpp"

#include <Eigen/Dense>

#include <vector>

namespace ergo::physics {

/// Parameters on unbounded scales. Powers are fractions of the GPU's highest limit.
enum Parameter : int {
  log_time_scale,  ///< ln of the time at full clock
  log_static,      ///< ln of the power that no clock changes
  log_dynamic,     ///< ln of the dynamic power at full clock, mean over the busy phases
  log_compute,     ///< ln of compute time over memory time at full clock
  logit_linear,    ///< logit of the share of dynamic power that is linear in the clock (voltage at
                   ///< its floor)
  log_sharpness,   ///< ln of the norm that joins compute and memory time (1: they add, large: the
                   ///< longer one)
  log_spread,      ///< ln of the spread of dynamic power over the phases (bursts)
  logit_gap,       ///< logit of the share of time in which the GPU waits for others
  log_floor,       ///< ln of the lowest clock over the highest
  log_governor,    ///< ln of the power that a binding limit admits, over the limit
  count
};

using Vector = Eigen::Matrix<double, count, 1>;
using Matrix = Eigen::Matrix<double, count, count>;

struct Point {
  double log_time = 0.0;
  double log_power = 0.0;  ///< of the fraction of the highest limit
};

/// Time and power under `limit` (a fraction of the highest limit).
Point evaluate(const Vector& parameters, double limit);

/// A normal belief about the parameters.
struct Belief {
  Vector mean;
  Matrix covariance;
};

/// What is believed of a workload on a GPU of which nothing is known.
Belief population(const Constants::Law& constants = {});

struct Observation {
  double limit = 0.0;
  Point point;
};

struct Noise {
  double time = 0.02;
  double power = 0.02;
};

struct Fit {
  Vector parameters;
  Matrix covariance;  ///< Laplace approximation
};

/// The most probable parameters given the observations (may be none). Robust: an observation far
/// off counts less.
Fit fit(const Belief& prior, const std::vector<Observation>& observations, const Noise& noise);

}  // namespace ergo::physics
