#pragma once
// Cross-validation of prediction methods on complete sweeps.

#include "ergo/core/result.hpp"
#include "ergo/model/table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ergo {

struct Constants;

enum class LeaveOut { workload, config, gpu };

struct EvaluateOptions {
  LeaveOut leave_out = LeaveOut::workload;
  int probes = 1;                            ///< 0..3; see probe_limits
  std::vector<std::string> methods{"ergo"};  ///< names as in method_names()
  int threads = 0;                           ///< 0: one per CPU, at most one per domain
  const Constants* constants = nullptr;      ///< null: the built-in ones
};

struct DataSource {
  std::string name;  ///< usually the file
  SweepTable table;
};

/// Means over curves. Errors and regrets are fractions (0.05 is 5 %). Absent where nothing could be
/// scored (with no probe the scale of a curve is unknown; policies predict no curve).
struct Scores {
  std::size_t curves = 0;
  std::optional<double> time_mape;
  std::optional<double> energy_mape;
  std::optional<double> edp_mape;
  std::optional<double> energy_regret;
  std::optional<double> edp_regret;
  std::optional<double> slowdown_regret;  ///< of energy, at most 5 % slower than the default limit
  std::optional<double>
      violations;  ///< share of curves whose choice is more than 6 % slower in truth
  std::optional<double> worst_edp_regret;  ///< the largest of any curve
  std::optional<double> time_coverage;     ///< share of truths within the 95 % interval
  std::optional<double> energy_coverage;
  std::optional<double> edp_coverage;
};

struct CurveScores {
  std::string workload;
  std::string config;
  Scores scores;
};

struct DomainScores {
  std::string source;
  std::string gpu;
  Scores scores;
  std::vector<CurveScores> curves;
};

struct MethodScores {
  std::string method;
  Scores macro;  ///< mean over domains
  std::vector<DomainScores> domains;
};

/// The limits measured first, of a curve with these `limits` (ascending): 1: the highest. 2: and
/// the one nearest to 20 % of the range. 3: the highest, those nearest to 40 % and to 15 %. Fewer
/// where limits coincide. Ascending.
std::vector<double> probe_limits(const std::vector<double>& limits, int probes);

/// A domain is one GPU in one source. Whole workloads, configurations or GPUs are left out (with
/// every repeat); each repeat is a curve of its own; means are taken over configurations, then
/// workloads, then domains. Training curves are those of the same domain, or with LeaveOut::gpu
/// those of all other GPUs in all sources. Errors: invalid_argument.
Result<std::vector<MethodScores>> evaluate(const std::vector<DataSource>& sources,
                                           const EvaluateOptions& options);

}  // namespace ergo
