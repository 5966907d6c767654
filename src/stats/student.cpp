#include "ergo/stats/student.hpp"

#include <cmath>
#include <limits>

namespace ergo::stats {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Continued fraction of the incomplete beta function, by Lentz's method.
double beta_fraction(double a, double b, double x) {
  constexpr double smallest = 1e-300;
  constexpr double close = 1e-15;
  constexpr int most = 100'000;
  const auto nonzero = [](double v) { return std::abs(v) < smallest ? smallest : v; };
  double c = 1;
  double d = 1 / nonzero(1 - (a + b) * x / (a + 1));
  double fraction = d;
  for (int m = 1; m < most; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonzero(1 + even * d);
    c = nonzero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonzero(1 + odd * d);
    c = nonzero(1 + odd / c);
    fraction *= d * c;
    if (std::abs(d * c - 1) < close) break;
  }
  return fraction;
}

/// lgamma without the global sign that the C library writes to.
double log_gamma(double v) {
  int sign = 0;
  return ::lgamma_r(v, &sign);
}

/// I_x(a, b); `y` = 1 - x, given apart because it may be tiny.
double incomplete_beta(double a, double b, double x, double y) {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  const double factor =
      std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log(y));
  if (x < (a + 1) / (a + b + 2)) return factor * beta_fraction(a, b, x) / a;
  return 1 - factor * beta_fraction(b, a, y) / b;
}

/// P(T > t) for t >= 0.
double upper_tail(double t, double freedom) {
  const double squares = freedom + t * t;
  return incomplete_beta(freedom / 2, 0.5, freedom / squares, t * t / squares) / 2;
}

}  // namespace

double student_t_cdf(double t, double freedom) {
  if (!(freedom > 0) || std::isnan(t)) return nan;
  if (std::isinf(t)) return t > 0 ? 1 : 0;
  return t >= 0 ? 1 - upper_tail(t, freedom) : upper_tail(-t, freedom);
}

double student_t_quantile(double p, double freedom) {
  if (!(p > 0) || !(p < 1) || !(freedom > 0)) return nan;
  if (p == 0.5) return 0;
  const double tail = std::min(p, 1 - p);
  double high = 1;
  while (upper_tail(high, freedom) > tail && high < 1e300)
    high *= 2;
  double low = 0;
  // Halving to the last bit: robust for every freedom, and no caller needs it often.
  for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
    const double middle = low + (high - low) / 2;
    (upper_tail(middle, freedom) > tail ? low : high) = middle;
  }
  const double t = (low + high) / 2;
  return p < 0.5 ? -t : t;
}

double student_t_95(double freedom) {
  return student_t_quantile(0.975, freedom);
}

}  // namespace ergo::stats
