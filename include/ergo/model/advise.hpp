#pragma once
// `ergo advise` without its command line: which power limit to set, what it saves and costs, and
// how sure that is.

#include "ergo/core/estimate.hpp"
#include "ergo/core/result.hpp"
#include "ergo/model/method.hpp"
#include "ergo/model/table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ergo {

struct AdviseOptions {
  Objective objective = Objective::energy;
  std::optional<double> max_slowdown;  ///< 0.05: at most 5 % slower than under the default limit
  std::string method = "ergo";
  std::vector<double>
      limits;  ///< watts to choose from; empty: those that the table shows for the GPU
  /// Above this expected loss (a fraction of the cost under the default limit) there is no advice
  /// but a refusal.
  double acceptable_loss = 0.05;
};

/// One more measurement: where it would help most and by how much.
struct NextProbe {
  double limit_w = 0.0;
  double value =
      0.0;  ///< expected lowering of the cost, a fraction of the cost under the default limit
};

struct Advice {
  std::string gpu;
  std::string workload;
  std::string config;
  std::size_t measured = 0;      ///< limits
  double default_limit_w = 0.0;  ///< the highest limit that the table shows for the GPU
  std::optional<double>
      host_w;  ///< counted in energy, EDP and cost; absent: the table has no host energy
  std::optional<Error>
      refusal;  ///< set: what is not known, and what to measure; the fields below are then absent
  std::optional<double> limit_w;  ///< the advice
  bool limit_measured = false;    ///< the advised limit is one of the measured ones
  std::optional<Estimate>
      saving;  ///< of the objective, a fraction of its value under the default limit; may be < 0
  std::optional<Estimate> energy_saving;
  std::optional<Estimate> slowdown;  ///< a fraction: 0.02 is 2 % slower
  std::optional<Estimate> time_s;
  std::optional<Estimate> energy_j;  ///< of GPU and, where known, host
  double expected_loss =
      0.0;  ///< against knowing every limit exactly, a fraction of the cost under the default
  /// A measured limit to measure again: time fell with the limit there by more than noise explains.
  std::optional<double> repeat_w;
  std::optional<NextProbe> next;  ///< absent when no measurement is expected to help
};

/// One advice per (gpu, workload, config), in the table's order. Every other curve of the table
/// helps to predict it. Deterministic. Errors: invalid_argument.
Result<std::vector<Advice>> advise(const SweepTable& table, const AdviseOptions& options = {});

}  // namespace ergo
