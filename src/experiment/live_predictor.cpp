#include "ergo/core/parse.hpp"
#include "ergo/experiment/live.hpp"
#include "ergo/stats/student.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace ergo {
namespace {

/// The prior on the scatter of cycles: so many observations, of this coefficient of variation.
constexpr double prior_weight = 2;
constexpr double prior_variation = 0.05;
/// And on the trend: standard deviation of its slope, relative to the mean, per cycle.
constexpr double prior_slope = 0.003;

}  // namespace

Result<Joules> parse_energy(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 8> units{{{"kWh", 3.6e6},
                                                                      {"MWh", 3.6e9},
                                                                      {"Wh", 3.6e3},
                                                                      {"mJ", 1e-3},
                                                                      {"kJ", 1e3},
                                                                      {"MJ", 1e6},
                                                                      {"GJ", 1e9},
                                                                      {"J", 1}}};
  const std::string_view whole = trim(text);
  std::string_view number = whole;
  double scale = 1;
  for (const auto& [unit, joules] : units) {
    if (!whole.ends_with(unit)) continue;
    number = trim(whole.substr(0, whole.size() - unit.size()));
    scale = joules;
    break;
  }
  const auto value = parse_double(number);
  if (!value || *value <= 0) {
    return Error{Errc::invalid_argument, fmt::format("'{}' is no energy", text),
                 "write a number with J, kJ, MJ, Wh or kWh: 500J, 1.5MJ, 2kWh"};
  }
  return Joules(*value * scale);
}

void CyclePredictor::add(double cycles, double amount) {
  if (calls_++ > 0) observations_.push_back({cycles, amount, seen_ + cycles / 2});
  seen_ += cycles;
}

/// Sums over the observations, weighted by their cycles.
struct CyclePredictor::Sums {
  double cycles = 0;
  double mean = 0;    ///< of a cycle
  double centre = 0;  ///< mean number of cycles before
  double sxx = 0, sxy = 0, syy = 0;
};

CyclePredictor::Sums CyclePredictor::sums() const {
  Sums s;
  double amount = 0;
  for (const Observation& o : observations_) {
    s.cycles += o.cycles;
    s.centre += o.cycles * o.centre;
    amount += o.amount;
  }
  s.mean = amount / s.cycles;
  s.centre /= s.cycles;
  for (const Observation& o : observations_) {
    const double dx = o.centre - s.centre;
    const double dy = o.amount / o.cycles - s.mean;
    s.sxx += o.cycles * dx * dx;
    s.sxy += o.cycles * dx * dy;
    s.syy += o.cycles * dy * dy;
  }
  return s;
}

std::optional<Estimate> CyclePredictor::sum_of(double cycles) const {
  if (observations_.empty()) return std::nullopt;
  const auto n = static_cast<double>(observations_.size());
  const Sums s = sums();
  const double scatter = prior_variation * s.mean;
  const double prior_squares = prior_weight * scatter * scatter * s.cycles / n;
  const double freedom = prior_weight + n - 1;
  double variance = (prior_squares + s.syy) / freedom;
  if (variance <= 0) return Estimate{s.mean * cycles, s.mean * cycles, s.mean * cycles};
  double slope = 0, slope_variance = 0;
  // The scatter is about the line, and the line depends on the scatter: twice is enough.
  for (int round = 0; round < 2; ++round) {
    const double prior = prior_slope * s.mean;
    slope_variance = 1 / (1 / (prior * prior) + s.sxx / variance);
    slope = s.sxy / variance * slope_variance;
    variance = (prior_squares + s.syy - 2 * slope * s.sxy + slope * slope * s.sxx) / freedom;
  }
  // Sum over the cycles to come of their distance from the centre of those seen. A trend goes on
  // for as long as it has been seen.
  const double goes_on = std::min(cycles, seen_);
  const double distance = (seen_ - s.centre + goes_on / 2) * goes_on +
                          (seen_ - s.centre + goes_on) * (cycles - goes_on);

  const double value = s.mean * cycles + slope * distance;
  const double half =
      stats::student_t_95(freedom) * std::sqrt(variance * (cycles + cycles * cycles / s.cycles) +
                                               distance * distance * slope_variance);
  return Estimate{std::max(0.0, value), std::max(0.0, value - half), value + half};
}

}  // namespace ergo
