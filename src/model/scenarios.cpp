#include "model/scenarios.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

namespace ergo {
namespace {

constexpr int scenario_count = 160;
constexpr double correlation_length = 0.35;  ///< in the logarithm of the limit
constexpr double repeat_sd = 0.01;           ///< a new measurement's own noise

/// Standard normals by Box and Muller: the standard library's distribution differs between
/// libraries.
class Normals {
 public:
  explicit Normals(std::uint64_t seed) : engine_(seed) {}
  double operator()() {
    const double u = (static_cast<double>(engine_() >> 11) + 0.5) * 0x1p-53;
    const double v = (static_cast<double>(engine_() >> 11) + 0.5) * 0x1p-53;
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace

double Scenarios::correlation(std::size_t a, std::size_t b) const {
  const double d = std::log(predictions_[a].limit_w / predictions_[b].limit_w) / correlation_length;
  return std::exp(-0.5 * d * d);
}

Scenarios::Scenarios(std::vector<Prediction> predictions, const Decision& decision,
                     std::uint64_t seed)
    : predictions_(std::move(predictions)), decision_(decision) {
  const std::size_t m = predictions_.size();
  const auto size = static_cast<Eigen::Index>(m);
  Eigen::MatrixXd k(size, size);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j)
      k(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = correlation(i, j);
  }
  k.diagonal().array() += 1e-6;
  const Eigen::MatrixXd root = k.llt().matrixL();
  Normals normal(seed);
  const auto draw = [&] {
    Eigen::VectorXd z(size);
    for (Eigen::Index i = 0; i < size; ++i)
      z[i] = normal();
    return Eigen::VectorXd(root * z);
  };
  for (int s = 0; s < scenario_count; ++s) {
    const Eigen::VectorXd time = draw();
    const Eigen::VectorXd other = draw();
    Curve curve;
    for (std::size_t i = 0; i < m; ++i) {
      const Prediction& p = predictions_[i];
      const double st = std::sqrt(p.var_time);
      const double sp = std::sqrt(p.var_power);
      const double rho = st * sp > 0 ? std::clamp(p.cov / (st * sp), -1.0, 1.0) : 0.0;
      const auto at = static_cast<Eigen::Index>(i);
      curve.log_time.push_back(p.log_time + st * time[at]);
      curve.log_power.push_back(p.log_power +
                                sp * (rho * time[at] + std::sqrt(1 - rho * rho) * other[at]));
    }
    curves_.push_back(std::move(curve));
  }
}

double Scenarios::cost(const Curve& truth, std::size_t choice) const {
  const std::size_t top = predictions_.size() - 1;
  const auto at = [&](std::size_t i) {
    Prediction exact;
    exact.log_time = truth.log_time[i];
    exact.log_power = truth.log_power[i];
    return std::exp(log_expected_cost(exact, decision_));
  };
  const double highest = at(top);
  const double relative = at(choice) / highest;
  const bool broken =
      decision_.max_slowdown && truth.log_time[choice] - truth.log_time[top] >
                                    std::log1p(decision_.caution.clearly * *decision_.max_slowdown);
  // A broken promise saves nothing: it will be taken back.
  return broken ? std::max(relative, 1.0) : relative;
}

double Scenarios::expected_loss(std::size_t choice) const {
  double loss = 0;
  for (const Curve& truth : curves_)
    loss += cost(truth, choice) - cost(truth, decide(known(truth), decision_));
  return loss / scenario_count;
}

std::vector<Prediction> Scenarios::known(const Curve& truth) const {
  std::vector<Prediction> out;
  for (std::size_t i = 0; i < predictions_.size(); ++i)
    out.push_back({predictions_[i].limit_w, truth.log_time[i], truth.log_power[i]});
  return out;
}

std::vector<Prediction> Scenarios::updated(const Curve& truth, std::size_t probe) const {
  std::vector<Prediction> out = predictions_;
  const Prediction& seen = predictions_[probe];
  const double time_sd = std::sqrt(seen.var_time + repeat_sd * repeat_sd);
  const double power_sd = std::sqrt(seen.var_power + repeat_sd * repeat_sd);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double r = correlation(i, probe);
    const double rt = r * std::sqrt(seen.var_time) / time_sd;
    const double rp = r * std::sqrt(seen.var_power) / power_sd;
    out[i].log_time +=
        rt * std::sqrt(out[i].var_time) / time_sd * (truth.log_time[probe] - seen.log_time);
    out[i].log_power +=
        rp * std::sqrt(out[i].var_power) / power_sd * (truth.log_power[probe] - seen.log_power);
    out[i].var_time *= 1 - rt * rt;
    out[i].var_power *= 1 - rp * rp;
    out[i].cov *= std::sqrt((1 - rt * rt) * (1 - rp * rp));
    if (out[i].slowdown) {
      out[i].slowdown->shift *= 1 - rt * rt;
      out[i].slowdown->variance *= 1 - rt * rt;
    }
  }
  return out;
}

double Scenarios::value_of_measuring(std::size_t probe) const {
  const std::size_t now = decide(predictions_, decision_);
  double gain = 0;
  for (const Curve& truth : curves_)
    gain += cost(truth, now) - cost(truth, decide(updated(truth, probe), decision_));
  return gain / scenario_count;
}

}  // namespace ergo
