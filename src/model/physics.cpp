#include "model/physics.hpp"

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

double logistic(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// The clock f in (0, 1] at which v f + (1-v) f^3 = y. The left side is convex and rises, so
/// Newton's steps from f = 1 fall onto the root and never pass it.
double clock_at(double y, double v) {
  double f = 1.0;
  for (int i = 0; i < 12; ++i) {
    const double excess = f * (v + (1 - v) * f * f) - y;
    const double step = excess / (v + 3 * (1 - v) * f * f);
    f -= step;
    if (step < 1e-9) break;
  }
  return f;
}

/// Two smooth bends instead of corners: the optimiser needs a slope on both sides.
double smooth_max(double a, double b, double width) {
  const double d = (a - b) / width;
  if (d > 30) return a;
  if (d < -30) return b;
  return b + width * std::log1p(std::exp(d));
}

}  // namespace

Point evaluate(const Vector& p, double limit) {
  const double static_power = std::exp(p[log_static]);
  const double dynamic = std::exp(p[log_dynamic]);
  const double compute = std::exp(std::min(p[log_compute], 20.0));
  const double linear = logistic(p[logit_linear]);
  const double sharpness = 1.0 + std::exp(std::min(p[log_sharpness], 3.5));
  const double spread = std::exp(std::min(p[log_spread], 0.7));
  const double gap = logistic(p[logit_gap]);
  const double floor = std::exp(std::min(p[log_floor], 0.0));
  const double admitted = limit * std::exp(p[log_governor]);

  const auto busy_time = [&](double f) {
    return std::pow(1.0 + std::pow(compute / f, sharpness), 1.0 / sharpness);
  };
  const double full = busy_time(1.0);
  const double floor_power = floor * (linear + (1 - linear) * floor * floor);
  double time = gap;
  double energy = gap * static_power;
  for (std::size_t i = 0; i < phase_z.size(); ++i) {
    const double demand = dynamic * std::exp(spread * phase_z[i] - 0.5 * spread * spread);
    const double room =
        smooth_max((admitted - static_power) / demand, floor_power, 0.02 * floor_power);
    const double f = room >= 1.0 ? 1.0 : clock_at(room, linear);
    const double seconds = (1 - gap) * phase_weight[i] * busy_time(f) / full;
    time += seconds;
    energy += seconds * (static_power + demand * std::min(room, 1.0));
  }
  return {p[log_time_scale] + std::log(time), std::log(energy / time)};
}

Belief population() {
  Vector mean;
  Vector sd;
  mean << 0.0, std::log(0.22), std::log(0.55), -0.3, 0.0, 0.7, std::log(0.2), -2.5, std::log(0.2),
      -0.03;
  sd << 10.0, 0.35, 0.7, 1.0, 1.2, 0.6, 0.8, 1.2, 0.5, 0.06;
  return {mean, sd.cwiseAbs2().asDiagonal()};
}

namespace {

/// Residuals that are whitened: their sum of squares is the cost.
class Problem {
 public:
  Problem(const Belief& prior, const std::vector<Observation>& observations, const Noise& noise)
      : prior_(prior),
        observations_(observations),
        noise_(noise),
        whiten_(prior.covariance.llt()) {}

  [[nodiscard]] Eigen::VectorXd residuals(const Vector& p) const {
    Eigen::VectorXd r(count + 2 * static_cast<Eigen::Index>(observations_.size()));
    r.head<count>() = whiten_.matrixL().solve(p - prior_.mean);
    Eigen::Index at = count;
    for (const Observation& o : observations_) {
      const Point model = evaluate(p, o.limit);
      r[at++] = robust((model.log_time - o.point.log_time) / noise_.time);
      r[at++] = robust((model.log_power - o.point.log_power) / noise_.power);
    }
    return r;
  }

  [[nodiscard]] Eigen::MatrixXd jacobian(const Vector& p, const Eigen::VectorXd& r) const {
    constexpr double step = 1e-5;
    Eigen::MatrixXd j(r.size(), static_cast<Eigen::Index>(count));
    for (int i = 0; i < count; ++i) {
      Vector moved = p;
      moved[i] += step;
      j.col(i) = (residuals(moved) - r) / step;
    }
    return j;
  }

 private:
  /// Quadratic near 0, growing as |x|^(1/2) beyond ~4 sigma: one disturbed run does not bend the
  /// curve.
  static double robust(double x) {
    constexpr double knee = 4.0;
    return x / std::pow(1.0 + (x / knee) * (x / knee), 0.25);
  }

  const Belief& prior_;
  const std::vector<Observation>& observations_;
  Noise noise_;
  Eigen::LLT<Matrix> whiten_;
};

}  // namespace

Fit fit(const Belief& prior, const std::vector<Observation>& observations, const Noise& noise) {
  const Problem problem(prior, observations, noise);
  Vector p = prior.mean;
  if (!observations.empty()) {
    // The prior of the time scale is vague: start where the first guess fits the data.
    const Observation& top = observations.back();
    const Point guess = evaluate(p, top.limit);
    p[log_time_scale] += top.point.log_time - guess.log_time;
  }
  Eigen::VectorXd r = problem.residuals(p);
  double damping = 1e-2;
  Matrix normal = Matrix::Identity();
  for (int iteration = 0; iteration < 60; ++iteration) {
    const Eigen::MatrixXd j = problem.jacobian(p, r);
    normal = j.transpose() * j;
    const Vector gradient = j.transpose() * r;
    bool moved = false;
    double gain = 0.0;
    for (int attempt = 0; attempt < 8 && !moved; ++attempt) {
      Matrix damped = normal;
      damped.diagonal() *= 1.0 + damping;
      const Vector next = p - damped.ldlt().solve(gradient);
      const Eigen::VectorXd next_r = problem.residuals(next);
      gain = r.squaredNorm() - next_r.squaredNorm();
      if (std::isfinite(gain) && gain >= 0) {
        p = next;
        r = next_r;
        damping = std::max(damping * 0.3, 1e-7);
        moved = true;
      } else {
        damping *= 6.0;
      }
    }
    if (!moved || gain < 1e-6 * (1.0 + r.squaredNorm())) break;
  }
  return {p, normal.ldlt().solve(Matrix::Identity())};
}

}  // namespace ergo::physics
