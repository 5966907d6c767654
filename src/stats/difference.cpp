#include "ergo/stats/difference.hpp"

#include "ergo/stats/student.hpp"
#include "ergo/stats/summary.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ergo::stats {
namespace {

double variance(std::span<const double> values) {
  const double deviation = standard_deviation(values);
  return deviation * deviation;
}

/// Arrangements of Mann and Whitney's U = 0 … nm for n and m values, by their recurrence.
std::vector<double> rank_sum_counts(std::size_t n, std::size_t m) {
  // counts[j] holds f(i, j, ·) of the row i that is being made: f(i, j, u) = f(i-1, j, u - j) +
  // f(i, j-1, u).
  std::vector<std::vector<double>> counts(m + 1, std::vector<double>(n * m + 1, 0.0));
  for (auto& row : counts)
    row[0] = 1;
  for (std::size_t i = 1; i <= n; ++i) {
    std::fill(counts[0].begin() + 1, counts[0].end(), 0.0);
    for (std::size_t j = 1; j <= m; ++j) {
      std::vector<double> next = counts[j - 1];
      for (std::size_t u = j; u <= i * j; ++u)
        next[u] += counts[j][u - j];
      counts[j] = std::move(next);
    }
  }
  return counts[m];
}

/// The largest k for which P(U < k) <= 2.5 %: the k smallest and k largest differences fall away.
std::size_t differences_to_drop(std::size_t n, std::size_t m) {
  constexpr double tail = 0.025;
  constexpr std::size_t most_exact = 50;
  if (n > most_exact || m > most_exact) {
    const double mn = static_cast<double>(n) * static_cast<double>(m);
    const double spread = std::sqrt(mn * static_cast<double>(n + m + 1) / 12);
    const double k = mn / 2 - 0.5 + normal_quantile(tail) * spread;
    return k > 0 ? static_cast<std::size_t>(k) : 0;
  }
  const std::vector<double> counts = rank_sum_counts(n, m);
  double all = 0;
  for (const double c : counts)
    all += c;
  double below = 0;
  std::size_t k = 0;
  while (k < counts.size() && below + counts[k] <= tail * all)
    below += counts[k++];
  return k;
}

std::vector<double> logarithms(std::span<const double> values) {
  std::vector<double> logs;
  logs.reserve(values.size());
  for (const double v : values)
    logs.push_back(std::log(v));
  return logs;
}

}  // namespace

std::optional<Estimate> difference_of_means(std::span<const double> a, std::span<const double> b) {
  if (a.size() < 2 || b.size() < 2) return std::nullopt;
  const double difference = mean(b) - mean(a);
  const double va = variance(a) / static_cast<double>(a.size());
  const double vb = variance(b) / static_cast<double>(b.size());
  if (va + vb == 0) return Estimate{difference, difference, difference};
  const double freedom =
      (va + vb) * (va + vb) /
      (va * va / static_cast<double>(a.size() - 1) + vb * vb / static_cast<double>(b.size() - 1));
  const double half = student_t_95(freedom) * std::sqrt(va + vb);
  return Estimate{difference, difference - half, difference + half};
}

std::optional<Estimate> shift(std::span<const double> a, std::span<const double> b) {
  const std::size_t drop = a.empty() || b.empty() ? 0 : differences_to_drop(a.size(), b.size());
  if (drop == 0) return std::nullopt;
  std::vector<double> differences;
  differences.reserve(a.size() * b.size());
  for (const double x : a) {
    for (const double y : b)
      differences.push_back(y - x);
  }
  std::sort(differences.begin(), differences.end());
  return Estimate{median(differences), differences[drop - 1],
                  differences[differences.size() - drop]};
}

std::optional<Estimate> paired_difference(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size() || a.size() < 2) return std::nullopt;
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i)
    differences.push_back(b[i] - a[i]);
  const double n = static_cast<double>(a.size());
  const double middle = mean(differences);
  const double half = student_t_95(n - 1) * standard_deviation(differences) / std::sqrt(n);
  return Estimate{middle, middle - half, middle + half};
}

std::optional<RelativeDifference> relative_difference(std::span<const double> a,
                                                      std::span<const double> b, bool paired,
                                                      const PermutationOptions& options) {
  const auto positive = [](double v) { return v > 0 && std::isfinite(v); };
  if (!std::all_of(a.begin(), a.end(), positive) || !std::all_of(b.begin(), b.end(), positive))
    return std::nullopt;
  const std::vector<double> la = logarithms(a);
  const std::vector<double> lb = logarithms(b);
  const auto e = paired ? paired_difference(la, lb) : difference_of_means(la, lb);
  if (!e) return std::nullopt;
  const auto test =
      paired ? paired_permutation_test(la, lb, options) : permutation_test(la, lb, options);
  RelativeDifference result;
  result.change = {std::expm1(e->value), std::expm1(e->low), std::expm1(e->high)};
  result.test = *test;
  result.count_a = a.size();
  result.count_b = b.size();
  result.paired = paired;
  if (paired) {
    std::vector<double> differences;
    for (std::size_t i = 0; i < la.size(); ++i)
      differences.push_back(lb[i] - la[i]);
    result.log_deviation = standard_deviation(differences);
  } else {
    const double na = static_cast<double>(a.size() - 1);
    const double nb = static_cast<double>(b.size() - 1);
    result.log_deviation = std::sqrt(2 * (na * variance(la) + nb * variance(lb)) / (na + nb));
  }
  return result;
}

bool is_told(const RelativeDifference& difference) {
  constexpr double level = 0.05;
  // Equal values differ by rounding once they went through logarithms.
  constexpr double rounding = 1e-9;
  const bool excludes = difference.change.low > rounding || difference.change.high < -rounding;
  return excludes && (difference.test.p <= level || difference.test.smallest > level);
}

std::size_t pairs_for(const RelativeDifference& difference, double resolution) {
  constexpr std::size_t most = 1'000'000;
  const double ratio = 1 + difference.change.value;
  const auto half_width = [&](std::size_t n) {
    const double count = static_cast<double>(n);
    const double freedom = difference.paired ? count - 1 : 2 * count - 2;
    return ratio * student_t_95(freedom) * difference.log_deviation / std::sqrt(count);
  };
  std::size_t enough = 2;
  while (enough < most && half_width(enough) > resolution)
    enough *= 2;
  std::size_t too_few = enough / 2;
  while (too_few + 1 < enough) {
    const std::size_t middle = (too_few + enough) / 2;
    (half_width(middle) > resolution ? too_few : enough) = middle;
  }
  return std::max<std::size_t>(2, enough);
}

}  // namespace ergo::stats
