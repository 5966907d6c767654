#include "model/physics.hpp"

#include <ceres/tiny_solver.h>
#include <ceres/tiny_solver_autodiff_function.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace ergo::physics {
namespace {

// Nodes and weights of the 5-point Gauss-Hermite rule for a standard normal.
constexpr std::array<double, 5> phase_z = {-2.8569700138728, -1.3556261799743, 0.0, 1.3556261799743,
                                           2.8569700138728};
constexpr std::array<double, 5> phase_weight = {0.0112574113277, 0.2220759220056, 0.5333333333333,
                                                0.2220759220056, 0.0112574113277};

// The law is written once, for numbers and for Ceres' jets (numbers that carry their derivatives).
using Jet = ceres::Jet<double, count>;

double value_of(double x) {
  return x;
}

double value_of(const Jet& x) {
  return x.a;
}

template <class T>
T logistic(const T& x) {
  using std::exp;
  return 1.0 / (1.0 + exp(-x));
}

template <class T>
T at_most(const T& x, double most) {
  return value_of(x) > most ? T(most) : x;
}

/// ln(1 + e^x).
template <class T>
T softplus(const T& x) {
  using std::exp;
  using std::log1p;
  if (value_of(x) > 30) return x;
  if (value_of(x) < -30) return T(0.0);
  return log1p(exp(x));
}

/// The clock f in (0, 1] at which v f + (1-v) f^3 = y. The left side is convex and rises, so
/// Newton's steps from f = 1 fall onto the root and never pass it. The last step, from the root,
/// carries the derivatives.
template <class T>
T clock_at(const T& y, const T& v) {
  const auto step = [](double f, const auto& to, const auto& linear) {
    return (f * (linear + (1.0 - linear) * f * f) - to) / (linear + 3.0 * (1.0 - linear) * f * f);
  };
  double f = 1.0;
  for (int i = 0; i < 12; ++i) {
    const double down = step(f, value_of(y), value_of(v));
    f -= down;
    if (down < 1e-9) break;
  }
  return f - step(f, y, v);
}

template <class T>
struct Logs {
  T time;
  T power;
};

template <class T>
Logs<T> law(const T* p, double limit) {
  using std::exp;
  using std::log;
  const T static_power = exp(p[log_static]);
  const T dynamic = exp(p[log_dynamic]);
  const T compute = at_most(p[log_compute], 20.0);
  const T linear = logistic(p[logit_linear]);
  const T sharpness = 1.0 + exp(at_most(p[log_sharpness], 3.5));
  const T spread = exp(at_most(p[log_spread], 0.7));
  const T gap = logistic(p[logit_gap]);
  const T floor = exp(at_most(p[log_floor], 0.0));
  const T admitted = limit * exp(p[log_governor]);

  // ln of (1 + (c/f)^s)^(1/s)
  const auto log_busy = [&](const T& log_clock) {
    return softplus(T(sharpness * (compute - log_clock))) / sharpness;
  };
  const T full = log_busy(T(0.0));
  const T floor_power = floor * (linear + (1.0 - linear) * floor * floor);
  const T bend = 0.02 * floor_power;
  T time = gap;
  T energy = gap * static_power;
  for (std::size_t i = 0; i < phase_z.size(); ++i) {
    const T demand = dynamic * exp(spread * phase_z[i] - 0.5 * spread * spread);
    // A smooth bend where the lowest clock is reached: the optimiser needs a slope on both sides.
    const T room =
        floor_power + bend * softplus(T(((admitted - static_power) / demand - floor_power) / bend));
    const bool free = value_of(room) >= 1.0;
    const T slower = free ? T(0.0) : T(log_busy(log(clock_at(room, linear))) - full);
    const T seconds = (1.0 - gap) * phase_weight[i] * exp(slower);
    time += seconds;
    energy += seconds * (static_power + (free ? demand : T(demand * room)));
  }
  return {p[log_time_scale] + log(time), log(energy / time)};
}

}  // namespace

Point evaluate(const Vector& p, double limit) {
  const Logs<double> logs = law(p.data(), limit);
  return {logs.time, logs.power};
}

Belief population(const Constants::Law& constants) {
  Vector mean;
  Vector sd;
  mean << 0.0, std::log(0.22), std::log(0.55), -0.3, 0.0, 0.7, std::log(0.2), -2.5, std::log(0.2),
      -0.03;
  sd << 10.0, 0.35, 0.7, 1.0, 1.2, constants.sharpness, 0.8, 1.2, 0.5, constants.governor;
  return {mean, sd.cwiseAbs2().asDiagonal()};
}

namespace {

/// Residuals that are whitened: their sum of squares is the cost.
class Residuals {
 public:
  Residuals(const Belief& prior, const std::vector<Observation>& observations, const Noise& noise)
      : mean_(prior.mean),
        whiten_(prior.covariance.llt().matrixL().solve(Matrix::Identity())),
        observations_(observations),
        noise_(noise) {}

  [[nodiscard]] int NumResiduals() const {
    return count + 2 * static_cast<int>(observations_.size());
  }

  template <class T>
  bool operator()(const T* p, T* r) const {
    for (int i = 0; i < count; ++i) {
      T sum(0.0);
      for (int k = 0; k <= i; ++k)
        sum += whiten_(i, k) * (p[k] - mean_[k]);
      *r++ = sum;
    }
    for (const Observation& o : observations_) {
      const Logs<T> model = law(p, o.limit);
      *r++ = robust(T((model.time - o.point.log_time) / noise_.time));
      *r++ = robust(T((model.power - o.point.log_power) / noise_.power));
    }
    return true;
  }

 private:
  /// Quadratic near 0, growing as |x|^(1/2) beyond ~4 sigma: one disturbed run does not bend the
  /// curve.
  template <class T>
  static T robust(const T& x) {
    using std::sqrt;
    constexpr double knee = 4.0;
    return x / sqrt(sqrt(1.0 + (x / knee) * (x / knee)));
  }

  Vector mean_;
  Matrix whiten_;
  const std::vector<Observation>& observations_;
  Noise noise_;
};

}  // namespace

Fit fit(const Belief& prior, const std::vector<Observation>& observations, const Noise& noise) {
  Vector p = prior.mean;
  if (!observations.empty()) {
    // The prior of the time scale is vague: start where the first guess fits the data.
    const Observation& top = observations.back();
    const Point guess = evaluate(p, top.limit);
    p[log_time_scale] += top.point.log_time - guess.log_time;
  }
  const Residuals residuals(prior, observations, noise);
  using Function = ceres::TinySolverAutoDiffFunction<Residuals, Eigen::Dynamic, count>;
  const Function function(residuals);
  ceres::TinySolver<Function> solver;
  solver.options.max_num_iterations = 60;
  solver.options.initial_trust_region_radius = 100.0;
  solver.Solve(function, &p);

  Eigen::VectorXd r(residuals.NumResiduals());
  Eigen::Matrix<double, Eigen::Dynamic, count> j(r.size(), static_cast<Eigen::Index>(count));
  function(p.data(), r.data(), j.data());
  const Matrix normal = j.transpose() * j;
  return {p, normal.ldlt().solve(Matrix::Identity())};
}

}  // namespace ergo::physics
