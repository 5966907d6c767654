#include "experiment/tune_beat.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ergo::tune {
namespace {

// Faster beats than half the pace of the readings look like slower ones. As each reading is the
// mean over its step, what looks like a period of six steps or more is then damped to a fifth or
// less.
constexpr double fewest_steps = 6;
constexpr double strong = 0.08;  ///< root mean square over the mean
/// The same where the beat is known already: a limit flattens it.
constexpr double visible = 0.015;
constexpr double fewest_periods = 4;
constexpr double clear = 0.7;
constexpr Eigen::Index fewest_readings = 32;
constexpr Eigen::Index harmonics = 6;
// A fast beat, or what it looks like, is a harmonic of many a slow one: the first harmonics of a
// true one explain something, too.
constexpr Eigen::Index slow = 2;
constexpr double slow_share = 0.25;

/// The readings without mean and trend, and how well a period explains them.
class Explained {
 public:
  Explained(const std::vector<double>& watts, double step_s)
      : n_(static_cast<Eigen::Index>(watts.size())), step_s_(step_s), values_(n_) {
    Eigen::MatrixXd line(n_, 2);
    for (Eigen::Index i = 0; i < n_; ++i) {
      values_[i] = watts[static_cast<std::size_t>(i)];
      line.row(i) << 1, static_cast<double>(i);
    }
    mean_ = values_.mean();
    values_ -= line * line.colPivHouseholderQr().solve(values_);
    square_ = values_.squaredNorm();
  }

  /// Root mean square over the mean.
  [[nodiscard]] double scatter() const {
    return mean_ > 0 ? std::sqrt(square_ / static_cast<double>(n_)) / mean_ : 0;
  }
  [[nodiscard]] double length_s() const { return static_cast<double>(n_) * step_s_; }

  /// Share of the variance, adjusted for the number of terms.
  double operator()(double frequency, Eigen::Index most = harmonics) const {
    if (!(square_ > 0)) return 0;
    const double nyquist = 0.5 / step_s_;
    const auto count =
        std::clamp<Eigen::Index>(static_cast<Eigen::Index>(nyquist / frequency), 1, most);
    Eigen::MatrixXd terms(n_, 2 * count);
    for (Eigen::Index i = 0; i < n_; ++i) {
      for (Eigen::Index h = 0; h < count; ++h) {
        const double angle = 2 * std::numbers::pi * frequency * static_cast<double>(h + 1) *
                             static_cast<double>(i) * step_s_;
        terms(i, 2 * h) = std::cos(angle);
        terms(i, 2 * h + 1) = std::sin(angle);
      }
    }
    const Eigen::MatrixXd gram = terms.transpose() * terms;
    const Eigen::VectorXd right = terms.transpose() * values_;
    const double explained = right.dot(gram.ldlt().solve(right)) / square_;
    const auto free = static_cast<double>(n_ - 2 * count - 2);
    return 1 - (1 - explained) * static_cast<double>(n_ - 2) / free;
  }

  [[nodiscard]] Eigen::Index size() const { return n_; }

 private:
  Eigen::Index n_;
  double step_s_;
  Eigen::VectorXd values_;
  double mean_ = 0;
  double square_ = 0;
};

std::optional<Beat> find(const Explained& explained, double step_s, double shortest_s,
                         double longest_s, double least_slow) {
  const double low = std::max(1 / longest_s, fewest_periods / explained.length_s());
  const double high = std::min(1 / shortest_s, 1 / (fewest_steps * step_s));
  if (!(high > low)) return std::nullopt;
  // A peak is as wide as one over the length, that of its highest harmonic a sixth of it.
  const double step = 1 / (15 * explained.length_s());
  std::vector<double> shares;
  for (double f = low; f <= high; f += step)
    shares.push_back(explained(f));
  double best = *std::max_element(shares.begin(), shares.end());
  if (best < clear) return std::nullopt;
  // The highest peak that explains about as much: its multiples do, too.
  constexpr double as_much = 0.05;
  std::size_t at = shares.size();
  for (std::size_t i = 1; i + 1 < shares.size(); ++i) {
    const bool peak = shares[i] >= shares[i - 1] && shares[i] >= shares[i + 1];
    if (!peak || shares[i] < std::max(clear, best - as_much)) continue;
    if (explained(low + static_cast<double>(i) * step, slow) >= least_slow) at = i;
  }
  if (at == shares.size()) return std::nullopt;  // it grows towards an edge
  double frequency = low + static_cast<double>(at) * step;
  best = shares[at];
  for (double width = step / 2; width > step / 100; width /= 2) {
    for (const double f : {frequency - width, frequency + width}) {
      const double share = explained(f);
      if (share <= best) continue;
      best = share;
      frequency = f;
    }
  }
  // Cramer and Rao's bound for one sine in white noise (Rife, Boorstyn, IEEE Trans. Information
  // Theory 20(5), 1974), times two for what is neither.
  const double signal = best / std::max(1e-4, 1 - best);
  const double periods = frequency * explained.length_s();
  const double bound = std::sqrt(6.0) / (std::numbers::pi * periods *
                                         std::sqrt(signal * static_cast<double>(explained.size())));
  return Beat{1 / frequency, 2 * bound};
}

}  // namespace

std::optional<Beat> beat_of(const std::vector<double>& watts, double step_s) {
  if (static_cast<Eigen::Index>(watts.size()) < fewest_readings) return std::nullopt;
  const Explained explained(watts, step_s);
  if (explained.scatter() < strong) return std::nullopt;
  return find(explained, step_s, fewest_steps * step_s, explained.length_s() / fewest_periods,
              slow_share);
}

std::optional<Beat> beat_within(const std::vector<double>& watts, double step_s, double shortest_s,
                                double longest_s) {
  if (static_cast<Eigen::Index>(watts.size()) < fewest_readings) return std::nullopt;
  const Explained explained(watts, step_s);
  if (explained.scatter() < visible) return std::nullopt;
  return find(explained, step_s, shortest_s, longest_s, 0);
}

}  // namespace ergo::tune
