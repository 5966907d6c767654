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

Prediction as_prediction(const Measured& m) {
  Prediction p;
  p.log_time = m.log_time;
  p.log_power = m.log_power;
  p.var_time = m.var_time;
  return p;
}

std::vector<Prediction> as_predictions(const MeasuredLimits& measured) {
  std::vector<Prediction> all;
  for (const auto& [limit, m] : measured) {
    all.push_back(as_prediction(m));
    all.back().limit_w = limit;
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

/// Standard error of ln of the cost, which is time^(k - 1) x energy.
double cost_error(const TuneOptions& options, const Measured& m) {
  double more = 0;
  if (options.goal.kind == TuneGoal::Kind::edp) more = 1;
  if (options.goal.kind == TuneGoal::Kind::ed2p) more = 2;
  return std::hypot(m.se, more * m.se_time);
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
  const double noise = cost_error(options, measured.at(best.limit_w));
  double highest = best.limit_w;
  for (const Prediction& p : predictions) {
    // What windows are wanted to tell apart counts as told apart.
    const double its = cost_error(options, measured.at(p.limit_w));
    const double alike = std::hypot(noise, its) - options.precision;
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
  const double dearer = log_expected_cost(as_prediction(it), decision) -
                        log_expected_cost(as_prediction(best), decision);
  const double errors = std::hypot(cost_error(options, it), cost_error(options, best));
  return dearer <= std::max(options.precision, errors);
}

}  // namespace

namespace {

/// What is known of the curve: watts and ln of the cost. Limits that were not in the way are one
/// point, at what is drawn.
struct Point {
  double limit_w = 0;
  double watts = 0;
  double cost = 0;
  double se = 0;
};

std::vector<Point> points_of(const TuneOptions& options, const MeasuredLimits& measured) {
  const Decision decision = decision_of(options, host_of(measured));
  std::vector<Point> points;
  for (const auto& [limit, m] : measured) {
    Point point{limit, limit, log_expected_cost(as_prediction(m), decision),
                cost_error(options, m)};
    const double drawn = std::exp(m.log_power);
    const bool top = limit == measured.rbegin()->first;
    const double below = points.empty() ? 0 : points.back().limit_w;
    // A limit above what is drawn is as good as what is drawn.
    if ((m.free || top) && drawn > below + 1) point.watts = std::min(limit, drawn);
    points.push_back(point);
    if (m.free) break;  // the ones above are the same
  }
  return points;
}

/// A valley that may lie between two points.
struct Valley {
  double watts = 0;
  double gain = 0;
};

/// The cost falls towards the gap from the left and from the right as steeply as beside it, at the
/// deepest: a convex curve stays above. Beside the last point on a side it is not known how
/// steeply: below the lowest clock costs rise about three times as fast as they fell before.
Valley valley_in(const std::vector<Point>& points, std::size_t left, double best_cost) {
  constexpr double steeper = 3;
  // Of the deepest that is possible, so much is expected: most curves are round.
  constexpr double expected = 0.4;
  const Point& l = points[left];
  const Point& r = points[left + 1];
  const auto slope = [&](std::size_t i) {
    return (points[i + 1].cost - points[i].cost) / (points[i + 1].watts - points[i].watts);
  };
  const double chord = slope(left);
  const bool known_left = left > 0;
  const bool known_right = left + 2 < points.size();
  double fall = known_left ? slope(left - 1) : 0;
  double rise = known_right ? slope(left + 1) : 0;
  if (!known_left) fall = -steeper * std::max(std::abs(rise), std::abs(chord));
  if (!known_right) rise = steeper * std::max(std::abs(fall), std::abs(chord));
  fall = std::min({fall, chord, 0.0});
  rise = std::max({rise, chord, 0.0});
  if (!(rise > fall)) return {};
  const double span = r.watts - l.watts;
  const double into = std::clamp((l.cost - r.cost + rise * span) / (rise - fall), 0.0, span);
  return {l.watts + into, expected * (best_cost - (l.cost + fall * into))};
}

/// The more promising gap beside the best limit.
std::optional<double> in_a_valley(const TuneOptions& options, const MeasuredLimits& measured,
                                  double best_w, double least_gain) {
  const std::vector<Point> points = points_of(options, measured);
  std::size_t best = points.size() - 1;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].limit_w == best_w) best = i;
  }
  std::optional<double> limit;
  double most = least_gain;
  for (const std::size_t left : {best - 1, best}) {
    if (left >= points.size() || left + 1 >= points.size()) continue;
    const Point& l = points[left];
    const Point& r = points[left + 1];
    if (!(r.watts > l.watts)) continue;
    const Valley valley = valley_in(points, left, points[best].cost);
    const auto there =
        between(options.limits_w, l.limit_w, std::min(r.limit_w, r.watts + 1e-9), valley.watts);
    if (!there || !(valley.gain > std::max(most, std::hypot(l.se, r.se) / 2))) continue;
    most = valley.gain;
    limit = there;
  }
  return limit;
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
    double from = best->first;
    // Nor does any limit above what is drawn bind.
    if (best->second.free && std::exp(best->second.log_power) > lowest)
      from = std::min(from, std::exp(best->second.log_power));
    // A small step is taken whole.
    return between(limits, lowest - 1, best->first, (from + lowest) / 2);
  }
  const auto below = std::prev(best);
  // The edge of the lowest clock lies between: from both sides it is not seen how near.
  constexpr double near = 1.08;
  if (below->second.beyond && best->first > near * below->first) {
    if (const auto middle =
            between(limits, below->first, best->first, (below->first + best->first) / 2))
      return middle;
  }
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
  return in_a_valley(options, measured, best->first, least_gain);
}

bool unsure(const TuneOptions& options, const MeasuredLimits& measured, double limit_w) {
  const Measured& it = measured.at(limit_w);
  const Measured& standard = measured.rbegin()->second;
  if (it.free || limit_w == measured.rbegin()->first) return false;
  const Decision decision = decision_of(options, host_of(measured));
  const double gain = log_expected_cost(as_prediction(standard), decision) -
                      log_expected_cost(as_prediction(it), decision);
  constexpr double clear = 3;
  return gain < clear * std::hypot(cost_error(options, it), cost_error(options, standard));
}

double low_probe(const std::vector<double>& limits, double drawn_w, std::optional<double> capped) {
  const double usual = probe_limits(limits, 2).front();
  constexpr double never = 0.01;
  if (!capped || *capped > never || drawn_w > usual) return usual;
  std::vector<double> below;
  for (const double limit : limits) {
    if (limit < drawn_w) below.push_back(limit);
  }
  if (below.empty()) return limits.front();
  below.push_back(drawn_w);
  return probe_limits(below, 2).front();
}

}  // namespace tune
}  // namespace ergo
