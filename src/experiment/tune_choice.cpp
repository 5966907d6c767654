#include "experiment/tune_choice.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/model/decide.hpp"
#include "ergo/model/evaluate.hpp"
#include "ergo/model/predict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo {

Result<TuneGoal> TuneGoal::parse(std::string_view text) {
  TuneGoal goal;
  if (text == "energy") return goal;
  if (text == "edp" || text == "ed2p") {
    goal.kind = text == "edp" ? Kind::edp : Kind::ed2p;
    return goal;
  }
  constexpr std::string_view prefix = "cost:";
  const auto eta =
      text.starts_with(prefix) ? parse_double(text.substr(prefix.size())) : Result<double>(Error{});
  if (!eta || *eta < 0 || *eta > 1) {
    return Error{Errc::invalid_argument, fmt::format("'{}' is no objective", text),
                 "energy, edp, ed2p, or cost:ETA with ETA from 0 (time) to 1 (energy)"};
  }
  goal.kind = Kind::cost;
  goal.eta = *eta;
  return goal;
}

namespace tune {
namespace {

/// Zeus's cost is energy with a host that draws (1 - eta) / eta of the highest limit.
Decision decision_of(const TuneOptions& options, double host_w) {
  Decision decision;
  decision.max_slowdown = options.max_slowdown;
  decision.host_w = host_w;
  const TuneGoal& goal = options.goal;
  switch (goal.kind) {
    case TuneGoal::Kind::energy:
      break;
    case TuneGoal::Kind::edp:
      decision.objective = Objective::edp;
      break;
    case TuneGoal::Kind::ed2p:
      decision.objective = Objective::ed2p;
      break;
    case TuneGoal::Kind::cost:
      if (goal.eta <= 0) decision.objective = Objective::time;
      if (goal.eta > 0) decision.host_w += (1 - goal.eta) / goal.eta * options.limits_w.back();
      break;
  }
  return decision;
}

std::vector<Prediction> as_predictions(const MeasuredLimits& measured) {
  std::vector<Prediction> all;
  for (const auto& [limit, m] : measured) {
    Prediction p;
    p.limit_w = limit;
    p.log_time = m.log_time;
    p.log_power = m.log_power;
    all.push_back(p);
  }
  return all;
}

/// The limit to choose from that is nearest to `watts`, strictly between two others.
std::optional<double> between(const std::vector<double>& limits, double low, double high,
                              double watts) {
  std::optional<double> nearest;
  for (const double limit : limits) {
    if (limit <= low || limit >= high) continue;
    if (!nearest || std::abs(limit - watts) < std::abs(*nearest - watts)) nearest = limit;
  }
  return nearest;
}

/// ln of the cost at the vertex of a parabola through three points, and where that is.
struct Vertex {
  double at = 0;
  double value = 0;
};

std::optional<Vertex> vertex_of(const double (&x)[3], const double (&y)[3]) {
  const double a = (y[1] - y[0]) / (x[1] - x[0]);
  const double b = (y[2] - y[1]) / (x[2] - x[1]);
  const double curvature = (b - a) / (x[2] - x[0]);
  if (!(curvature > 0)) return std::nullopt;
  const double at = std::clamp((x[0] + x[1]) / 2 - a / (2 * curvature), x[0], x[2]);
  return Vertex{at, y[0] + a * (at - x[0]) + curvature * (at - x[0]) * (at - x[1])};
}

double host_of(const MeasuredLimits& measured) {
  return measured.rbegin()->second.host_w;
}

}  // namespace

double best_measured(const TuneOptions& options, const MeasuredLimits& measured) {
  const auto predictions = as_predictions(measured);
  const Decision decision = decision_of(options, host_of(measured));
  const Prediction& best = predictions[decide(predictions, decision)];
  const double least = log_expected_cost(best, decision);
  const double noise = measured.at(best.limit_w).se;
  double highest = best.limit_w;
  for (const Prediction& p : predictions) {
    // What windows are wanted to tell apart counts as told apart.
    const double alike = std::hypot(noise, measured.at(p.limit_w).se) - options.precision;
    if (log_expected_cost(p, decision) - least <= alike) highest = std::max(highest, p.limit_w);
  }
  return highest;
}

Choice best_predicted(const TuneOptions& options, const MeasuredLimits& measured) {
  const Decision decision = decision_of(options, host_of(measured));
  Choice choice{best_measured(options, measured), 0.0};
  auto method = make_method("ergo");
  if (!method) return choice;
  (*method)->fit({});
  Target target;
  target.probes.gpu = options.gpu;
  target.probes.workload = "job";
  for (const auto& [limit, m] : measured)
    target.probes.points.push_back({limit, m.log_time, m.log_power});
  target.range = {options.limits_w.front(), options.limits_w.back()};
  target.limits = options.limits_w;
  const auto predictions = predict_curve(**method, target);
  const std::size_t best = decide(predictions, decision);
  const auto now = std::find_if(predictions.begin(), predictions.end(),
                                [&](const Prediction& p) { return p.limit_w == choice.limit_w; });
  choice.gain = 1 - std::exp(log_expected_cost(predictions[best], decision) -
                             log_expected_cost(*now, decision));
  if (choice.gain > 0) choice.limit_w = predictions[best].limit_w;
  return choice;
}

namespace {

/// Measured at no more than the best, but for noise, and within the slowdown accepted.
bool as_good(const TuneOptions& options, const MeasuredLimits& measured, double limit_w) {
  const double best_w = best_measured(options, measured);
  const Measured& best = measured.at(best_w);
  const Measured& it = measured.at(limit_w);
  const double top = measured.rbegin()->second.log_time;
  if (options.max_slowdown && it.log_time > top + std::log1p(*options.max_slowdown)) return false;
  const Decision decision = decision_of(options, host_of(measured));
  const auto cost = [&](const Measured& m) {
    Prediction p;
    p.log_time = m.log_time;
    p.log_power = m.log_power;
    return log_expected_cost(p, decision);
  };
  return cost(it) - cost(best) <= std::max(options.precision, std::hypot(it.se, best.se));
}

}  // namespace

std::optional<double> refinement(const TuneOptions& options, const MeasuredLimits& measured,
                                 double least_gain) {
  const std::vector<double>& limits = options.limits_w;
  auto best = measured.find(best_measured(options, measured));
  const double lowest = limits.front();
  // A lowest limit that costs as little as the best, most of all one that does not bind, says
  // nothing about what lies below it.
  if (as_good(options, measured, measured.begin()->first)) best = measured.begin();
  if (best == measured.begin()) {
    if (best->first == lowest) return std::nullopt;
    // A small step is taken whole.
    const double half = (best->first + lowest) / 2;
    return between(limits, lowest - 1, best->first, half);
  }
  const auto below = std::prev(best);
  if (options.max_slowdown) {
    const double top = measured.rbegin()->second.log_time;
    const double accepted = top + std::log1p(*options.max_slowdown);
    const double slow = below->second.log_time;
    if (slow > accepted) {
      const double share = (accepted - best->second.log_time) / (slow - best->second.log_time);
      const double edge = best->first - share * (best->first - below->first);
      // Only limits on the safe side of the edge can be taken.
      return between(limits, std::max(below->first, edge - 1e-9), best->first, edge);
    }
  }
  const auto above = std::next(best);
  if (above == measured.end()) return std::nullopt;
  const Decision decision = decision_of(options, host_of(measured));
  const auto cost = [&](MeasuredLimits::const_iterator m) {
    Prediction p;
    p.log_time = m->second.log_time;
    p.log_power = m->second.log_power;
    return log_expected_cost(p, decision);
  };
  // A limit above what is drawn is as good as what is drawn.
  const double drawn = std::exp(above->second.log_power);
  const double above_w = drawn > best->first + 1 ? std::min(above->first, drawn) : above->first;
  const auto vertex =
      vertex_of({below->first, best->first, above_w}, {cost(below), cost(best), cost(above)});
  if (!vertex || cost(best) - vertex->value < least_gain) return std::nullopt;
  const bool down = vertex->at < best->first;
  return between(limits, down ? below->first : best->first, down ? best->first : above->first,
                 vertex->at);
}

double low_probe(const std::vector<double>& limits) {
  return probe_limits(limits, 2).front();
}

}  // namespace tune
}  // namespace ergo
