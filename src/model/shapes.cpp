// Slowdown against the share of power that is left, carried over from other cards. At the same
// share the logarithm of the slowdown differs little between cards and workloads, far less than at
// the same place in the cards' ranges of limits.

#include "model/methods.hpp"
#include "model/physical.hpp"
#include "model/view.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

/// How far down from the power under the highest limit (`depth`, ln), and how much slower (ln).
struct Step {
  double depth = 0.0;
  double slower = 0.0;
};

/// A curve as slowdown against depth, from the highest limit down; both rise.
class Shape {
 public:
  explicit Shape(const std::vector<CurvePoint>& points) {
    const CurvePoint& top = points.back();
    Step at;
    int merged = 1;
    steps_.push_back(at);
    for (auto p = points.rbegin() + 1; p != points.rend(); ++p) {
      const double before = at.depth;
      at.depth = std::max(at.depth, top.log_power - p->log_power);
      at.slower = std::max(at.slower, p->log_time - top.log_time);
      if (at.depth - before < 1e-4) {
        Step& same = steps_.back();
        same.slower += (at.slower - same.slower) / ++merged;
      } else {
        steps_.push_back(at);
        merged = 1;
      }
    }
  }

  [[nodiscard]] double deepest() const { return steps_.back().depth; }

  /// Below the deepest point its last slope goes on, at least that of a clock whose cube is the
  /// power.
  [[nodiscard]] double at(double depth) const {
    const Step& last = steps_.back();
    if (depth >= last.depth) return last.slower + last_slope() * (depth - last.depth);
    const auto after = std::upper_bound(steps_.begin(), steps_.end(), depth,
                                        [](double d, const Step& step) { return d < step.depth; });
    const Step& b = *after;
    const Step& a = *(after - 1);
    return std::lerp(a.slower, b.slower, (depth - a.depth) / (b.depth - a.depth));
  }

 private:
  [[nodiscard]] double last_slope() const {
    constexpr double least = 1.0 / 3;
    constexpr double over = 0.1;
    const Step& last = steps_.back();
    for (auto step = steps_.rbegin() + 1; step != steps_.rend(); ++step) {
      if (last.depth - step->depth < over && step + 1 != steps_.rend()) continue;
      return std::max(least, (last.slower - step->slower) / (last.depth - step->depth));
    }
    return least;
  }

  std::vector<Step> steps_;
};

class Shapes : public Method {
 public:
  explicit Shapes(const std::shared_ptr<CurveFits>& fits)
      : constants_(fits->constants().shapes),
        same_workload_(fits->constants().transfer.same_workload),
        law_(make_physical(fits)) {}

  std::string_view name() const override { return "shapes"; }
  void fit(const Training& train) override {
    train_ = train;
    law_->fit(train);
  }

  std::vector<Prediction> predict(const Target& target) override {
    std::vector<Prediction> out = law_->predict(target);
    const std::vector<Neighbor> known = shaped(target);
    const CurvePoint* base = base_of(target);
    // Shapes are relative to the highest limit: without its measurement there is only the law.
    const bool measured = base == nullptr || base->limit_w >= target.range.highest_w - 1e-5;
    if (known.empty() || out.empty() || !measured) return out;
    const auto limits = depths(target, out);
    const auto probes = probe_steps(target);
    const Conditioned residual = conditioned(probes, limits, target.noise);
    std::vector<Candidate> candidates;
    candidates.reserve(known.size());
    for (const Neighbor& n : known)
      candidates.push_back(candidate(n, probes, limits, residual));
    for (std::size_t k = 0; k < limits.size(); ++k) {
      const Moments slower = mixed(candidates, k, residual.left[k]);
      Prediction& p = out[k];
      p.log_time = (base != nullptr ? base->log_time : 0.0) + slower.mean;
      p.var_time = slower.variance + 4e-4;
      const double most = 0.99 * std::sqrt(p.var_time * p.var_power);
      p.cov = std::clamp(p.cov, -most, most);
    }
    return out;
  }

 private:
  /// What a curve says about the target's limits, corrected at the probes.
  struct Candidate {
    double log_weight = 0.0;
    std::vector<double> log_slowdown;
  };

  /// The Gaussian process over the log ratio of slowdowns, once the probes are known.
  struct Conditioned {
    Eigen::LLT<Eigen::MatrixXd> llt;
    Eigen::MatrixXd gain;      ///< limits x probes
    std::vector<double> left;  ///< variance at the limits
  };

  struct Moments {
    double mean = 0.0;
    double variance = 0.0;
  };

  [[nodiscard]] Conditioned conditioned(const std::vector<Step>& probes,
                                        const std::vector<double>& limits,
                                        double target_noise) const {
    const auto n = static_cast<Eigen::Index>(probes.size());
    const auto m = static_cast<Eigen::Index>(limits.size());
    Conditioned c;
    c.left.assign(limits.size(), covariance(0, 0));
    if (n == 0) return c;
    Eigen::MatrixXd known(n, n);
    Eigen::MatrixXd cross(m, n);
    for (Eigen::Index i = 0; i < n; ++i) {
      const Step& probe = probes[static_cast<std::size_t>(i)];
      for (Eigen::Index k = 0; k < n; ++k)
        known(i, k) = covariance(probe.depth, probes[static_cast<std::size_t>(k)].depth);
      const double noise =
          std::hypot(constants_.noise, target_noise) / (probe.slower + constants_.least);
      known(i, i) += 2 * noise * noise;
      for (Eigen::Index k = 0; k < m; ++k)
        cross(k, i) = covariance(limits[static_cast<std::size_t>(k)], probe.depth);
    }
    c.llt.compute(known);
    c.gain = c.llt.solve(cross.transpose()).transpose();
    for (Eigen::Index k = 0; k < m; ++k) {
      double& left = c.left[static_cast<std::size_t>(k)];
      left = std::max(left - c.gain.row(k).dot(cross.row(k)), 0.0);
    }
    return c;
  }

  [[nodiscard]] Candidate candidate(const Neighbor& curve, const std::vector<Step>& probes,
                                    const std::vector<double>& limits,
                                    const Conditioned& residual) const {
    const Shape shape(curve.curve->points);
    Candidate c;
    c.log_weight = std::log(curve.weight * (curve.same_workload ? same_workload_ : 1.0));
    for (double depth : limits)
      c.log_slowdown.push_back(log_slowdown(shape.at(depth)));
    if (probes.empty()) return c;
    Eigen::VectorXd ratio(static_cast<Eigen::Index>(probes.size()));
    for (std::size_t i = 0; i < probes.size(); ++i) {
      ratio[static_cast<Eigen::Index>(i)] =
          log_slowdown(probes[i].slower) - log_slowdown(shape.at(probes[i].depth));
    }
    c.log_weight -= 0.5 * ratio.dot(residual.llt.solve(ratio));
    const Eigen::VectorXd correction = residual.gain * ratio;
    for (std::size_t k = 0; k < limits.size(); ++k)
      c.log_slowdown[k] += correction[static_cast<Eigen::Index>(k)];
    return c;
  }

  /// Of ln slowdown at one limit; `left`: the variance of its logarithm under each candidate.
  [[nodiscard]] Moments mixed(const std::vector<Candidate>& candidates, std::size_t limit,
                              double left) const {
    double best = -1e300;
    for (const Candidate& c : candidates)
      best = std::max(best, c.log_weight);
    double total = 0;
    double mean = 0;
    double square = 0;
    for (const Candidate& c : candidates) {
      const double w = std::exp(c.log_weight - best);
      const double scale = std::exp(c.log_slowdown[limit]);
      const double slower = std::max(scale - constants_.least, 0.0);
      total += w;
      mean += w * slower;
      square += w * (slower * slower + scale * scale * left);
    }
    mean /= total;
    return {mean, std::max(square / total - mean * mean, 0.0)};
  }

  /// Near 0 noise rules, and its logarithm would mean nothing.
  [[nodiscard]] double log_slowdown(double slower) const {
    return std::log(std::max(slower, 0.0) + constants_.least);
  }

  /// Of the log ratio at two depths.
  [[nodiscard]] double covariance(double a, double b) const {
    const double d = (a - b) / constants_.length;
    return constants_.level * constants_.level +
           constants_.smooth * constants_.smooth * std::exp(-0.5 * d * d);
  }

  /// Curves that were limited deep enough to have a shape.
  [[nodiscard]] std::vector<Neighbor> shaped(const Target& target) const {
    constexpr double deep_enough = 0.1;
    std::vector<Neighbor> out = neighbors_of(train_, target);
    std::erase_if(out,
                  [](const Neighbor& n) { return Shape(n.curve->points).deepest() < deep_enough; });
    return out;
  }

  /// Depths of the target's limits: measured where probed, else the law's; rising downwards.
  static std::vector<double> depths(const Target& target, const std::vector<Prediction>& law) {
    const CurvePoint* base = base_of(target);
    std::vector<double> out(law.size());
    double deepest = 0.0;
    const double top = base != nullptr ? base->log_power : law.back().log_power;
    for (std::size_t i = law.size(); i-- > 0;) {
      const auto probe = target.probes.find(law[i].limit_w);
      const double power = probe ? target.probes.points[*probe].log_power : law[i].log_power;
      deepest = std::max(deepest, top - power);
      out[i] = deepest;
    }
    return out;
  }

  /// What the probes below the highest show.
  static std::vector<Step> probe_steps(const Target& target) {
    std::vector<Step> out;
    const auto& probes = target.probes.points;
    for (std::size_t i = 0; i + 1 < probes.size(); ++i) {
      out.push_back({std::max(probes.back().log_power - probes[i].log_power, 0.0),
                     std::max(probes[i].log_time - probes.back().log_time, 0.0)});
    }
    return out;
  }

  Constants::Shapes constants_;
  double same_workload_;
  std::unique_ptr<Method> law_;
  Training train_;
};

}  // namespace

std::unique_ptr<Method> make_shapes(const std::shared_ptr<CurveFits>& fits) {
  return std::make_unique<Shapes>(fits);
}

}  // namespace ergo
