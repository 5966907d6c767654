#include "ergo/core/parse.hpp"
#include "ergo/experiment/live.hpp"

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
/// A slope means nothing before this many observations.
constexpr std::size_t fewest_for_trend = 4;

/// Two-sided 95 % quantile of Student's t (Abramowitz and Stegun 26.7.5; under 0.1 % off from 3 on,
/// which is where it is used; 2 is exact).
double student_95(double freedom) {
  constexpr double z = 1.959963984540054;
  if (freedom <= 2) return 4.302652729911275;
  const double z2 = z * z;
  const double g1 = (z2 + 1) * z / 4;
  const double g2 = ((5 * z2 + 16) * z2 + 3) * z / 96;
  const double g3 = (((3 * z2 + 19) * z2 + 17) * z2 - 15) * z / 384;
  const double g4 = ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) * z / 92160;
  return z + (g1 + (g2 + (g3 + g4 / freedom) / freedom) / freedom) / freedom;
}

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

/// Slope of the amount of a cycle against its number, as far as it exceeds its standard error
/// (weighted least squares).
double CyclePredictor::trend_beyond_noise() const {
  if (observations_.size() < fewest_for_trend) return 0;
  double w = 0, wx = 0, wy = 0;
  for (const Observation& o : observations_) {
    w += o.cycles;
    wx += o.cycles * o.centre;
    wy += o.amount;
  }
  double sxx = 0, sxy = 0, syy = 0;
  for (const Observation& o : observations_) {
    const double dx = o.centre - wx / w;
    const double dy = o.amount / o.cycles - wy / w;
    sxx += o.cycles * dx * dx;
    sxy += o.cycles * dx * dy;
    syy += o.cycles * dy * dy;
  }
  if (sxx <= 0) return 0;
  const double slope = sxy / sxx;
  const double rest = std::max(0.0, syy - slope * sxy);
  const double error = std::sqrt(rest / (static_cast<double>(observations_.size()) - 2) / sxx);
  return std::max(0.0, std::abs(slope) - error);
}

std::optional<Estimate> CyclePredictor::sum_of(double cycles) const {
  if (observations_.empty()) return std::nullopt;
  const auto n = static_cast<double>(observations_.size());
  double total = 0, amount = 0, centre = 0;
  for (const Observation& o : observations_) {
    total += o.cycles;
    amount += o.amount;
    centre += o.cycles * o.centre;
  }
  const double mean = amount / total;
  centre /= total;
  double squares = prior_weight * (prior_variation * mean) * (prior_variation * mean) * total / n;
  for (const Observation& o : observations_) {
    const double off = o.amount / o.cycles - mean;
    squares += o.cycles * off * off;
  }
  const double freedom = prior_weight + n - 1;
  const double variance = squares / freedom * (cycles + cycles * cycles / total);
  const double drift = trend_beyond_noise() * (seen_ + cycles / 2 - centre) * cycles;
  const double half = student_95(freedom) * std::sqrt(variance) + drift;
  const double value = mean * cycles;
  return Estimate{value, std::max(0.0, value - half), value + half};
}

}  // namespace ergo
