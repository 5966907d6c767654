#include "ergo/model/advise.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/model/decide.hpp"
#include "ergo/model/predict.hpp"
#include "model/calibration.hpp"
#include "model/plausible.hpp"
#include "model/scenarios.hpp"
#include "model/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

/// A probe that is expected to save less than this fraction of the cost is not worth proposing.
constexpr double least_value = 0.002;

/// The logarithm of one quantity under the choice over that under the default limit, with its
/// interval.
struct Ratio {
  double log_value = 0.0;
  double half = 0.0;

  /// As 1 - ratio, a saving.
  [[nodiscard]] Estimate saving() const {
    return {1 - std::exp(log_value), 1 - std::exp(log_value + half),
            1 - std::exp(log_value - half)};
  }
  /// As ratio - 1, an increase.
  [[nodiscard]] Estimate increase() const {
    return {std::exp(log_value) - 1, std::exp(log_value - half) - 1,
            std::exp(log_value + half) - 1};
  }
};

/// Cost of `kind` at a prediction, host included: ln of the value, its variance and tail.
struct LogCost {
  double value = 0.0;
  double variance = 0.0;
  double tail = 1.959964;
};

LogCost log_cost(const Prediction& p, Objective kind, double host_w) {
  const double gpu = std::exp(p.log_power);
  const double share = gpu / (gpu + host_w);
  if (kind == Objective::time) return {p.log_time, p.var_time, p.tail_time};
  const double k = kind == Objective::energy ? 1 : kind == Objective::edp ? 2 : 3;
  return {k * p.log_time + std::log(gpu + host_w),
          std::max(k * k * p.var_time + share * share * p.var_power + 2 * k * share * p.cov, 0.0),
          kind == Objective::energy ? p.tail_energy : p.tail_edp};
}

Ratio ratio(const Prediction& choice, const Prediction& top, Objective kind, double host_w) {
  if (choice.limit_w == top.limit_w) return {};
  const LogCost a = log_cost(choice, kind, host_w);
  const LogCost b = log_cost(top, kind, host_w);
  return {a.value - b.value,
          std::hypot(half_width(a.variance, a.tail), half_width(b.variance, b.tail))};
}

Estimate absolute(const LogCost& c) {
  const double half = half_width(c.variance, c.tail);
  return {std::exp(c.value), std::exp(c.value - half), std::exp(c.value + half)};
}

std::optional<NextProbe> best_probe(const Scenarios& scenarios,
                                    const std::vector<Prediction>& predictions,
                                    const Curve& measured) {
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    if (!measured.find(predictions[i].limit_w)) candidates.push_back(i);
  }
  constexpr std::size_t most_candidates = 12;
  std::optional<NextProbe> best;
  for (std::size_t i : thinned(candidates, most_candidates)) {
    const double value = scenarios.value_of_measuring(i);
    if (value > least_value && (!best || value > best->value))
      best = NextProbe{predictions[i].limit_w, value};
  }
  return best;
}

/// The limits to choose from: those asked for below the default, and the default.
std::vector<double> candidates(const std::vector<double>& shown,
                               const std::vector<double>& wanted) {
  if (wanted.empty()) return shown;
  std::vector<double> limits{shown.back()};
  for (double limit : wanted) {
    if (limit < shown.back() && limit > 0) limits.push_back(limit);
  }
  std::sort(limits.begin(), limits.end());
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
  return limits;
}

/// What is missing before anything can be said about this curve.
std::optional<Error> missing_measurement(const Curve& curve, const std::vector<double>& limits,
                                         const AdviseOptions& options) {
  const double top = limits.back();
  if (!curve.find(top)) {
    return Error{
        Errc::unavailable,
        fmt::format("not measured under the default limit of {} W, which savings are relative to",
                    shortest(top)),
        fmt::format("measure it under {} W", shortest(top))};
  }
  if (limits.size() < 2 && !options.limits.empty()) {
    return Error{Errc::unavailable,
                 fmt::format("none of the limits to choose from is below the default of {} W",
                             shortest(top)),
                 "name lower limits, or none: then those in the data"};
  }
  if (limits.size() < 2) {
    return Error{
        Errc::unavailable,
        fmt::format("{} W is the only limit that the table shows for this GPU", shortest(top)),
        "measure any workload under a lower limit, best the lowest that the card accepts"};
  }
  return {};
}

Error too_uncertain(const Advice& advice, const std::vector<Prediction>& predictions,
                    const Curve& curve) {
  // The rule of thumb for a second measurement: 20 % of the range above its low end.
  const double low = predictions.front().limit_w;
  const double wanted = low + 0.2 * (predictions.back().limit_w - low);
  double fallback = low;
  for (const Prediction& p : predictions) {
    if (curve.find(p.limit_w)) continue;
    if (curve.find(fallback) || std::abs(p.limit_w - wanted) < std::abs(fallback - wanted))
      fallback = p.limit_w;
  }
  const double limit = advice.next ? advice.next->limit_w : fallback;
  return {Errc::unavailable,
          fmt::format("{} measured limit{} leave{} the best limit unknown: any choice is expected "
                      "to cost {:.1f} % more than the best one",
                      curve.points.size(), curve.points.size() == 1 ? "" : "s",
                      curve.points.size() == 1 ? "s" : "", advice.expected_loss * 100),
          fmt::format("measure it under {} W", shortest(limit))};
}

/// The measured limit whose time lies furthest above what physics allows, beyond noise of runs.
std::optional<double> doubtful(const Curve& curve) {
  constexpr double explained = 0.04;  // two standard deviations of the difference of two runs
  const Target possible = plausible({curve, {}, {}});
  std::optional<double> limit;
  double most = explained;
  for (std::size_t i = 0; i < curve.points.size(); ++i) {
    const double above = 2 * (curve.points[i].log_time - possible.probes.points[i].log_time);
    if (above <= most) continue;
    most = above;
    limit = curve.points[i].limit_w;
  }
  return limit;
}

/// What was measured counts as exact here: the loss is that of not having measured the other
/// limits.
std::vector<Prediction> taken_as_known(std::vector<Prediction> predictions, const Curve& measured) {
  for (Prediction& p : predictions) {
    if (measured.find(p.limit_w)) p.var_time = p.var_power = p.cov = 0;
  }
  return predictions;
}

/// The method's own choice, or that of the least expected cost.
std::size_t choose(Method& method, const Target& target, const std::vector<Prediction>& predictions,
                   const Decision& decision) {
  const auto own = method.choice(target, decision);
  if (!own) return decide(predictions, decision);
  const auto at = std::find(target.limits.begin(), target.limits.end(), *own);
  return static_cast<std::size_t>(at - target.limits.begin());
}

Advice advice_for(const Curve& curve, Method& method, const std::vector<double>& shown,
                  const AdviseOptions& options) {
  const std::vector<double> limits = candidates(shown, options.limits);
  Advice advice;
  advice.gpu = curve.gpu;
  advice.workload = curve.workload;
  advice.config = curve.config;
  advice.measured = curve.points.size();
  advice.default_limit_w = limits.back();
  advice.host_w = curve.host_w;
  advice.refusal = missing_measurement(curve, limits, options);
  if (advice.refusal) return advice;
  advice.repeat_w = doubtful(curve);

  const double host_w = curve.host_w.value_or(0.0);
  const Decision decision{options.objective, options.max_slowdown, host_w, judged_by_runs};
  const Target target{curve, {std::min(shown.front(), limits.front()), limits.back()}, limits};
  const auto predictions = predict_curve(method, target);
  const auto known = taken_as_known(predictions, curve);
  const std::size_t choice = choose(method, target, known, decision);
  const Scenarios scenarios(known, decision, 1);
  advice.expected_loss = scenarios.expected_loss(choice);
  advice.next = best_probe(scenarios, predictions, curve);
  if (advice.expected_loss > options.acceptable_loss) {
    advice.refusal = too_uncertain(advice, predictions, curve);
    return advice;
  }
  const Prediction& chosen = predictions[choice];
  const Prediction& top = predictions.back();
  advice.limit_w = chosen.limit_w;
  advice.limit_measured = curve.find(chosen.limit_w).has_value();
  advice.saving = ratio(chosen, top, options.objective, host_w).saving();
  advice.energy_saving = ratio(chosen, top, Objective::energy, host_w).saving();
  advice.slowdown = ratio(chosen, top, Objective::time, host_w).increase();
  advice.time_s = absolute(log_cost(chosen, Objective::time, host_w));
  advice.energy_j = absolute(log_cost(chosen, Objective::energy, host_w));
  return advice;
}

}  // namespace

Result<std::vector<Advice>> advise(const SweepTable& table, const AdviseOptions& options) {
  auto method = make_method(options.method);
  if (!method) return method.error();
  if (options.max_slowdown && *options.max_slowdown < 0) {
    return Error{Errc::invalid_argument, "the slowdown accepted must not be negative",
                 "5% or 0.05"};
  }
  const std::vector<Curve> curves = group_curves(table);
  std::vector<Advice> out;
  for (const Curve& curve : curves) {
    Training train;
    for (const Curve& other : curves) {
      if (&other != &curve) train.push_back(&other);
    }
    (*method)->fit(train);
    out.push_back(advice_for(curve, **method, limits_of(curves, curve.gpu), options));
  }
  return out;
}

}  // namespace ergo
