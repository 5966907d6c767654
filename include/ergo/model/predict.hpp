#pragma once
// `ergo predict` without its command line: tables in, rows out.

#include "ergo/core/estimate.hpp"
#include "ergo/core/result.hpp"
#include "ergo/model/method.hpp"
#include "ergo/model/table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ergo {

/// Value and 95 % interval of what a prediction implies. Seconds, joules, joule-seconds.
Estimate time_of(const Prediction& prediction);
Estimate energy_of(const Prediction& prediction);
Estimate edp_of(const Prediction& prediction);

/// The method's predictions; under limits that were probed, what was measured there.
std::vector<Prediction> predict_curve(Method& method, const Target& target);

struct PredictOptions {
  std::vector<double> limits;  ///< watts; empty: every limit that either table shows for the GPU
  std::string method = "ergo";
};

struct PredictedRow {
  std::string gpu;
  std::string workload;
  std::string config;
  Prediction prediction;
};

/// For each (gpu, workload, config) of `probes`, in order, every limit, ascending. Rows of `train`
/// (may be empty) about a probed (gpu, workload, config) are not used: its probes are all that is
/// known of it. The highest limit that the tables show for a GPU is taken for its default; of a GPU
/// that only the probes show, that of `options.limits` if it is higher. Errors: invalid_argument.
Result<std::vector<PredictedRow>> predict_table(const SweepTable& train, const SweepTable& probes,
                                                const PredictOptions& options = {});

/// CSV:
/// gpu,workload,config,power_limit_w,time_s,time_low,time_high,energy_j,energy_low,energy_high,edp_js,edp_low,
/// edp_high,method.
std::string format_predictions(const std::vector<PredictedRow>& rows, const std::string& method);

}  // namespace ergo
