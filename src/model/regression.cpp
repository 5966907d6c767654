// Baselines: ordinary least squares on limit and power, and policies that need no prediction.

#include "ergo/model/decide.hpp"
#include "model/methods.hpp"
#include "model/view.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <map>

namespace ergo {
namespace {

/// Linear or quadratic in the limit and in the power at the highest limit, both as fractions of
/// that limit; the two outcomes are time and power relative to those at the highest limit.
class Polynomial : public Method {
 public:
  Polynomial(std::string name, int degree) : name_(std::move(name)), degree_(degree) {}

  std::string_view name() const override { return name_; }
  void fit(const Training& train) override { train_ = train; }

  std::vector<Prediction> predict(const Target& target) override {
    const auto neighbors = neighbors_of(train_, target);
    std::vector<Eigen::RowVectorXd> rows;
    std::vector<std::pair<double, double>> outcomes;
    for (const Neighbor& n : neighbors) {
      const CurvePoint& top = n.points.back();
      for (const CurvePoint& p : n.points) {
        rows.push_back(features(p.limit_w / target.range.highest_w,
                                std::exp(top.log_power) / target.range.highest_w));
        outcomes.emplace_back(std::exp(p.log_time - top.log_time),
                              std::exp(p.log_power - top.log_power));
      }
    }
    const CurvePoint* base = base_of(target);
    const double base_power =
        base != nullptr ? std::exp(base->log_power) : mean_top_power(neighbors);
    std::vector<Prediction> out;
    if (rows.empty()) {
      for (double limit : target.limits) {
        out.push_back(
            {limit, base != nullptr ? base->log_time : 0.0, std::log(base_power), 0.01, 0.01, 0});
      }
      return out;
    }
    const auto size = static_cast<Eigen::Index>(rows.size());
    Eigen::MatrixXd x(size, rows.front().size());
    Eigen::MatrixXd y(size, 2);
    for (Eigen::Index i = 0; i < size; ++i) {
      x.row(i) = rows[static_cast<std::size_t>(i)];
      y(i, 0) = outcomes[static_cast<std::size_t>(i)].first;
      y(i, 1) = outcomes[static_cast<std::size_t>(i)].second;
    }
    // Complete orthogonal: with few curves the columns may depend on each other.
    const Eigen::MatrixXd beta = x.completeOrthogonalDecomposition().solve(y);
    const Eigen::RowVectorXd spread =
        (x * beta - y).colwise().squaredNorm() / static_cast<double>(size);
    for (double limit : target.limits) {
      const Eigen::RowVectorXd value =
          features(limit / target.range.highest_w, base_power / target.range.highest_w) * beta;
      out.push_back(
          {limit, (base != nullptr ? base->log_time : 0.0) + std::log(std::max(value[0], 0.1)),
           std::log(base_power) + std::log(std::max(value[1], 0.05)), spread[0], spread[1], 0});
    }
    return out;
  }

 private:
  [[nodiscard]] Eigen::RowVectorXd features(double limit, double power) const {
    if (degree_ == 1) {
      Eigen::RowVectorXd f(3);
      f << 1, limit, power;
      return f;
    }
    Eigen::RowVectorXd f(6);
    f << 1, limit, power, limit * limit, power * power, limit * power;
    return f;
  }

  static double mean_top_power(const std::vector<Neighbor>& neighbors) {
    double sum = 0;
    double weight = 0;
    for (const Neighbor& n : neighbors) {
      sum += n.weight * std::exp(n.points.back().log_power);
      weight += n.weight;
    }
    return weight > 0 ? sum / weight : 1.0;
  }

  std::string name_;
  int degree_;
  Training train_;
};

double log_cost(const CurvePoint& p, Objective objective) {
  switch (objective) {
    case Objective::energy:
      return p.log_time + p.log_power;
    case Objective::edp:
      return 2 * p.log_time + p.log_power;
    case Objective::ed2p:
      return 3 * p.log_time + p.log_power;
    case Objective::time:
      return p.log_time;
  }
  return 0;
}

/// Every workload gets the limit that cost least, on average, over the training curves; its curve
/// is their mean shape.
class Constant : public Method {
 public:
  std::string_view name() const override { return "constant"; }
  void fit(const Training& train) override { train_ = train; }

  std::vector<Prediction> predict(const Target& target) override {
    const auto neighbors = neighbors_of(train_, target);
    const CurvePoint* base = base_of(target);
    std::vector<Prediction> out;
    for (double limit : target.limits) {
      double weight = 1e-12;
      double time = 0;
      double power = 0;
      for (const Neighbor& n : neighbors) {
        const auto p = interpolate(n.points, limit);
        if (!p) continue;
        weight += n.weight;
        time += n.weight * (p->log_time - n.points.back().log_time);
        power += n.weight * (p->log_power - n.points.back().log_power);
      }
      out.push_back({limit, (base != nullptr ? base->log_time : 0.0) + time / weight,
                     (base != nullptr ? base->log_power : 0.0) + power / weight, 0.01, 0.01, 0});
    }
    return out;
  }

  std::optional<double> choice(const Target& target, const Decision& decision) override {
    const auto neighbors = neighbors_of(train_, target);
    double best = *std::max_element(target.limits.begin(), target.limits.end());
    double best_cost = 1e300;
    for (double limit : target.limits) {
      double cost = 0;
      double weight = 0;
      double too_slow = 0;
      for (const Neighbor& n : neighbors) {
        const auto p = interpolate(n.points, limit);
        if (!p) continue;
        const double slowdown = p->log_time - n.points.back().log_time;
        if (decision.max_slowdown && slowdown > std::log1p(*decision.max_slowdown))
          too_slow += n.weight;
        double lowest = 1e300;
        for (const CurvePoint& q : n.points)
          lowest = std::min(lowest, log_cost(q, decision.objective));
        cost += n.weight * std::exp(log_cost(*p, decision.objective) - lowest);
        weight += n.weight;
      }
      // Under a limit for all, one workload in twenty may be slower than allowed.
      if (too_slow > 0.05 * weight) continue;
      if (weight > 0 && cost / weight < best_cost) {
        best_cost = cost / weight;
        best = limit;
      }
    }
    return best;
  }

 private:
  Training train_;
};

class NeverChange : public Method {
 public:
  std::string_view name() const override { return "default"; }
  void fit(const Training& /*train*/) override {}
  std::vector<Prediction> predict(const Target& target) override {
    const CurvePoint* base = base_of(target);
    std::vector<Prediction> out;
    for (double limit : target.limits) {
      out.push_back({limit, base != nullptr ? base->log_time : 0.0,
                     base != nullptr ? base->log_power : 0.0, 0.04, 0.04, 0});
    }
    return out;
  }
  std::optional<double> choice(const Target& target, const Decision& /*decision*/) override {
    return *std::max_element(target.limits.begin(), target.limits.end());
  }
};

}  // namespace

std::unique_ptr<Method> make_polynomial(std::string name, int degree) {
  return std::make_unique<Polynomial>(std::move(name), degree);
}
std::unique_ptr<Method> make_constant() {
  return std::make_unique<Constant>();
}
std::unique_ptr<Method> make_default_policy() {
  return std::make_unique<NeverChange>();
}

}  // namespace ergo
