// Two lines that meet: the search for the break point and what it says about it.

#include "ergo/stats/fit.hpp"
#include "ergo/stats/student.hpp"
#include "ergo/stats/summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace ergo::stats {
namespace {

struct Points {
  std::vector<double> x;  ///< rising
  std::vector<double> y;
};

Points sorted_points(std::span<const double> x, std::span<const double> y) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  Points points;
  for (const std::size_t i : order) {
    points.x.push_back(x[i]);
    points.y.push_back(y[i]);
  }
  return points;
}

/// The least squares for a given break point: y = level + below min(x - at, 0) + above max(x - at,
/// 0).
struct Joined {
  double level = 0.0;
  double below = 0.0;
  double above = 0.0;
  double squares = std::numeric_limits<double>::infinity();
  double below_variance = 0.0;  ///< of the slope, in units of the residual variance
  double above_variance = 0.0;
};

/// Slopes are uncoupled from each other but through the level: columns min(x-at,0) and max(x-at,0)
/// have no common non-zero rows, so the normal equations solve by hand.
Joined joined_at(const Points& p, double at) {
  double sb = 0, sbb = 0, sby = 0, sa = 0, saa = 0, say = 0, sy = 0;
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    const double d = p.x[i] - at;
    sy += p.y[i];
    if (d < 0) {
      sb += d;
      sbb += d * d;
      sby += d * p.y[i];
    } else {
      sa += d;
      saa += d * d;
      say += d * p.y[i];
    }
  }
  Joined fit;
  if (!(sbb > 0) || !(saa > 0)) return fit;
  const double n = static_cast<double>(p.x.size());
  const double information = n - sb * sb / sbb - sa * sa / saa;
  if (!(information > n * 1e-12)) return fit;
  fit.level = (sy - sb * sby / sbb - sa * say / saa) / information;
  fit.below = (sby - fit.level * sb) / sbb;
  fit.above = (say - fit.level * sa) / saa;
  fit.below_variance = 1 / sbb + (sb / sbb) * (sb / sbb) / information;
  fit.above_variance = 1 / saa + (sa / saa) * (sa / saa) / information;
  fit.squares = 0;
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    const double d = p.x[i] - at;
    const double r = p.y[i] - fit.level - (d < 0 ? fit.below : fit.above) * d;
    fit.squares += r * r;
  }
  return fit;
}

/// Sums from which the line through any stretch of points follows.
struct Sums {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  void add(double px, double py, double sign) {
    n += sign;
    x += sign * px;
    y += sign * py;
    xx += sign * px * px;
    xy += sign * px * py;
  }
  [[nodiscard]] bool line(double& intercept, double& slope) const {
    const double spread = n * xx - x * x;
    if (n < 2 || !(spread > 1e-12 * n * xx)) return false;
    slope = (n * xy - x * y) / spread;
    intercept = (y - slope * x) / n;
    return true;
  }
};

/// Where the lines through the points before and from each gap on meet within that gap.
std::vector<double> crossings(const Points& p) {
  // About the centre, so that sums of squares keep their digits.
  const double x0 = mean(p.x);
  const double y0 = mean(p.y);
  Sums before;
  Sums after;
  for (std::size_t i = 0; i < p.x.size(); ++i)
    after.add(p.x[i] - x0, p.y[i] - y0, 1);
  std::vector<double> found;
  for (std::size_t k = 0; k + 1 < p.x.size(); ++k) {
    before.add(p.x[k] - x0, p.y[k] - y0, 1);
    after.add(p.x[k] - x0, p.y[k] - y0, -1);
    double a1 = 0, b1 = 0, a2 = 0, b2 = 0;
    if (!before.line(a1, b1) || !after.line(a2, b2) || b1 == b2) continue;
    const double at = x0 + (a2 - a1) / (b1 - b2);
    if (at > p.x[k] && at < p.x[k + 1]) found.push_back(at);
  }
  return found;
}

/// The range of break points with at least two different x on each side, ends included.
std::pair<double, double> allowed(const Points& p) {
  const double first = *std::upper_bound(p.x.begin(), p.x.end(), p.x.front());
  const double last = *(std::lower_bound(p.x.begin(), p.x.end(), p.x.back()) - 1);
  return {first, last};
}

struct Best {
  double at = 0.0;
  Joined fit;
};

Best search(const Points& p) {
  const std::pair<double, double> range = allowed(p);
  Best best;
  const auto try_at = [&](double at) {
    if (at < range.first || at > range.second) return;
    const Joined fit = joined_at(p, at);
    if (fit.squares < best.fit.squares) best = {at, fit};
  };
  for (const double at : crossings(p))
    try_at(at);
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    if (i == 0 || p.x[i] != p.x[i - 1]) try_at(p.x[i]);
  }
  return best;
}

double straight_squares(const LineFit& line) {
  return line.residual_deviation * line.residual_deviation * static_cast<double>(line.points - 2);
}

/// The end of the interval on the side of `edge`: the outermost break point whose sum of squares is
/// at most `limit`. The profile may rise and fall, so it is looked for from outside.
double interval_end(const Points& p, double edge, double best, double limit) {
  constexpr int steps = 400;
  if (joined_at(p, edge).squares <= limit) return edge;
  double outside = edge;
  double inside = best;
  for (int i = 1; i < steps; ++i) {
    const double at = edge + (best - edge) * i / steps;
    if (joined_at(p, at).squares <= limit) {
      inside = at;
      break;
    }
    outside = at;
  }
  for (int i = 0; i < 60; ++i) {
    const double middle = (outside + inside) / 2;
    (joined_at(p, middle).squares <= limit ? inside : outside) = middle;
  }
  return inside;
}

/// How much better two lines are than one, as an F statistic for two more parameters.
double gain_of_break(double straight, double broken, double n) {
  if (broken <= 0) return straight > 0 ? std::numeric_limits<double>::infinity() : 0;
  return (straight - broken) / 2 / (broken / (n - 4));
}

double straight_p_value(const Points& p, double gain, const BreakOptions& options) {
  std::mt19937_64 random(options.seed);
  std::normal_distribution<double> noise;
  const double n = static_cast<double>(p.x.size());
  Points simulated{p.x, std::vector<double>(p.x.size())};
  int as_much = 0;
  for (int i = 0; i < options.simulations; ++i) {
    // The statistic does not change with the line itself nor with the scale: noise alone will do.
    for (double& y : simulated.y)
      y = noise(random);
    const auto straight = fit_line(simulated.x, simulated.y);
    const double one = gain_of_break(straight_squares(*straight), search(simulated).fit.squares, n);
    as_much += one >= gain ? 1 : 0;
  }
  return (1.0 + as_much) / (1.0 + options.simulations);
}

}  // namespace

std::optional<BrokenLineFit> fit_broken_line(std::span<const double> x, std::span<const double> y,
                                             const BreakOptions& options) {
  constexpr std::size_t fewest = 6;
  const auto line = fit_line(x, y);
  if (!line || x.size() < fewest) return std::nullopt;
  const Points p = sorted_points(x, y);
  std::vector<double> different = p.x;
  different.erase(std::unique(different.begin(), different.end()), different.end());
  if (different.size() < 4) return std::nullopt;
  const Best best = search(p);
  if (!std::isfinite(best.fit.squares)) return std::nullopt;
  const double n = static_cast<double>(p.x.size());
  const double variance = best.fit.squares / (n - 4);
  const double t = student_t_95(n - 4);
  const auto [first, last] = allowed(p);
  const double limit = best.fit.squares + variance * t * t;  // F(0.95; 1, m) is t squared
  BrokenLineFit fit;
  fit.at = {best.at, interval_end(p, first, best.at, limit), interval_end(p, last, best.at, limit)};
  fit.level = best.fit.level;
  const auto slope = [&](double value, double share) {
    const double half = t * std::sqrt(variance * share);
    return Estimate{value, value - half, value + half};
  };
  fit.slope_below = slope(best.fit.below, best.fit.below_variance);
  fit.slope_above = slope(best.fit.above, best.fit.above_variance);
  fit.residual_deviation = std::sqrt(variance);
  double squares = 0;
  const double middle = mean(p.y);
  for (const double v : p.y)
    squares += (v - middle) * (v - middle);
  fit.r_squared = squares > 0 ? 1 - best.fit.squares / squares : 1;
  fit.points = p.x.size();
  fit.p_straight =
      straight_p_value(p, gain_of_break(straight_squares(*line), best.fit.squares, n), options);
  return fit;
}

}  // namespace ergo::stats
