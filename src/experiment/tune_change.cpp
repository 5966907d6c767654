#include "experiment/tune_change.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace ergo::tune {

std::size_t change_in(const std::vector<Slice>& slices, const Pace& before, const Pace& after) {
  const auto off = [](const Slice& slice, const Pace& pace) {
    const double seconds = (slice.o.end - slice.o.begin).value();
    if (!slice.tells || !(slice.o.work > 0) || !(slice.o.joules > 0)) return 0.0;
    const double time = std::log(seconds / slice.o.work) - slice.beyond.log_time;
    const double power = std::log(slice.o.joules / seconds) - slice.beyond.log_power;
    return std::pow(time - pace.log_time, 2) + std::pow(power - pace.log_power, 2);
  };
  double cost = 0;  // of a cut before the first slice, less what all cuts have in common
  double least = 0;
  std::size_t cut = 0;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    cost += off(slices[i], before) - off(slices[i], after);
    if (cost >= least) continue;
    least = cost;
    cut = i + 1;
  }
  return cut;
}

namespace {

/// Of numbers: how many, their sum and the sum of their squares.
struct Scatter {
  double n = 0;
  double sum = 0;
  double squares = 0;

  void add(double x, double sign = 1) {
    n += sign;
    sum += sign * x;
    squares += sign * x * x;
  }
  [[nodiscard]] double around_mean() const { return n > 0 ? squares - sum * sum / n : 0; }
};

}  // namespace

std::optional<std::size_t> change_in(const std::vector<Slice>& slices) {
  std::array<Scatter, 2> left;  // of time and power
  std::array<Scatter, 2> right;
  const auto paces = [](const Slice& s) {
    const double seconds = (s.o.end - s.o.begin).value();
    return std::array{std::log(seconds / s.o.work) - s.beyond.log_time,
                      std::log(s.o.joules / seconds) - s.beyond.log_power};
  };
  const auto usable = [](const Slice& s) { return s.tells && s.o.work > 0 && s.o.joules > 0; };
  for (const Slice& slice : slices) {
    for (std::size_t i = 0; usable(slice) && i < 2; ++i)
      right[i].add(paces(slice)[i]);
  }
  const double whole = right[0].around_mean() + right[1].around_mean();
  double least = whole;
  std::optional<std::size_t> cut;
  for (std::size_t k = 0; k < slices.size(); ++k) {
    if (!usable(slices[k])) continue;
    for (std::size_t i = 0; i < 2; ++i) {
      left[i].add(paces(slices[k])[i]);
      right[i].add(paces(slices[k])[i], -1);
    }
    double scatter = 0;
    for (std::size_t i = 0; i < 2; ++i)
      scatter += left[i].around_mean() + right[i].around_mean();
    if (scatter >= least) continue;
    least = scatter;
    cut = k + 1;
  }
  // The largest of many chances: 4 standard errors at each of two quantities.
  const double spare = least / std::max(1.0, left[0].n + right[0].n - 4);
  constexpr double clear = 32;
  if (!(whole - least > clear * spare)) return std::nullopt;
  return cut;
}

}  // namespace ergo::tune
