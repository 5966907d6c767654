#include "ergo/stats/correlation.hpp"

#include "ergo/stats/summary.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ergo::stats {
namespace {

constexpr double z_95 = 1.959963984540054;

bool usable(std::span<const double> x, std::span<const double> y) {
  const auto finite = [](double v) { return std::isfinite(v); };
  return x.size() == y.size() && x.size() >= 3 && std::all_of(x.begin(), x.end(), finite) &&
         std::all_of(y.begin(), y.end(), finite);
}

bool varies(std::span<const double> values) {
  return std::any_of(values.begin(), values.end(), [&](double v) { return v != values.front(); });
}

/// Deviations from the mean, scaled to length one.
std::vector<double> standardised(std::span<const double> values) {
  // By the largest value first: squares of very large or small numbers would leave the range.
  double largest = 0;
  for (const double v : values)
    largest = std::max(largest, std::abs(v));
  std::vector<double> d;
  d.reserve(values.size());
  for (const double v : values)
    d.push_back(v / largest);
  const double centre = mean(d);
  double squares = 0;
  for (double& v : d) {
    v -= centre;
    squares += v * v;
  }
  for (double& v : d)
    v /= std::sqrt(squares);
  return d;
}

std::optional<double> coefficient(std::span<const double> x, std::span<const double> y) {
  if (!usable(x, y) || !varies(x) || !varies(y)) return std::nullopt;
  const std::vector<double> a = standardised(x);
  const std::vector<double> b = standardised(y);
  const double r = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  if (!std::isfinite(r)) return std::nullopt;  // it varies by less than a double can tell
  return std::clamp(r, -1.0, 1.0);
}

Estimate with_interval(double r, double variance) {
  const double half = z_95 * std::sqrt(variance);
  return {r, std::tanh(std::atanh(r) - half), std::tanh(std::atanh(r) + half)};
}

}  // namespace

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first + 1;
    while (end < order.size() && values[order[end]] == values[order[first]])
      ++end;
    const double rank = static_cast<double>(first + 1 + end) / 2.0;
    for (; first < end; ++first)
      ranks[order[first]] = rank;
  }
  return ranks;
}

std::optional<Estimate> pearson(std::span<const double> x, std::span<const double> y) {
  const auto r = coefficient(x, y);
  if (!r) return std::nullopt;
  if (x.size() == 3) return Estimate{*r, -1, 1};
  return with_interval(*r, 1.0 / static_cast<double>(x.size() - 3));
}

std::optional<Estimate> spearman(std::span<const double> x, std::span<const double> y) {
  if (!usable(x, y)) return std::nullopt;
  const auto rho = coefficient(average_ranks(x), average_ranks(y));
  if (!rho) return std::nullopt;
  if (x.size() == 3) return Estimate{*rho, -1, 1};
  const double n = static_cast<double>(x.size());
  const double largest = 1.0 - 12.0 / (n * n * n - n);
  const double r = std::clamp(*rho, -largest, largest);
  const Estimate e = with_interval(r, (1.0 + r * r / 2.0) / (n - 3.0));
  return Estimate{*rho, *rho < -largest ? -1 : e.low, *rho > largest ? 1 : e.high};
}

}  // namespace ergo::stats
