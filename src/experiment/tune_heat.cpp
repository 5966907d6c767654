#include "experiment/tune_heat.hpp"

#include <Eigen/Dense>

#include <array>
#include <cmath>
#include <limits>

namespace ergo::tune {
namespace {

constexpr double finest_s = 2;  ///< of points; temperature follows in tens of seconds
constexpr std::size_t fewest = 12;
constexpr double least_rise = 4;  ///< K between the coolest and the warmest point
/// What power does not explain of the temperature must be small beside what it does.
constexpr double unexplained = 0.2;

struct Body {
  double time_constant_s = 0;
  double kelvin_per_watt = 0;
};

/// First-order low pass of power, from its first value.
double step(double low, double watts, double seconds, double time_constant) {
  return watts + (low - watts) * std::exp(-seconds / time_constant);
}

}  // namespace

void HeatLog::add(const TuneObservation& o, std::size_t phase) {
  if (!o.celsius) return;
  const double seconds = (o.end - o.begin).value();
  if (points_.empty() || points_.back().seconds >= finest_s || points_.back().phase != phase)
    points_.push_back({0, 0, 0, phase});
  Point& p = points_.back();
  p.seconds += seconds;
  p.joules += o.joules;
  p.kelvin_seconds += *o.celsius * seconds;
}

void HeatLog::merge(std::size_t from, std::size_t to) {
  for (Point& p : points_) {
    if (p.phase == from) p.phase = to;
  }
}

std::vector<std::optional<double>> HeatLog::under_default(
    std::size_t phases, const std::function<std::optional<double>(std::size_t)>& default_w) const {
  std::vector<std::optional<double>> out(phases);
  if (points_.size() < fewest) return out;
  const auto n = static_cast<Eigen::Index>(points_.size());
  Eigen::VectorXd celsius(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const Point& p = points_[static_cast<std::size_t>(i)];
    celsius[i] = p.kelvin_seconds / p.seconds;
  }
  if (celsius.maxCoeff() - celsius.minCoeff() < least_rise) return out;

  // T = a + R low(t) + c exp(-t / tau): c is the heat of before the job.
  Body body;
  double least = std::numeric_limits<double>::max();
  constexpr double shortest_s = 5;
  constexpr double longest_s = 200;
  constexpr double finer = 1.15;
  for (double tau = shortest_s; tau < longest_s; tau *= finer) {
    Eigen::MatrixXd terms(n, 3);
    double low = points_.front().joules / points_.front().seconds;
    double t = 0;
    for (Eigen::Index i = 0; i < n; ++i) {
      const Point& p = points_[static_cast<std::size_t>(i)];
      // The middle of the point stands for all of it.
      low = step(low, p.joules / p.seconds, p.seconds / 2, tau);
      t += p.seconds / 2;
      terms.row(i) << 1, low, std::exp(-t / tau);
      low = step(low, p.joules / p.seconds, p.seconds / 2, tau);
      t += p.seconds / 2;
    }
    const Eigen::VectorXd fit = terms.colPivHouseholderQr().solve(celsius);
    const double left = (terms * fit - celsius).squaredNorm();
    if (!(left < least)) continue;
    least = left;
    body = {tau, fit[1]};
  }
  const double spread = (celsius.array() - celsius.mean()).matrix().squaredNorm();
  if (!(body.kelvin_per_watt > 0) || least > unexplained * spread) return out;

  // The difference of two low passes that start alike.
  std::vector<double> seconds(phases);
  std::vector<double> sums(phases);
  double warmer = 0;  // W, low pass of the power that was saved
  for (const Point& p : points_) {
    const double watts = p.joules / p.seconds;
    const double saved = default_w(p.phase).value_or(watts) - watts;
    warmer = step(warmer, saved, p.seconds, body.time_constant_s);
    seconds[p.phase] += p.seconds;
    sums[p.phase] += p.kelvin_seconds + body.kelvin_per_watt * warmer * p.seconds;
  }
  for (std::size_t i = 0; i < phases; ++i) {
    if (seconds[i] > 0) out[i] = sums[i] / seconds[i];
  }
  return out;
}

}  // namespace ergo::tune
