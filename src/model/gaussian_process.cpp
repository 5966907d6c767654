// The physical law corrected by a Gaussian process: what the law, given the same probes, got wrong
// on training curves that it had not seen, as a function of the limit and of the headroom between
// limit and power.

#include "model/configs.hpp"
#include "model/methods.hpp"
#include "model/physical.hpp"
#include "model/view.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <map>

namespace ergo {
namespace {

using Kernel = Constants::Kernel;

/// One residual of the law: where, whose, and how large.
struct Residual {
  double log_limit = 0.0;     ///< of limit / highest limit
  double log_headroom = 0.0;  ///< of limit / power under the highest limit
  const std::string* workload = nullptr;
  const void* curve = nullptr;
  ConfigPlace config{};
  double time = 0.0;
  double power = 0.0;
};

double covariance(const Kernel& k, const Residual& a, const Residual& b) {
  const double dl = (a.log_limit - b.log_limit) / k.limit_length;
  const double dh = (a.log_headroom - b.log_headroom) / k.headroom_length;
  const double near_limit = std::exp(-0.5 * dl * dl);
  double value = k.shared * k.shared * near_limit * std::exp(-0.5 * dh * dh);
  if (*a.workload == *b.workload)
    value += k.workload * k.workload * near_limit * closeness(a.config, b.config);
  if (a.curve == b.curve) {
    const double dc = (a.log_limit - b.log_limit) / k.curve_length;
    value += k.curve * k.curve * std::exp(-0.5 * dc * dc);
  }
  return value;
}

class GaussianProcess : public Method {
 public:
  explicit GaussianProcess(std::shared_ptr<CurveFits> fits)
      : fits_(std::move(fits)), kernel_(fits_->constants().kernel), law_(make_physical(fits_)) {}

  std::string_view name() const override { return "gp"; }
  void fit(const Training& train) override {
    train_ = train;
    law_->fit(train);
    learned_.clear();
    space_ = ConfigSpace(train);
  }

  std::vector<Prediction> predict(const Target& target) override {
    std::vector<Prediction> out = law_->predict(target);
    std::vector<Residual> points = probe_residuals(target);
    const auto k = static_cast<Eigen::Index>(points.size());
    for (const Prediction& p : out)
      points.push_back(place(target, p.limit_w));
    const Belief belief = conditioned(believed(learn(target), points), points, k);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto at = k + static_cast<Eigen::Index>(i);
      out[i].log_time += belief.mean(at, 0);
      out[i].log_power += belief.mean(at, 1);
      out[i].var_time = std::max(belief.covariance(at, at), 0.0) + kernel_.noise * kernel_.noise;
      out[i].var_power = out[i].var_time;
      out[i].cov = 0;
    }
    return out;
  }

 private:
  struct Learned {
    std::vector<Residual> residuals;
    Eigen::LLT<Eigen::MatrixXd> llt;
    Eigen::MatrixXd whitened;  ///< L^-1 of the residuals' time and power
  };

  /// Time and power residuals at some points; both have the same covariance.
  struct Belief {
    Eigen::MatrixXd mean;
    Eigen::MatrixXd covariance;
  };

  void factorise(Learned& learned) const {
    const auto n = static_cast<Eigen::Index>(learned.residuals.size());
    Eigen::MatrixXd k(n, n);
    Eigen::MatrixXd y(n, 2);
    for (Eigen::Index i = 0; i < n; ++i) {
      const Residual& a = learned.residuals[static_cast<std::size_t>(i)];
      for (Eigen::Index j = 0; j <= i; ++j) {
        k(i, j) = k(j, i) = covariance(kernel_, a, learned.residuals[static_cast<std::size_t>(j)]);
      }
      k(i, i) += kernel_.noise * kernel_.noise;
      y.row(i) << a.time, a.power;
    }
    learned.llt.compute(k);
    learned.whitened = learned.llt.matrixL().solve(y);
  }

  /// What the training residuals say about the points.
  [[nodiscard]] Belief believed(const Learned& learned, const std::vector<Residual>& points) const {
    const auto n = static_cast<Eigen::Index>(learned.residuals.size());
    const auto m = static_cast<Eigen::Index>(points.size());
    Belief belief{Eigen::MatrixXd::Zero(m, 2), Eigen::MatrixXd(m, m)};
    for (Eigen::Index i = 0; i < m; ++i) {
      for (Eigen::Index j = 0; j < m; ++j) {
        belief.covariance(i, j) = covariance(kernel_, points[static_cast<std::size_t>(i)],
                                             points[static_cast<std::size_t>(j)]);
      }
    }
    if (n == 0) return belief;
    Eigen::MatrixXd cross(n, m);
    for (Eigen::Index i = 0; i < n; ++i) {
      for (Eigen::Index j = 0; j < m; ++j) {
        cross(i, j) = covariance(kernel_, learned.residuals[static_cast<std::size_t>(i)],
                                 points[static_cast<std::size_t>(j)]);
      }
    }
    const Eigen::MatrixXd v = learned.llt.matrixL().solve(cross);
    belief.mean = v.transpose() * learned.whitened;
    belief.covariance -= v.transpose() * v;
    return belief;
  }

  /// The belief once the residuals of the first k points are known too.
  [[nodiscard]] Belief conditioned(Belief belief, const std::vector<Residual>& points,
                                   Eigen::Index k) const {
    if (k == 0) return belief;
    Eigen::MatrixXd seen = belief.covariance.topLeftCorner(k, k);
    seen.diagonal().array() += kernel_.noise * kernel_.noise;
    Eigen::MatrixXd news(k, 2);
    for (Eigen::Index i = 0; i < k; ++i) {
      news.row(i) << points[static_cast<std::size_t>(i)].time,
          points[static_cast<std::size_t>(i)].power;
    }
    news -= belief.mean.topRows(k);
    const Eigen::MatrixXd cross = belief.covariance.leftCols(k);
    const Eigen::LLT<Eigen::MatrixXd> llt(seen);
    belief.mean += cross * llt.solve(news);
    belief.covariance -= cross * llt.solve(cross.transpose());
    return belief;
  }

  [[nodiscard]] Residual place(const Target& target, double limit_w) const {
    const CurvePoint* base = base_of(target);
    const double power = base != nullptr ? base->log_power : std::log(target.range.highest_w);
    return {std::log(limit_w / target.range.highest_w),
            std::log(limit_w) - power,
            &target.probes.workload,
            &target,
            space_.place(target.probes.config),
            0,
            0};
  }

  /// The law's errors at the target's own probes.
  std::vector<Residual> probe_residuals(const Target& target) {
    std::vector<Residual> known;
    Target at_probes = target;
    at_probes.limits.clear();
    for (const CurvePoint& p : target.probes.points)
      at_probes.limits.push_back(p.limit_w);
    const auto predicted = law_->predict(at_probes);
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      Residual r = place(target, predicted[i].limit_w);
      r.time = target.probes.points[i].log_time - predicted[i].log_time;
      r.power = target.probes.points[i].log_power - predicted[i].log_power;
      known.push_back(r);
    }
    return known;
  }

  /// The law's errors on every training curve, predicted from probes like the target's with its
  /// workload left out.
  const Learned& learn(const Target& target) {
    std::vector<double> key{target.range.lowest_w, target.range.highest_w};
    for (const CurvePoint& p : target.probes.points)
      key.push_back(p.limit_w);
    const auto [at, added] = learned_.try_emplace({target.probes.gpu, key});
    if (!added) return at->second;
    constexpr std::size_t most_curves = 48;
    constexpr std::size_t most_limits = 10;
    std::map<std::string, std::unique_ptr<Method>> laws;
    for (const Neighbor& n : thinned(neighbors_of(train_, target), most_curves)) {
      if (n.points.size() < 3) continue;
      Target other = like(target, n);
      auto& law = laws[n.curve->workload];
      if (!law) {
        Training rest;
        std::copy_if(train_.begin(), train_.end(), std::back_inserter(rest),
                     [&](const Curve* c) { return c->workload != n.curve->workload; });
        law = make_physical(fits_);
        law->fit(rest);
      }
      const auto points = thinned(n.points, most_limits);
      for (const CurvePoint& p : points)
        other.limits.push_back(p.limit_w);
      const auto predicted = law->predict(other);
      for (std::size_t i = 0; i < points.size(); ++i) {
        Residual r = place(other, points[i].limit_w);
        r.workload = &n.curve->workload;
        r.curve = n.curve;
        r.time = points[i].log_time - predicted[i].log_time;
        r.power = points[i].log_power - predicted[i].log_power;
        at->second.residuals.push_back(r);
      }
    }
    factorise(at->second);
    return at->second;
  }

  /// The neighbour as a target that was probed where the real target was.
  static Target like(const Target& target, const Neighbor& n) {
    Target other;
    other.probes.gpu = target.probes.gpu;
    other.probes.workload = n.curve->workload;
    other.probes.config = n.curve->config;
    other.range = target.range;
    for (const CurvePoint& probe : target.probes.points) {
      const auto nearest =
          std::min_element(n.points.begin(), n.points.end(), [&](const auto& a, const auto& b) {
            return std::abs(a.limit_w - probe.limit_w) < std::abs(b.limit_w - probe.limit_w);
          });
      const bool again =
          !other.probes.points.empty() && other.probes.points.back().limit_w == nearest->limit_w;
      if (!again) other.probes.points.push_back(*nearest);
    }
    return other;
  }

  std::shared_ptr<CurveFits> fits_;
  Kernel kernel_;
  std::unique_ptr<Method> law_;
  Training train_;
  ConfigSpace space_;
  std::map<std::pair<std::string, std::vector<double>>, Learned> learned_;
};

}  // namespace

std::unique_ptr<Method> make_gaussian_process(std::shared_ptr<CurveFits> fits) {
  return std::make_unique<GaussianProcess>(std::move(fits));
}

}  // namespace ergo
