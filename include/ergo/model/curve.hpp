#pragma once
// Sweeps as curves: time and mean power of one fixed piece of work as functions of the power limit.

#include "ergo/model/table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ergo {

/// One limit of a curve. Natural logarithms of seconds and of watts (mean power = energy / time).
struct CurvePoint {
  double limit_w = 0.0;
  double log_time = 0.0;
  double log_power = 0.0;
  std::optional<double> clock_mhz = {};  ///< mean graphics clock
};

/// What one (gpu, workload, config) costs under each limit, ascending by limit, one point a limit.
struct Curve {
  std::string gpu;
  std::string workload;
  std::string config;
  std::vector<CurvePoint> points;
  std::optional<double> idle_w;
  std::optional<double> host_w;  ///< mean power of the host during the work

  /// The index of the limit (within 1e-6 of it), if the curve has it.
  [[nodiscard]] std::optional<std::size_t> find(double limit_w) const;
  [[nodiscard]] double lowest() const { return points.front().limit_w; }
  [[nodiscard]] double highest() const { return points.back().limit_w; }
};

enum class Repeats {
  merged,  ///< one curve per (gpu, workload, config): medians over the rows of a limit
  apart    ///< one curve per (gpu, workload, config, repeat)
};

/// Curves in the order in which their first rows stand in the table.
std::vector<Curve> group_curves(const SweepTable& table, Repeats repeats = Repeats::merged);

/// The range of limits of one GPU. `highest_w` is its default limit: what a card is sold with.
struct LimitRange {
  double lowest_w = 0.0;
  double highest_w = 0.0;
};

/// Every limit that any row of the GPU shows, ascending.
std::vector<double> limits_of(const std::vector<Curve>& curves, const std::string& gpu);

}  // namespace ergo
