// The models of gpyjoules, the baseline: docs/developer/model.md has their formulas. One set of
// coefficients per GPU by ordinary least squares over the other workloads; a target is known by its
// run under the highest limit.

#include "model/methods.hpp"
#include "model/view.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

Eigen::VectorXd least_squares(const std::vector<Eigen::VectorXd>& rows,
                              const std::vector<double>& outcomes) {
  Eigen::MatrixXd x(static_cast<Eigen::Index>(rows.size()), rows.front().size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    x.row(static_cast<Eigen::Index>(i)) = rows[i].transpose();
  const Eigen::Map<const Eigen::VectorXd> y(outcomes.data(),
                                            static_cast<Eigen::Index>(outcomes.size()));
  return x.completeOrthogonalDecomposition().solve(y);
}

Eigen::VectorXd with(std::initializer_list<double> values) {
  Eigen::VectorXd v(static_cast<Eigen::Index>(values.size()));
  std::copy(values.begin(), values.end(), v.data());
  return v;
}

class Gpyjoules : public Method {
 public:
  std::string_view name() const override { return "gpyjoules"; }
  void fit(const Training& train) override { train_ = train; }

  std::vector<Prediction> predict(const Target& target) override {
    const CurvePoint* base = base_of(target);
    const double log_time = base != nullptr ? base->log_time : 0.0;
    const auto model = coefficients(target);
    const double highest = target.range.highest_w;
    const double u = base != nullptr ? std::exp(base->log_power) / highest : 0.7;
    std::vector<Prediction> out;
    for (double limit : target.limits) {
      const double f = model.clock_at(std::min(limit / u, highest));
      const double power =
          std::max(with({1, u * f * f * f, u * f * f, u * f}).dot(model.power), 0.0) +
          model.baseline_w;
      const double delay = with({1, 1 / f}).dot(model.delay);
      out.push_back({limit, log_time + std::log(std::max(delay, 0.05)),
                     std::log(std::max(power, 1.0)), 0.01, 0.01, 0});
    }
    return out;
  }

 private:
  struct Coefficients {
    Eigen::VectorXd clock = with({0, 1});
    Eigen::VectorXd power = with({0, 0, 0, 0});
    Eigen::VectorXd delay = with({1, 0});
    double highest_clock = 1.0;
    double baseline_w = 0.0;

    [[nodiscard]] double clock_at(double x) const {
      return std::clamp(with({1, x}).dot(clock), 0.05 * highest_clock, highest_clock);
    }
  };

  [[nodiscard]] Coefficients coefficients(const Target& target) const {
    Coefficients out;
    const double highest = target.range.highest_w;
    std::vector<Eigen::VectorXd> clock_rows, power_rows, delay_rows;
    std::vector<double> clocks, powers, delays;
    out.highest_clock = 0.0;
    const auto neighbors = neighbors_of(train_, target);
    const bool clocks_known = std::all_of(neighbors.begin(), neighbors.end(), [](const auto& n) {
      return std::all_of(n.points.begin(), n.points.end(),
                         [](const CurvePoint& p) { return p.clock_mhz.has_value(); });
    });
    for (const Neighbor& n : neighbors) {
      const CurvePoint& top = n.points.back();
      const double u = std::exp(top.log_power) / highest;
      if (n.curve->idle_w) out.baseline_w = *n.curve->idle_w;
      for (const CurvePoint& p : n.points) {
        // Without recorded clocks the clock is taken, relative to the highest, from the delay: work
        // goes at its pace. Recorded ones are in GHz, which keeps the columns of like size.
        const double f =
            clocks_known ? *p.clock_mhz / 1000 : std::min(std::exp(top.log_time - p.log_time), 1.0);
        clock_rows.push_back(with({1, std::min(p.limit_w / u, highest)}));
        clocks.push_back(f);
        power_rows.push_back(with({1, u * f * f * f, u * f * f, u * f}));
        powers.push_back(std::exp(p.log_power) - out.baseline_w);
        delay_rows.push_back(with({1, 1 / f}));
        delays.push_back(std::exp(p.log_time - top.log_time));
        out.highest_clock = std::max(out.highest_clock, f);
      }
    }
    if (clocks.empty()) {
      out.highest_clock = 1.0;
      out.power =
          with({std::exp(base_of(target) != nullptr ? base_of(target)->log_power : 0.0), 0, 0, 0});
      return out;
    }
    out.clock = least_squares(clock_rows, clocks);
    out.power = least_squares(power_rows, powers);
    out.delay = least_squares(delay_rows, delays);
    return out;
  }

  Training train_;
};

}  // namespace

std::unique_ptr<Method> make_gpyjoules() {
  return std::make_unique<Gpyjoules>();
}

}  // namespace ergo
