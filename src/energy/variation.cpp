#include "variation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace ergo::energy_detail {
namespace {

// Integrals of exp(-|s - t|) over a square of side x, and over two adjoining stretches a and b.
double square(double x) {
  return 2.0 * (x - 1.0 + std::exp(-x));
}
double adjoining(double a, double b) {
  return (1.0 - std::exp(-a)) * (1.0 - std::exp(-b));
}

/// Variogram at one and two steps of observations of a load of unit variance.
struct Unit {
  double one;
  double two;
};

Unit unit_variogram(const Observation& how, double tau) {
  const double x = std::max(how.window / tau, 1e-9);
  const double self = x < 1e-4 ? 1.0 : square(x) / (x * x);
  const double edge = x < 1e-4 ? 1.0 : (1.0 - std::exp(-x)) / x;
  // Covariance of two glimpses that begin `distance` seconds apart.
  const auto glimpses = [&](double distance) {
    return distance < how.window ? self : edge * edge * std::exp(-(distance / tau - x));
  };
  double at[3] = {0.0, 0.0, 0.0};
  for (int lag = 0; lag < 3; ++lag) {
    for (int i = 1 - how.looks; i < how.looks; ++i) {
      at[lag] += (how.looks - std::abs(i)) * glimpses(std::abs(lag * how.step + i * how.period));
    }
    at[lag] /= how.looks * how.looks;
  }
  return {at[0] - at[1], at[0] - at[2]};
}

}  // namespace

void Variogram::add(double value) {
  if (held_ >= 1) {
    sum1_ += (value - last_) * (value - last_);
    ++n1_;
  }
  if (held_ >= 2) {
    sum2_ += (value - before_) * (value - before_);
    ++n2_;
  }
  before_ = last_;
  last_ = value;
  held_ = std::min(held_ + 1, 2);
}

void Variogram::cut() {
  held_ = 0;
}

double LoadModel::miss_variance(double window, double period) const {
  if (window >= period) return 0.0;
  const double w = std::max(window / correlation_time, 1e-6);
  const double t = period / correlation_time;
  const double side = (t - w) / 2.0;
  const double own = w < 1e-4 ? 1.0 : square(w) / (w * w);
  const double all = square(t) / (t * t);
  const double both = (w < 1e-4 ? w * w + 2.0 * w * (1.0 - std::exp(-side))
                                : square(w) + 2.0 * adjoining(w, side)) /
                      (w * t);
  return variance * std::max(0.0, own + all - 2.0 * both);
}

std::optional<LoadModel> fit_load(const Variogram& seen, Observation how,
                                  std::optional<double> variance) {
  const double one = seen.one();
  if (one <= 0.0) return std::nullopt;
  // The ratio says how fast the load is; with few observations it errs, so lean to the fast side,
  // where more is missed.
  const double lean = 0.5 / std::sqrt(static_cast<double>(seen.count()));
  const double ratio = seen.two() > 0.0 ? one / seen.two() + lean : 1.0;
  double slow = how.step * 30.0;
  double fast = how.step / 30.0;
  const auto ratio_at = [&](double tau) {
    const Unit u = unit_variogram(how, tau);
    return u.one / u.two;
  };
  // Bisections on the logarithm. The ratio rises from slow to fast.
  for (int i = 0; i < 40; ++i) {
    const double tau = std::sqrt(slow * fast);
    (ratio_at(tau) < ratio ? slow : fast) = tau;
  }
  double tau = std::sqrt(slow * fast);
  if (variance && tau < how.step) {
    // Where the load is fast, a faster one must have a greater variance to be seen the same. Single
    // glimpses say little about it: leave them more room.
    const double most = (how.looks > 1 ? 1.2 : 1.5) * std::max(*variance, one);
    double low = tau;
    double high = how.step;
    for (int i = 0; i < 40 && one / unit_variogram(how, tau).one > most; ++i) {
      tau = std::sqrt(low * high);
      (one / unit_variogram(how, tau).one > most ? low : high) = tau;
      tau = high;
    }
  }
  return LoadModel{one / unit_variogram(how, tau).one, tau};
}

}  // namespace ergo::energy_detail
