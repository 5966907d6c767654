// Nearest curves: the target is taken for a training curve plus a smooth residual, each candidate
// weighted by how well it explains the probes.

#include "model/methods.hpp"
#include "model/physical.hpp"
#include "model/view.hpp"

#include <Eigen/Dense>

#include <cmath>

namespace ergo {
namespace {

/// Covariance of residuals at the probes and between probes and limits: a common level plus a
/// smooth part.
struct ResidualPrior {
  Eigen::MatrixXd probes;
  Eigen::MatrixXd cross;  ///< limits x probes
};

ResidualPrior residual_prior(const Target& target, double level, double smooth, double length,
                             double noise) {
  const auto& probes = target.probes.points;
  const auto cov = [&](double a, double b) {
    const double d = std::log(a / b) / length;
    return level * level + smooth * smooth * std::exp(-0.5 * d * d);
  };
  const auto n = static_cast<Eigen::Index>(probes.size());
  const auto m = static_cast<Eigen::Index>(target.limits.size());
  ResidualPrior prior{Eigen::MatrixXd(n, n), Eigen::MatrixXd(m, n)};
  for (Eigen::Index i = 0; i < n; ++i) {
    const double limit = probes[static_cast<std::size_t>(i)].limit_w;
    for (Eigen::Index k = 0; k < n; ++k)
      prior.probes(i, k) = cov(limit, probes[static_cast<std::size_t>(k)].limit_w);
    prior.probes(i, i) += noise * noise;
    for (Eigen::Index k = 0; k < m; ++k)
      prior.cross(k, i) = cov(limit, target.limits[static_cast<std::size_t>(k)]);
  }
  return prior;
}

class Nearest : public Method {
 public:
  explicit Nearest(const Constants::Transfer& constants) : constants_(constants) {}

  std::string_view name() const override { return "nearest"; }
  void fit(const Training& train) override { train_ = train; }

  std::vector<Prediction> predict(const Target& target) override {
    Constants::Transfer h = constants_;
    const double time_noise = std::hypot(h.noise, target.noise);
    const auto neighbors = neighbors_of(train_, target);
    if (!neighbors.empty() && neighbors.front().curve->gpu != target.probes.gpu) {
      // Curves of other cards are further off.
      h.time *= 2;
      h.power *= 2;
    }
    const auto& probes = target.probes.points;
    const auto n = static_cast<Eigen::Index>(probes.size());
    const auto m = static_cast<Eigen::Index>(target.limits.size());
    const auto time_prior = residual_prior(target, 30.0, h.time, h.length, time_noise);
    const auto power_prior = residual_prior(target, 0.3 * h.power, h.power, h.length, h.noise);
    const Eigen::LLT<Eigen::MatrixXd> time_llt(time_prior.probes);
    const Eigen::LLT<Eigen::MatrixXd> power_llt(power_prior.probes);

    std::vector<Candidate> candidates;
    double best = -1e300;
    for (const Neighbor& neighbor : neighbors) {
      Candidate c{Eigen::VectorXd(m), Eigen::VectorXd(m), Eigen::VectorXd(m),
                  std::log(neighbor.weight)};
      if (neighbor.same_workload) c.log_weight += std::log(h.same_workload);
      Eigen::VectorXd rt(n);
      Eigen::VectorXd rp(n);
      bool covers = true;
      for (Eigen::Index i = 0; i < n; ++i) {
        const CurvePoint& probe = probes[static_cast<std::size_t>(i)];
        const auto own = interpolate(neighbor.points, probe.limit_w);
        covers = covers && own.has_value();
        const CurvePoint p = interpolate_or_hold(neighbor.points, probe.limit_w);
        rt[i] = probe.log_time - p.log_time;
        rp[i] = probe.log_power - p.log_power;
      }
      if (!covers) c.log_weight -= 2.0;
      if (n > 0) {
        const Eigen::VectorXd at = time_llt.solve(rt);
        const Eigen::VectorXd ap = power_llt.solve(rp);
        c.log_weight -= 0.5 * (rt.dot(at) + rp.dot(ap));
        c.time = time_prior.cross * at;
        c.power = power_prior.cross * ap;
      } else {
        c.time.setConstant(-neighbor.points.back().log_time);
        c.power.setZero();
      }
      for (Eigen::Index k = 0; k < m; ++k) {
        const double limit = target.limits[static_cast<std::size_t>(k)];
        const CurvePoint p = interpolate_or_hold(neighbor.points, limit);
        c.time[k] += p.log_time;
        c.power[k] += p.log_power;
        // A candidate says little about limits that it was never measured under.
        c.reach[k] = interpolate(neighbor.points, limit) ? 1.0 : 1e-3;
      }
      best = std::max(best, c.log_weight);
      candidates.push_back(std::move(c));
    }
    return mix(target, candidates, best);
  }

 private:
  struct Candidate {
    Eigen::VectorXd time;
    Eigen::VectorXd power;
    Eigen::VectorXd reach;
    double log_weight = 0.0;
  };

  static std::vector<Prediction> mix(const Target& target, const std::vector<Candidate>& candidates,
                                     double best) {
    std::vector<Prediction> out;
    const CurvePoint* base = base_of(target);
    for (std::size_t k = 0; k < target.limits.size(); ++k) {
      const auto at = static_cast<Eigen::Index>(k);
      Prediction p{target.limits[k], 0, 0, 0, 0, 0};
      double total = 0;
      for (const Candidate& c : candidates) {
        const double w = std::exp(c.log_weight - best) * c.reach[at];
        total += w;
        p.log_time += w * c.time[at];
        p.log_power += w * c.power[at];
        p.var_time += w * c.time[at] * c.time[at];
        p.var_power += w * c.power[at] * c.power[at];
        p.cov += w * c.time[at] * c.power[at];
      }
      if (total > 0) {
        p.log_time /= total;
        p.log_power /= total;
        p.var_time = std::max(p.var_time / total - p.log_time * p.log_time, 0.0) + 4e-4;
        p.var_power = std::max(p.var_power / total - p.log_power * p.log_power, 0.0) + 4e-4;
        p.cov = p.cov / total - p.log_time * p.log_power;
      } else {
        if (base != nullptr) p = {target.limits[k], base->log_time, base->log_power, 0, 0, 0};
        p.var_time = p.var_power = 0.1;
      }
      out.push_back(p);
    }
    return out;
  }

  Constants::Transfer constants_;
  Training train_;
};

}  // namespace

std::unique_ptr<Method> make_nearest(const std::shared_ptr<CurveFits>& fits) {
  return std::make_unique<Nearest>(fits->constants().transfer);
}

}  // namespace ergo
