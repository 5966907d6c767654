#include "ergo/experiment/limits_results.hpp"

#include "ergo/model/curve.hpp"
#include "ergo/model/predict.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace ergo {
namespace {

constexpr int probe_count = 2;

LimitCurve points_of(const Curve& curve) {
  LimitCurve out;
  out.gpu = curve.gpu;
  out.workload = curve.workload;
  out.config = curve.config;
  for (const CurvePoint& p : curve.points)
    out.points.push_back({p.limit_w, std::exp(p.log_time), std::exp(p.log_time + p.log_power)});
  const auto least = [&](auto cost) {
    const auto best =
        std::min_element(out.points.begin(), out.points.end(),
                         [&](const auto& a, const auto& b) { return cost(a) < cost(b); });
    return static_cast<std::size_t>(best - out.points.begin());
  };
  out.best_energy = least([](const LimitPoint& p) { return p.energy_j; });
  out.best_edp = least([](const LimitPoint& p) { return p.energy_j * p.time_s; });
  return out;
}

/// The rows of this curve under the limits that a prediction would rest on.
SweepTable probes_of(const SweepTable& table, const LimitCurve& curve) {
  std::vector<double> limits;
  for (const LimitPoint& p : curve.points)
    limits.push_back(p.limit_w);
  const std::vector<double> probed = probe_limits(limits, probe_count);
  SweepTable rows;
  for (const SweepRow& row : table) {
    const bool mine =
        row.gpu == curve.gpu && row.workload == curve.workload && row.config == curve.config;
    const bool taken = std::any_of(probed.begin(), probed.end(), [&](double limit) {
      return std::abs(limit - row.power_limit_w) < 1e-6;
    });
    if (mine && taken) rows.push_back(row);
  }
  return rows;
}

void add_bands(LimitCurve& curve, const SweepTable& table) {
  SweepTable others;
  for (const SweepRow& row : table) {
    if (row.workload != curve.workload) others.push_back(row);
  }
  PredictOptions options;
  for (const LimitPoint& p : curve.points)
    options.limits.push_back(p.limit_w);
  const auto predicted = predict_table(others, probes_of(table, curve), options);
  if (!predicted) return;
  for (const PredictedRow& row : *predicted)
    curve.bands.push_back(
        {row.prediction.limit_w, time_of(row.prediction), energy_of(row.prediction)});
}

/// Which GPUs are worth their while for each workload.
void mark_fronts(std::vector<LimitCurve>& curves) {
  for (LimitCurve& curve : curves) {
    const LimitPoint& mine = curve.points[curve.best_energy];
    curve.on_front = std::none_of(curves.begin(), curves.end(), [&](const LimitCurve& other) {
      if (other.workload != curve.workload || other.config != curve.config) return false;
      const LimitPoint& theirs = other.points[other.best_energy];
      return theirs.time_s <= mine.time_s && theirs.energy_j <= mine.energy_j &&
             (theirs.time_s < mine.time_s || theirs.energy_j < mine.energy_j);
    });
  }
}

Result<std::vector<LimitErrors>> errors_of(const SweepTable& table) {
  std::vector<LimitErrors> errors;
  EvaluateOptions options;
  options.probes = probe_count;
  options.methods = {"ergo", "gpyjoules", "quadratic", "linear"};
  const auto methods = evaluate({{"study", table}}, options);
  if (!methods) return methods.error();
  for (const MethodScores& method : *methods) {
    for (const DomainScores& domain : method.domains)
      errors.push_back({method.method, domain.gpu, domain.scores});
  }
  return errors;
}

}  // namespace

double LimitCurve::energy_saving(std::size_t i) const {
  return 1 - points[i].energy_j / standard().energy_j;
}

double LimitCurve::edp_saving(std::size_t i) const {
  return 1 - points[i].energy_j * points[i].time_s / (standard().energy_j * standard().time_s);
}

double LimitCurve::slowdown(std::size_t i) const {
  return points[i].time_s / standard().time_s - 1;
}

Result<LimitsResults> limits_results(const SweepTable& table) {
  LimitsResults results;
  results.probes = probe_count;
  std::set<std::string> workloads;
  for (const Curve& curve : group_curves(table)) {
    if (curve.points.size() < 2) continue;
    results.curves.push_back(points_of(curve));
    workloads.insert(curve.workload);
  }
  if (results.curves.empty()) {
    return Error{Errc::not_supported, "nothing was measured under two power limits or more",
                 "ergo sweep --power-limits all -- COMMAND"};
  }
  for (LimitCurve& curve : results.curves) {
    if (curve.points.size() > 2) add_bands(curve, table);
  }
  mark_fronts(results.curves);
  if (workloads.size() < 3) return results;
  auto errors = errors_of(table);
  if (!errors) return errors.error();
  results.errors = std::move(*errors);
  return results;
}

}  // namespace ergo
