// Permutation tests: all arrangements while they are few, else random ones.

#include "ergo/stats/difference.hpp"
#include "ergo/stats/summary.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

namespace ergo::stats {
namespace {

/// n over k, or the largest number when that is too small for it.
std::uint64_t choose(std::uint64_t n, std::uint64_t k) {
  k = std::min(k, n - k);
  double all = 1;
  for (std::uint64_t i = 1; i <= k; ++i)
    all = all * static_cast<double>(n - k + i) / static_cast<double>(i);
  constexpr double largest = 1e18;
  return all > largest ? std::numeric_limits<std::uint64_t>::max()
                       : static_cast<std::uint64_t>(std::llround(all));
}

/// Arrangements as far out as the observed one, and all.
struct Tally {
  double observed = 0.0;
  std::uint64_t as_far = 0;
  std::uint64_t all = 0;

  void add(double statistic) {
    // Sums in another order differ in their last bits and are the same arrangement's.
    const double rounding = 1e-12 * std::abs(observed);
    as_far += std::abs(statistic) >= std::abs(observed) - rounding ? 1 : 0;
    ++all;
  }
};

PermutationTest exact(const Tally& tally, double smallest) {
  return {static_cast<double>(tally.as_far) / static_cast<double>(tally.all), smallest, true};
}

PermutationTest sampled(const Tally& tally) {
  const double all = static_cast<double>(tally.all + 1);
  return {static_cast<double>(tally.as_far + 1) / all, 1 / all, false};
}

/// Every way to choose `left` of the values from `next` on.
void visit_sums(std::span<const double> values, std::size_t next, std::size_t left, double sum,
                const std::function<void(double)>& visit) {
  if (left == 0) {
    visit(sum);
    return;
  }
  for (std::size_t i = next; i + left <= values.size(); ++i)
    visit_sums(values, i + 1, left - 1, sum + values[i], visit);
}

}  // namespace

std::optional<PermutationTest> permutation_test(std::span<const double> a,
                                                std::span<const double> b,
                                                const PermutationOptions& options) {
  if (a.empty() || b.empty()) return std::nullopt;
  std::vector<double> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  // From the common mean: the difference of the means is then a multiple of the sum of one side.
  const double centre = mean(all);
  for (double& v : all)
    v -= centre;
  const auto sum_of_first = [&] {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      sum += all[i];
    return sum;
  };
  Tally tally;
  tally.observed = sum_of_first();
  const std::uint64_t arrangements = choose(all.size(), a.size());
  if (arrangements <= options.most) {
    visit_sums(all, 0, a.size(), 0.0, [&](double sum) { tally.add(sum); });
    const double mirrored = a.size() == b.size() ? 2 : 1;
    return exact(tally, mirrored / static_cast<double>(arrangements));
  }
  std::mt19937_64 random(options.seed);
  for (std::uint64_t i = 0; i < options.most; ++i) {
    for (std::size_t k = 0; k < a.size(); ++k)
      std::swap(all[k], all[std::uniform_int_distribution<std::size_t>(k, all.size() - 1)(random)]);
    tally.add(sum_of_first());
  }
  return sampled(tally);
}

std::optional<PermutationTest> paired_permutation_test(std::span<const double> a,
                                                       std::span<const double> b,
                                                       const PermutationOptions& options) {
  if (a.empty() || a.size() != b.size()) return std::nullopt;
  std::vector<double> differences;
  Tally tally;
  for (std::size_t i = 0; i < a.size(); ++i) {
    differences.push_back(b[i] - a[i]);
    tally.observed += differences.back();
  }
  constexpr std::size_t bits = 62;
  const bool few =
      differences.size() <= bits && (std::uint64_t{1} << differences.size()) <= options.most;
  const auto with_signs = [&](const std::function<bool(std::size_t)>& negative) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i)
      sum += negative(i) ? -differences[i] : differences[i];
    tally.add(sum);
  };
  if (few) {
    const std::uint64_t arrangements = std::uint64_t{1} << differences.size();
    for (std::uint64_t signs = 0; signs < arrangements; ++signs)
      with_signs([&](std::size_t i) { return (signs >> i & 1) != 0; });
    return exact(tally, 2 / static_cast<double>(arrangements));
  }
  std::mt19937_64 random(options.seed);
  for (std::uint64_t i = 0; i < options.most; ++i)
    with_signs([&](std::size_t) { return (random() & 1) != 0; });
  return sampled(tally);
}

}  // namespace ergo::stats
