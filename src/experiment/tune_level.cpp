#include "experiment/tune_level.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::tune {
namespace {

/// Two windows that happen to agree are no proof of certainty: the scatter between windows under
/// one limit is taken to be about 0.5 % before any is seen, worth two observations.
constexpr double usual_scatter = 0.005;
constexpr double worth = 2;

/// Shares of the time from the first window to `last` that each window is nearest to.
std::vector<double> shares_of_time(const std::vector<const TuneWindow*>& windows, Instant last) {
  std::vector<double> shares;
  Instant from = windows.front()->begin;
  double whole = 0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    Instant to = std::max(last, windows[i]->end);
    if (i + 1 < windows.size())
      to = windows[i]->end + (windows[i + 1]->begin - windows[i]->end) * 0.5;
    shares.push_back(std::max((to - from).value(), 1e-9));
    whole += shares.back();
    from = to;
  }
  for (double& share : shares)
    share /= whole;
  return shares;
}

/// Moves the level to another temperature. Leakage makes static power, a quarter of the whole or
/// so, grow by about half a per cent per kelvin: before anything is seen, the slope is 0 give or
/// take 0.1 % per kelvin. Heat makes nothing better.
void to_temperature(const std::vector<const TuneWindow*>& windows,
                    const std::vector<double>& shares, double celsius,
                    double (*value)(const TuneWindow&), double (*error)(const TuneWindow&),
                    DefaultLevel& level) {
  constexpr double usual_slope = 0.001;
  double mean = 0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (!windows[i]->celsius) return;
    mean += shares[i] * *windows[i]->celsius;
  }
  double weights = 0;
  double x_mean = 0;
  double y_mean = 0;
  const auto weight_of = [&](const TuneWindow& w) {
    return 1 / (usual_scatter * usual_scatter / 4 + error(w) * error(w));
  };
  for (const TuneWindow* w : windows) {
    weights += weight_of(*w);
    x_mean += weight_of(*w) * *w->celsius;
    y_mean += weight_of(*w) * value(*w);
  }
  x_mean /= weights;
  y_mean /= weights;
  double xx = 1 / (usual_slope * usual_slope);
  double xy = 0;
  for (const TuneWindow* w : windows) {
    xx += weight_of(*w) * (*w->celsius - x_mean) * (*w->celsius - x_mean);
    xy += weight_of(*w) * (*w->celsius - x_mean) * (value(*w) - y_mean);
  }
  const double slope = std::max(0.0, xy / xx);
  const double warmer = celsius - mean;
  // The low end of a claim does not count on it.
  level.heat = std::max(0.0, slope * warmer);
  level.mean += level.heat;
  constexpr double sides = 1.96;
  level.heat_above = std::max(0.0, sides / std::sqrt(xx) * warmer);
}

}  // namespace

DefaultLevel default_level(const std::vector<const TuneWindow*>& windows, Instant last,
                           std::optional<double> celsius, double (*value)(const TuneWindow&),
                           double (*error)(const TuneWindow&)) {
  DefaultLevel level;
  const auto n = static_cast<double>(windows.size());
  const std::vector<double> shares = shares_of_time(windows, last);
  double own = 0;
  double squares = 0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    level.mean += shares[i] * value(*windows[i]);
    own += shares[i] * error(*windows[i]) * error(*windows[i]);
    squares += shares[i] * shares[i];
  }
  double scatter = worth * usual_scatter * usual_scatter;
  for (const TuneWindow* w : windows)
    scatter += std::pow(value(*w) - level.mean, 2);
  level.freedom = worth + n - 1;
  // What a window does not know about itself shows in the scatter, too, but not with few windows.
  level.se = std::sqrt(std::max(scatter / level.freedom, own) * squares);
  if (celsius) to_temperature(windows, shares, *celsius, value, error, level);
  return level;
}

}  // namespace ergo::tune
