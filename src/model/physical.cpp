#include "model/physical.hpp"

#include "model/methods.hpp"
#include "model/view.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ergo {

using physics::Belief;
using physics::Fit;
using physics::Matrix;
using physics::Observation;
using physics::Vector;

namespace {

std::vector<Observation> observations_of(const std::vector<CurvePoint>& points, double highest_w) {
  std::vector<Observation> observations;
  observations.reserve(points.size());
  for (const CurvePoint& p : points) {
    observations.push_back(
        {p.limit_w / highest_w, {p.log_time, p.log_power - std::log(highest_w)}});
  }
  return observations;
}

class Physical : public Method {
 public:
  explicit Physical(std::shared_ptr<CurveFits> fits) : fits_(std::move(fits)) {}

  std::string_view name() const override { return "physical"; }
  void fit(const Training& train) override {
    train_ = train;
    priors_.clear();
  }

  std::vector<Prediction> predict(const Target& target) override {
    const double highest = target.range.highest_w;
    const Belief& prior = prior_for(target);
    Fit found = physics::fit(prior, observations_of(target.probes.points, highest),
                             {std::hypot(law().noise, target.noise), law().noise});
    if (target.probes.points.empty()) {
      // Without a probe the prediction is relative to the highest limit: the scale is 0 by
      // definition.
      found.parameters[physics::log_time_scale] = 0.0;
      found.covariance.row(physics::log_time_scale).setZero();
      found.covariance.col(physics::log_time_scale).setZero();
      found.covariance(physics::log_time_scale, physics::log_time_scale) = 1e-12;
    }
    const Matrix root = found.covariance.llt().matrixL();
    std::vector<Prediction> out;
    for (double limit : target.limits)
      out.push_back(at(found, root, limit, highest));
    return out;
  }

 private:
  /// The most probable curve; its uncertainty is the mean square deviation from it over cubature
  /// points (Arasaratnam, Haykin, IEEE Trans. Automatic Control 54(6), 2009). Derivatives would not
  /// see a cliff that may begin nearby.
  static Prediction at(const Fit& found, const Matrix& root, double limit_w, double highest_w) {
    constexpr int points = 2 * physics::count;
    const auto value = physics::evaluate(found.parameters, limit_w / highest_w);
    Eigen::Matrix2d c = Eigen::Matrix2d::Zero();
    for (int i = 0; i < points; ++i) {
      const double spread = std::sqrt(static_cast<double>(physics::count)) * (i % 2 == 0 ? 1 : -1);
      const Vector moved = found.parameters + spread * root.col(i / 2);
      const auto other = physics::evaluate(moved, limit_w / highest_w);
      const Eigen::Vector2d d(other.log_time - value.log_time, other.log_power - value.log_power);
      c += d * d.transpose() / points;
    }
    return {limit_w,        value.log_time, value.log_power + std::log(highest_w),
            c(0, 0) + 4e-4, c(1, 1) + 4e-4, c(0, 1)};
  }

  /// The learned prior depends on the target's card and, where curves of its workload are known, on
  /// that and its configuration.
  const Belief& prior_for(const Target& target) {
    const bool known = std::any_of(train_.begin(), train_.end(), [&](const Curve* c) {
      return c->workload == target.probes.workload;
    });
    std::vector<std::string> key{target.probes.gpu};
    if (known) key.insert(key.end(), {target.probes.workload, target.probes.config});
    const auto [at, added] = priors_.try_emplace(std::move(key));
    if (added) at->second = learned_prior(target);
    return at->second;
  }

  /// The population's belief, moved to where the training curves' parameters lie (one step of
  /// expectation maximisation; workloads count equally).
  Belief learned_prior(const Target& target) {
    // Of a card that none of the curves is from, less is known.
    const bool foreign = std::none_of(train_.begin(), train_.end(),
                                      [&](const Curve* c) { return c->gpu == target.probes.gpu; });
    Belief prior = physics::population(law());
    std::map<std::string, double> highest;
    for (const Curve* curve : train_) {
      double& limit = highest[curve->gpu];
      limit = std::max(limit, curve->highest());
    }
    std::vector<std::pair<const Fit*, double>> fits;
    for (const Neighbor& n : neighbors_of(train_, target)) {
      if (n.points.size() < 3) continue;
      fits.emplace_back(&fits_->of(*n.curve, highest[n.curve->gpu]),
                        n.weight * (n.same_workload ? law().same_workload : 1.0));
    }
    if (fits.empty()) return prior;
    double total = 0.0;
    Vector mean = Vector::Zero();
    for (const auto& [fit, weight] : fits) {
      mean += weight * fit->parameters;
      total += weight;
    }
    const double belief_in_population =
        foreign ? law().foreign_mean : law().own_mean;  // in workloads
    mean = (mean + belief_in_population * prior.mean) / (total + belief_in_population);
    const double belief_in_spread = foreign ? law().foreign_spread : law().own_spread;
    Matrix spread = belief_in_spread * prior.covariance;
    for (const auto& [fit, weight] : fits) {
      const Vector d = fit->parameters - mean;
      spread += weight * (d * d.transpose() + fit->covariance);
    }
    spread /= total + belief_in_spread;
    // The time scale is the workload's own: nothing is known of it, and nothing follows from it.
    spread.row(0).setZero();
    spread.col(0).setZero();
    spread(0, 0) = 100.0;
    mean[0] = prior.mean[0];
    return {mean, spread};
  }

  [[nodiscard]] const Constants::Law& law() const { return fits_->constants().law; }

  std::shared_ptr<CurveFits> fits_;
  Training train_;
  std::map<std::vector<std::string>, Belief> priors_;  ///< by GPU, known workload, configuration
};

}  // namespace

const Fit& CurveFits::of(const Curve& curve, double highest_w) {
  const auto [at, added] = fits_.try_emplace({&curve, highest_w});
  if (added) {
    at->second = physics::fit(physics::population(constants_.law),
                              observations_of(condensed(curve.points, enough_limits), highest_w),
                              {constants_.law.noise, constants_.law.noise});
  }
  return at->second;
}

std::unique_ptr<Method> make_physical(std::shared_ptr<CurveFits> fits) {
  return std::make_unique<Physical>(std::move(fits));
}

}  // namespace ergo
