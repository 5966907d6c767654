// The default method: a weighted mean of the others, weights and interval widths from
// cross-validation inside the training curves.

#include "model/methods.hpp"
#include "model/physical.hpp"
#include "model/plausible.hpp"
#include "model/view.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

namespace ergo {
namespace {

constexpr std::size_t member_count = 3;
constexpr double z95 = 1.959964;
using Weights = std::array<double, member_count>;
constexpr Weights law_alone = {1.0, 0.0, 0.0};
using Members = std::array<std::unique_ptr<Method>, member_count>;
using MemberPredictions = std::array<Prediction, member_count>;

/// Bounds on the cross-validation, so that its time does not grow with the table.
constexpr std::size_t most_groups = 12;
constexpr std::size_t most_of_group = 10;

/// What the probes show of a curve: its power under the highest limit, and how much the lowest
/// probe slows it.
struct Traits {
  double log_power = 0.0;
  double log_slowdown = 0.0;
};

Traits traits_of(const Target& target) {
  const auto& probes = target.probes.points;
  if (probes.empty()) return {};
  return {probes.back().log_power - std::log(target.range.highest_w),
          probes.front().log_time - probes.back().log_time};
}

/// How much a curve with the one's traits tells about errors on a curve with the other's.
double likeness(const Constants::Mixture& k, const Traits& a, const Traits& b) {
  const double power = (a.log_power - b.log_power) / k.like_power;
  const double slowdown = (a.log_slowdown - b.log_slowdown) / k.like_slowdown;
  return k.background + std::exp(-0.5 * (power * power + slowdown * slowdown));
}

/// One point of a training curve that was predicted while its group was left out.
struct Trial {
  MemberPredictions predicted;
  double log_time = 0.0;
  double log_power = 0.0;
  double weight = 1.0;
  Traits traits;  ///< of the curve
};

/// How the errors of one quantity lie about the members' own variance.
struct Spread {
  double scale = 1.0;  ///< of the standard deviation, so that it holds 68 % of the errors
  double tail = z95;   ///< how many standard deviations hold 95 %
};

struct Calibration {
  Weights weights{};
  Spread time, energy, edp;
};

/// The mixture of the members: its mean, and its variance with the members' disagreement in it.
Prediction mixed(const MemberPredictions& members, const Weights& weights) {
  Prediction m{members[0].limit_w, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < member_count; ++i) {
    m.log_time += weights[i] * members[i].log_time;
    m.log_power += weights[i] * members[i].log_power;
  }
  for (std::size_t i = 0; i < member_count; ++i) {
    const double dt = members[i].log_time - m.log_time;
    const double dp = members[i].log_power - m.log_power;
    m.var_time += weights[i] * (members[i].var_time + dt * dt);
    m.var_power += weights[i] * (members[i].var_power + dp * dp);
    m.cov += weights[i] * (members[i].cov + dt * dp);
  }
  return m;
}

/// The smallest value that at least `share` of the weight does not exceed.
double weighted_quantile(std::vector<std::pair<double, double>> values, double share) {
  std::sort(values.begin(), values.end());
  double total = 0;
  for (const auto& [value, weight] : values)
    total += weight;
  double sum = 0;
  for (const auto& [value, weight] : values) {
    sum += weight;
    if (sum >= share * total) return value;
  }
  return values.empty() ? 0.0 : values.back().first;
}

/// Least mean absolute error over the simplex, drawn a little towards equal weights.
Weights best_weights(const std::vector<Trial>& trials, double even) {
  constexpr int steps = 10;
  Weights best{};
  best.fill(1.0 / member_count);
  double least = 1e300;
  for (int a = 0; a <= steps; ++a) {
    for (int b = 0; a + b <= steps; ++b) {
      const Weights w{a / double{steps}, b / double{steps}, (steps - a - b) / double{steps}};
      double error = 0;
      for (const Trial& t : trials) {
        double time = -t.log_time;
        double power = -t.log_power;
        for (std::size_t i = 0; i < member_count; ++i) {
          time += w[i] * t.predicted[i].log_time;
          power += w[i] * t.predicted[i].log_power;
        }
        error += t.weight * (std::abs(time) + std::abs(time + power) + std::abs(2 * time + power));
      }
      double uneven = 0;
      for (double x : w)
        uneven += (x - 1.0 / member_count) * (x - 1.0 / member_count);
      error *= 1.0 + even * uneven;
      if (error < least) {
        least = error;
        best = w;
      }
    }
  }
  return best;
}

/// `errors`: over the members' own standard deviation, with weights.
Spread spread_of(const std::vector<std::pair<double, double>>& errors) {
  const double scale = std::clamp(weighted_quantile(errors, 0.68), 0.1, 4.0);
  return {scale, std::max(weighted_quantile(errors, 0.975) / scale, 1.5)};
}

class Ensemble : public Method {
 public:
  explicit Ensemble(std::shared_ptr<CurveFits> fits)
      : fits_(std::move(fits)), members_(make_members()) {}

  std::string_view name() const override { return "ergo"; }

  void fit(const Training& train) override {
    train_ = train;
    for (auto& member : members_)
      member->fit(train);
    trials_.clear();
  }

  std::vector<Prediction> predict(const Target& target) override {
    const Calibration calibration = calibrate(target);
    const Target possible = plausible(target);
    std::vector<Prediction> out;
    for (const MemberPredictions& members : ask(members_, possible))
      out.push_back(scaled(members, calibration, possible.noise));
    make_possible(out, possible);
    return out;
  }

 private:
  [[nodiscard]] const Constants::Mixture& mixture() const { return fits_->constants().mixture; }

  [[nodiscard]] Members make_members() const {
    return {make_physical(fits_), make_nearest(fits_), make_gaussian_process(fits_)};
  }

  static std::vector<MemberPredictions> ask(const Members& members, const Target& target) {
    std::vector<MemberPredictions> out(target.limits.size());
    for (std::size_t m = 0; m < member_count; ++m) {
      const auto predicted = members[m]->predict(target);
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i][m] = predicted[i];
    }
    return out;
  }

  static Prediction scaled(const MemberPredictions& members, const Calibration& c, double noise) {
    Prediction p = mixed(members, c.weights);
    const double noise2 = noise * noise;
    const double time = p.var_time * c.time.scale * c.time.scale + noise2;
    const double energy = p.var_energy() * c.energy.scale * c.energy.scale + noise2;
    const double edp = p.var_edp() * c.edp.scale * c.edp.scale + 4 * noise2;
    // The three variances fix the covariance of time and power; rounding must not make it
    // impossible.
    p.var_time = time;
    p.cov = 0.5 * (edp - energy - 3 * time);
    p.var_power = std::max(energy - time - 2 * p.cov, 1e-6);
    const double most = 0.99 * std::sqrt(p.var_time * p.var_power);
    p.cov = std::clamp(p.cov, -most, most);
    p.tail_time = c.time.tail;
    p.tail_energy = c.energy.tail * std::sqrt(energy / p.var_energy());
    p.tail_edp = c.edp.tail * std::sqrt(edp / p.var_edp());
    return p;
  }

  Calibration calibrate(const Target& target) {
    std::vector<double> key{target.range.lowest_w, target.range.highest_w};
    for (const CurvePoint& p : target.probes.points)
      key.push_back(p.limit_w);
    const bool known = std::any_of(train_.begin(), train_.end(), [&](const Curve* c) {
      return c->gpu == target.probes.gpu && c->workload == target.probes.workload;
    });
    key.push_back(known ? 1 : 0);
    const auto [at, added] = trials_.try_emplace({target.probes.gpu, key});
    if (added) at->second = trials(target, known);
    if (neighbors_of(train_, target).empty()) return untrained();
    std::vector<Trial> like = at->second;
    const Traits traits = traits_of(target);
    for (Trial& trial : like)
      trial.weight *= likeness(mixture(), trial.traits, traits);
    const bool foreign = std::none_of(train_.begin(), train_.end(),
                                      [&](const Curve* c) { return c->gpu == target.probes.gpu; });
    return calibrated(like, foreign, mixture());
  }

  /// With nothing to learn from there is the law alone, and the population's belief about it.
  static Calibration untrained() {
    Calibration c;
    c.weights = law_alone;
    return c;
  }

  /// Across cards only the law carries over: the shape of a curve belongs to its card.
  static Calibration calibrated(const std::vector<Trial>& trials, bool foreign,
                                const Constants::Mixture& constants) {
    Calibration c;
    c.weights.fill(1.0 / member_count);
    if (foreign) c.weights = law_alone;
    if (trials.empty()) return c;
    if (!foreign) c.weights = best_weights(trials, constants.even);
    std::vector<std::pair<double, double>> time, energy, edp;
    for (const Trial& t : trials) {
      const Prediction p = mixed(t.predicted, c.weights);
      const double dt = p.log_time - t.log_time;
      const double dp = p.log_power - t.log_power;
      time.emplace_back(std::abs(dt) / std::sqrt(p.var_time), t.weight);
      energy.emplace_back(std::abs(dt + dp) / std::sqrt(p.var_energy()), t.weight);
      edp.emplace_back(std::abs(2 * dt + dp) / std::sqrt(p.var_edp()), t.weight);
    }
    c.time = spread_of(time);
    c.energy = spread_of(energy);
    c.edp = spread_of(edp);
    return c;
  }

  /// Which curves are left out together when a training curve plays the target: those that the real
  /// target lacks too.
  static std::string group_of(const Curve& curve, const Target& target, bool known_workload) {
    if (curve.gpu != target.probes.gpu) return curve.gpu;
    return known_workload ? curve.workload + '\n' + curve.config : curve.workload;
  }

  std::vector<Trial> trials(const Target& target, bool known_workload) {
    std::map<std::string, std::vector<Neighbor>> groups;
    std::map<std::string, int> configs;
    for (Neighbor& n : neighbors_of(train_, target)) {
      ++configs[n.curve->workload];
      groups[group_of(*n.curve, target, known_workload)].push_back(std::move(n));
    }
    std::vector<Trial> all;
    if (groups.size() < 2) return all;
    const std::size_t stride = (groups.size() + most_groups - 1) / most_groups;
    std::size_t index = 0;
    for (const auto& [group, held] : groups) {
      if (index++ % stride != 0) continue;
      // Where the target's workload is known, so must be the stand-in's.
      if (known_workload && configs[held.front().curve->workload] < 2) continue;
      std::set<const Curve*> out;
      for (const Neighbor& n : held)
        out.insert(n.curve);
      Training rest;
      std::copy_if(train_.begin(), train_.end(), std::back_inserter(rest),
                   [&](const Curve* c) { return !out.contains(c); });
      const Members members = make_members();
      for (const auto& member : members)
        member->fit(rest);
      for (const Neighbor& n : thinned(held, most_of_group))
        append_trials(members, stand_in(target, n), n, all);
    }
    return all;
  }

  static Target stand_in(const Target& target, const Neighbor& n) {
    Target other;
    other.probes = *n.curve;
    other.probes.gpu = target.probes.gpu;
    other.probes.points.clear();
    other.range = target.range;
    for (const CurvePoint& probe : target.probes.points) {
      const auto nearest =
          std::min_element(n.points.begin(), n.points.end(), [&](const auto& a, const auto& b) {
            return std::abs(a.limit_w - probe.limit_w) < std::abs(b.limit_w - probe.limit_w);
          });
      if (!other.probes.find(nearest->limit_w)) other.probes.points.push_back(*nearest);
    }
    for (const CurvePoint& p : n.points) {
      if (!other.probes.find(p.limit_w)) other.limits.push_back(p.limit_w);
    }
    return other;
  }

  static void append_trials(const Members& members, const Target& target, const Neighbor& n,
                            std::vector<Trial>& all) {
    if (target.limits.empty()) return;
    const auto predicted = ask(members, plausible(target));
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      const auto truth = interpolate_or_hold(n.points, target.limits[i]);
      all.push_back({predicted[i], truth.log_time, truth.log_power,
                     n.weight / static_cast<double>(predicted.size()), traits_of(target)});
    }
  }

  std::shared_ptr<CurveFits> fits_;
  Members members_;
  Training train_;
  std::map<std::pair<std::string, std::vector<double>>, std::vector<Trial>> trials_;
};

}  // namespace

std::unique_ptr<Method> make_ensemble(std::shared_ptr<CurveFits> fits) {
  return std::make_unique<Ensemble>(std::move(fits));
}

}  // namespace ergo
