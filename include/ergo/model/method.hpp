#pragma once
// Ways to predict a curve from few of its points and the curves of other workloads.

#include "ergo/core/result.hpp"
#include "ergo/model/curve.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// What is believed of ln of the slowdown under one limit, beside ln of the time alone.
struct Slowdown {
  double shift = 0.0;     ///< what it is expected to exceed the predicted one by
  double variance = 0.0;  ///< about that
};

/// Time and mean power under one limit, as jointly normal logarithms (seconds, watts), so that
/// energy = time * power and EDP = energy * time have intervals that fit each other.
struct Prediction {
  double limit_w = 0.0;
  double log_time = 0.0;
  double log_power = 0.0;
  double var_time = 0.0;
  double var_power = 0.0;
  double cov = 0.0;
  // Half widths of the 95 % intervals over the standard deviations: errors have longer tails than
  // the normal's 1.96.
  double tail_time = 1.959964;
  double tail_energy = 1.959964;
  double tail_edp = 1.959964;
  /// For choices within a slowdown. Absent: no shift, the variance of ln of the time.
  std::optional<Slowdown> slowdown = {};

  [[nodiscard]] double log_energy() const { return log_time + log_power; }
  [[nodiscard]] double log_edp() const { return 2 * log_time + log_power; }
  [[nodiscard]] double var_energy() const { return var_time + var_power + 2 * cov; }
  [[nodiscard]] double var_edp() const { return 4 * var_time + var_power + 4 * cov; }
};

/// The curve to predict: its measured points and where to predict it.
struct Target {
  Curve probes;                ///< `points` are the only measurements known; may be empty
  LimitRange range;            ///< of its GPU
  std::vector<double> limits;  ///< watts, where predictions are wanted
  /// By how much the probes' times contradict physics (standard deviation of the logarithm).
  double noise = 0.0;
};

/// The curves a method may learn from.
using Training = std::vector<const Curve*>;

enum class Objective { energy, edp, ed2p, time };
struct Decision;

/// A method is fitted once to the training curves and then asked for any number of targets. With no
/// point measured a method predicts the shape only, relative to the highest limit (log_time = 0
/// there). Deterministic. Not thread-safe.
class Method {
 public:
  Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual ~Method() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  /// `train` may be empty; its curves must outlive the method and must not hold the target.
  virtual void fit(const Training& train) = 0;
  /// One prediction per target limit, in that order.
  [[nodiscard]] virtual std::vector<Prediction> predict(const Target& target) = 0;
  /// One of the target's limits (not empty), where the method does not leave the choice to
  /// `decide` with its predictions.
  [[nodiscard]] virtual std::optional<double> choice(const Target& /*target*/,
                                                     const Decision& /*decision*/) {
    return {};
  }
};

/// "ergo" (the default: the combination), its parts "physical", "nearest", "gp" and "shapes", and
/// the baselines "gpyjoules", "linear", "quadratic", "constant" (one limit per GPU), "default"
/// (never change the limit).
const std::vector<std::string>& method_names();

/// Errors: invalid_argument with the known names as the remedy.
Result<std::unique_ptr<Method>> make_method(std::string_view name);

}  // namespace ergo
