#include "ergo/model/predict.hpp"

#include "ergo/core/csv.hpp"
#include "ergo/core/parse.hpp"
#include "model/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

/// What one more run under the same limit would differ by (standard deviation of the logarithm).
/// Median over public repeats of language models under power limits: 1.9 % of time, 0.9 % of power
/// (mean absolute).
constexpr double repeat_noise = 0.015;

Estimate estimate_of(double log_value, double variance, double tail) {
  const double half = half_width(variance, tail);
  return {std::exp(log_value), std::exp(log_value - half), std::exp(log_value + half)};
}

bool same_work(const Curve& a, const Curve& b) {
  return a.gpu == b.gpu && a.workload == b.workload && a.config == b.config;
}

std::vector<double> joined(std::vector<double> a, const std::vector<double>& b) {
  for (double limit : b) {
    const bool there =
        std::any_of(a.begin(), a.end(), [&](double x) { return std::abs(x - limit) < 1e-5; });
    if (!there) a.push_back(limit);
  }
  std::sort(a.begin(), a.end());
  return a;
}

}  // namespace

Estimate time_of(const Prediction& p) {
  return estimate_of(p.log_time, p.var_time, p.tail_time);
}
Estimate energy_of(const Prediction& p) {
  return estimate_of(p.log_energy(), p.var_energy(), p.tail_energy);
}
Estimate edp_of(const Prediction& p) {
  return estimate_of(p.log_edp(), p.var_edp(), p.tail_edp);
}

std::vector<Prediction> predict_curve(Method& method, const Target& target) {
  std::vector<Prediction> out = method.predict(target);
  for (Prediction& p : out) {
    const auto probe = target.probes.find(p.limit_w);
    if (!probe) continue;
    const CurvePoint& measured = target.probes.points[*probe];
    p = {p.limit_w,
         measured.log_time,
         measured.log_power,
         repeat_noise * repeat_noise,
         repeat_noise * repeat_noise / 4,
         0};
  }
  return out;
}

Result<std::vector<PredictedRow>> predict_table(const SweepTable& train, const SweepTable& probes,
                                                const PredictOptions& options) {
  auto method = make_method(options.method);
  if (!method) return method.error();
  const std::vector<Curve> known = group_curves(train);
  const std::vector<Curve> wanted = group_curves(probes);
  Training training;
  for (const Curve& curve : known) {
    const bool probed = std::any_of(wanted.begin(), wanted.end(),
                                    [&](const Curve& w) { return same_work(w, curve); });
    if (!probed) training.push_back(&curve);
  }
  (*method)->fit(training);
  std::vector<PredictedRow> rows;
  for (const Curve& curve : wanted) {
    const auto shown = joined(limits_of(known, curve.gpu), limits_of(wanted, curve.gpu));
    Target target{
        curve, {shown.front(), shown.back()}, options.limits.empty() ? shown : options.limits};
    std::sort(target.limits.begin(), target.limits.end());
    const bool known = std::any_of(training.begin(), training.end(),
                                   [&](const Curve* c) { return c->gpu == curve.gpu; });
    if (!known) {
      // Only the probes show this card: where its range ends, the question says.
      target.range.lowest_w = std::min(target.range.lowest_w, target.limits.front());
      target.range.highest_w = std::max(target.range.highest_w, target.limits.back());
    }
    for (const Prediction& p : predict_curve(**method, target))
      rows.push_back({curve.gpu, curve.workload, curve.config, p});
  }
  return rows;
}

std::string format_predictions(const std::vector<PredictedRow>& rows, const std::string& method) {
  std::string text =
      "gpu,workload,config,power_limit_w,time_s,time_low,time_high,energy_j,energy_low,energy_high,"
      "edp_js,edp_low,edp_high,method\n";
  for (const PredictedRow& row : rows) {
    const Estimate t = time_of(row.prediction);
    const Estimate e = energy_of(row.prediction);
    const Estimate d = edp_of(row.prediction);
    text += fmt::format(
        "{},{},{},{},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{}\n",
        csv_field(row.gpu), csv_field(row.workload), csv_field(row.config),
        shortest(row.prediction.limit_w), t.value, t.low, t.high, e.value, e.low, e.high, d.value,
        d.low, d.high, csv_field(method));
  }
  return text;
}

}  // namespace ergo
