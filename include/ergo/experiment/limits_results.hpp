#pragma once
// Sweeps over power limits on several GPUs -> what the best limit saves, how well it is predicted
// for a workload never seen, and how the GPUs compare. Nothing here is formatted.

#include "ergo/core/estimate.hpp"
#include "ergo/core/result.hpp"
#include "ergo/model/evaluate.hpp"
#include "ergo/model/table.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace ergo {

/// Medians over repeats under one limit. Joules of the GPU.
struct LimitPoint {
  double limit_w = 0.0;
  double time_s = 0.0;
  double energy_j = 0.0;
};

/// Predicted from two measured limits (the default and a low one) with the workload left out.
struct LimitBand {
  double limit_w = 0.0;
  Estimate time_s;
  Estimate energy_j;
};

/// One workload on one GPU. The highest limit is its default.
struct LimitCurve {
  std::string gpu;
  std::string workload;
  std::string config;
  std::vector<LimitPoint> points;  ///< ascending by limit
  std::vector<LimitBand> bands;    ///< empty where nothing could be predicted
  std::size_t best_energy = 0;     ///< into points
  std::size_t best_edp = 0;
  /// At its best limit no other GPU does the same work in less time and with less energy.
  bool on_front = false;

  [[nodiscard]] const LimitPoint& standard() const { return points.back(); }
  /// 1 - value / value under the default.
  [[nodiscard]] double energy_saving(std::size_t i) const;
  [[nodiscard]] double edp_saving(std::size_t i) const;
  [[nodiscard]] double slowdown(std::size_t i) const;
};

/// Leave-one-workload-out errors of one method on one GPU.
struct LimitErrors {
  std::string method;
  std::string gpu;
  Scores scores;
};

struct LimitsResults {
  std::vector<LimitCurve> curves;   ///< those with two limits or more
  std::vector<LimitErrors> errors;  ///< by method, then GPU; empty with fewer than three workloads
  int probes = 2;
};

/// Errors: not_supported when no workload was measured under two limits.
Result<LimitsResults> limits_results(const SweepTable& table);

}  // namespace ergo
