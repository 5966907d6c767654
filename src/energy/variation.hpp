#pragma once
// How much a sensor misses that looks at a load only part of the time. Internal to energy/.

#include <cstddef>
#include <optional>

namespace ergo::energy_detail {

/// Half mean squared differences between observations one and two steps apart (the first two points
/// of a variogram).
class Variogram {
 public:
  void add(double value);
  /// Forget what came before: the next value has no predecessor (after a gap).
  void cut();
  [[nodiscard]] std::size_t count() const { return n1_; }
  [[nodiscard]] double one() const {
    return n1_ == 0 ? 0.0 : 0.5 * sum1_ / static_cast<double>(n1_);
  }
  [[nodiscard]] double two() const {
    return n2_ == 0 ? 0.0 : 0.5 * sum2_ / static_cast<double>(n2_);
  }

 private:
  double last_ = 0.0;
  double before_ = 0.0;
  int held_ = 0;
  double sum1_ = 0.0;
  double sum2_ = 0.0;
  std::size_t n1_ = 0;
  std::size_t n2_ = 0;
};

/// What is observed, one value every `step` seconds: the mean of `looks` glimpses of `window`
/// seconds each, `period` seconds apart.
struct Observation {
  double window = 0.0;
  double step = 0.0;
  int looks = 1;
  double period = 0.0;
};

/// A load as a stationary process with covariance variance * exp(-|t| / correlation_time): the
/// simplest one that tells slow steps (seen almost whole) from fast bursts (seen by chance).
struct LoadModel {
  double variance = 0.0;          ///< W²
  double correlation_time = 1.0;  ///< s

  /// Variance of (mean over the middle `window` seconds) - (mean over all `period` seconds), W².
  [[nodiscard]] double miss_variance(double window, double period) const;
};

/// Fits the model to what was observed. Absent when nothing varied. `variance` (W²), where a power
/// signal shows it, is that of single glimpses: it keeps a periodic load from being taken for a
/// wild one.
std::optional<LoadModel> fit_load(const Variogram& seen, Observation how,
                                  std::optional<double> variance = std::nullopt);

}  // namespace ergo::energy_detail
