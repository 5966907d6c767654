#include "ergo/stats/fit.hpp"

#include "ergo/stats/student.hpp"
#include "ergo/stats/summary.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::stats {

std::optional<LineFit> fit_line(std::span<const double> x, std::span<const double> y) {
  const auto finite = [](double v) { return std::isfinite(v); };
  if (x.size() != y.size() || x.size() < 3 || !std::all_of(x.begin(), x.end(), finite) ||
      !std::all_of(y.begin(), y.end(), finite))
    return std::nullopt;
  const double x_mean = mean(x);
  const double y_mean = mean(y);
  double xx = 0;
  double xy = 0;
  double yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - x_mean) * (x[i] - x_mean);
    xy += (x[i] - x_mean) * (y[i] - y_mean);
    yy += (y[i] - y_mean) * (y[i] - y_mean);
  }
  if (!(xx > 0)) return std::nullopt;
  const double slope = xy / xx;
  const double intercept = y_mean - slope * x_mean;
  double residuals = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    // From the means: an intercept far away would cost digits.
    const double r = (y[i] - y_mean) - slope * (x[i] - x_mean);
    residuals += r * r;
  }
  const double n = static_cast<double>(x.size());
  const double variance = residuals / (n - 2);
  const double t = student_t_95(n - 2);
  const double slope_half = t * std::sqrt(variance / xx);
  const double intercept_half = t * std::sqrt(variance * (1 / n + x_mean * x_mean / xx));
  LineFit fit;
  fit.slope = {slope, slope - slope_half, slope + slope_half};
  fit.intercept = {intercept, intercept - intercept_half, intercept + intercept_half};
  fit.residual_deviation = std::sqrt(variance);
  fit.r_squared = yy > 0 ? 1 - residuals / yy : 1;
  fit.points = x.size();
  return fit;
}

}  // namespace ergo::stats
