#include "model/calibration.hpp"

#include "ergo/stats/student.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace ergo {
namespace {

/// Every member's variance of ln time and of ln power holds that of one measurement (2 %). Times
/// what each quantity takes of it: energy is time and power, EDP twice time and power.
constexpr double measurement = 4e-4;
constexpr double of_time = 1;
constexpr double of_energy = 2;
constexpr double of_edp = 5;

struct Miss {
  double size = 0.0;
  double variance = 0.0;  ///< the members' own
  double weight = 1.0;
};

double variance_of(const Spread& spread, double own, double measurements) {
  const double beyond = std::max(own - measurements * measurement, 0.0);
  return spread.scale * spread.scale * beyond + spread.least * spread.least;
}

Spread unscaled(double measurements) {
  return {1.0, std::sqrt(measurements * measurement), 1.959964};
}

/// The mixture of the members: its mean, and its variance with the members' disagreement in it.
Prediction mixed(const MemberPredictions& members, const Weights& weights) {
  Prediction m{members[0].limit_w, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < most_members; ++i) {
    m.log_time += weights[i] * members[i].log_time;
    m.log_power += weights[i] * members[i].log_power;
  }
  for (std::size_t i = 0; i < most_members; ++i) {
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

/// How much a point counts for the weights: members must be right where limits are chosen.
double importance(const Trial& t, double near_least) {
  return t.weight *
         (std::exp(-t.above_least_energy / near_least) + std::exp(-t.above_least_edp / near_least));
}

/// Least mean absolute error over the simplex, drawn a little towards equal weights.
Weights best_weights(const std::vector<Trial>& trials, const Constants::Mixture& constants) {
  constexpr int steps = 10;
  std::vector<double> importances;
  importances.reserve(trials.size());
  for (const Trial& t : trials)
    importances.push_back(importance(t, constants.near_least));
  Weights best{};
  best.fill(1.0 / most_members);
  double least = 1e300;
  for (int a = 0; a <= steps; ++a) {
    for (int b = 0; a + b <= steps; ++b) {
      const Weights w{a / double{steps}, b / double{steps}, (steps - a - b) / double{steps}};
      double error = 0;
      for (std::size_t n = 0; n < trials.size(); ++n) {
        const Trial& t = trials[n];
        double time = -t.log_time;
        double power = -t.log_power;
        for (std::size_t i = 0; i < most_members; ++i) {
          time += w[i] * t.predicted[i].log_time;
          power += w[i] * t.predicted[i].log_power;
        }
        error +=
            importances[n] * (std::abs(time) + std::abs(time + power) + std::abs(2 * time + power));
      }
      double uneven = 0;
      for (double x : w)
        uneven += (x - 1.0 / most_members) * (x - 1.0 / most_members);
      error *= 1.0 + constants.even * uneven;
      if (error < least) {
        least = error;
        best = w;
      }
    }
  }
  return best;
}

/// ln likelihood of the errors under Student's t with 4 degrees of freedom, without constants.
double log_likelihood(const std::vector<Miss>& errors, const Spread& spread, double measurements) {
  double sum = 0;
  for (const Miss& e : errors) {
    const double v = variance_of(spread, e.variance, measurements);
    sum -= e.weight * (0.5 * std::log(v) + 2.5 * std::log1p(e.size * e.size / (4 * v)));
  }
  return sum;
}

Spread most_likely(const std::vector<Miss>& errors, double measurements) {
  Spread best = unscaled(measurements);
  double most = -1e300;
  for (double scale : {0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0}) {
    for (double least : {0.0025, 0.0035, 0.005, 0.007, 0.01, 0.014, 0.02, 0.028, 0.04}) {
      const Spread tried{scale, least, best.tail};
      const double likelihood = log_likelihood(errors, tried, measurements);
      if (likelihood <= most) continue;
      most = likelihood;
      best = tried;
    }
  }
  return best;
}

/// How many of a curve's errors an interval holds, and what a small sample widens it by.
struct Confidence {
  double share = 0.95;
  double widened = 1.0;
};

void set_tail(Spread& spread, const std::vector<Miss>& errors, double measurements,
              const Confidence& wanted) {
  std::vector<std::pair<double, double>> sizes;
  for (const Miss& e : errors) {
    const double sd = std::sqrt(variance_of(spread, e.variance, measurements));
    sizes.emplace_back(std::abs(e.size) / sd, e.weight);
  }
  spread.tail = std::max(weighted_quantile(sizes, wanted.share) * wanted.widened, 1.5);
}

struct Misses {
  std::vector<Miss> time, energy, edp;
};

Misses misses_of(const std::vector<Trial>& trials, const Weights& weights) {
  Misses errors;
  for (const Trial& t : trials) {
    const Prediction p = mixed(t.predicted, weights);
    const double dt = p.log_time - t.log_time;
    const double dp = p.log_power - t.log_power;
    errors.time.push_back({dt, p.var_time, t.weight});
    errors.energy.push_back({dt + dp, p.var_energy(), t.weight});
    errors.edp.push_back({2 * dt + dp, p.var_edp(), t.weight});
  }
  return errors;
}

/// How many groups of equal weight would tell as much (Kish).
double groups_of(const std::vector<Trial>& trials) {
  std::map<std::size_t, double> weights;
  for (const Trial& t : trials)
    weights[t.group] += t.weight;
  double sum = 0;
  double squares = 0;
  for (const auto& [group, weight] : weights) {
    sum += weight;
    squares += weight * weight;
  }
  return squares > 0 ? sum * sum / squares : 0.0;
}

void set_tails(Calibration& c, const Misses& errors, const Confidence& wanted) {
  set_tail(c.time, errors.time, of_time, wanted);
  set_tail(c.energy, errors.energy, of_energy, wanted);
  set_tail(c.edp, errors.edp, of_edp, wanted);
}

/// A handful of cards; their own variances already hold what is not known of the next.
constexpr Confidence one_more_card{0.975, 1.0};

/// Errors of one group are alike: groups are the sample. With few of them intervals are wider, as
/// Student's t is than the normal.
Confidence with_groups(const std::vector<Trial>& trials) {
  return {0.95, stats::student_t_95(std::max(groups_of(trials), 1.0)) / 1.959964};
}

}  // namespace

double half_width(double variance, double tail) {
  constexpr double nothing_known = 50;
  return std::min(tail * std::sqrt(std::max(variance, 0.0)), nothing_known);
}

Traits traits_of(const Target& target) {
  const auto& probes = target.probes.points;
  if (probes.empty()) return {};
  return {probes.back().log_power - std::log(target.range.highest_w),
          probes.front().log_time - probes.back().log_time};
}

double likeness(const Constants::Mixture& k, const Traits& a, const Traits& b) {
  const double power = (a.log_power - b.log_power) / k.like_power;
  const double slowdown = (a.log_slowdown - b.log_slowdown) / k.like_slowdown;
  return k.background + std::exp(-0.5 * (power * power + slowdown * slowdown));
}

Calibration uncalibrated(const Weights& weights) {
  return {weights, unscaled(of_time), unscaled(of_energy), unscaled(of_edp), {}};
}

Calibration calibrated(const std::vector<Trial>& trials, const Constants::Mixture& constants) {
  Weights even{};
  even.fill(1.0 / most_members);
  if (trials.empty()) return uncalibrated(even);
  Calibration c = uncalibrated(best_weights(trials, constants));
  const Misses errors = misses_of(trials, c.weights);
  c.time = most_likely(errors.time, of_time);
  c.energy = most_likely(errors.energy, of_energy);
  c.edp = most_likely(errors.edp, of_edp);
  set_tails(c, errors, with_groups(trials));
  for (const Trial& t : trials) {
    const double predicted = mixed(t.predicted, c.weights).log_time;
    c.slowdowns.push_back(
        {std::max(predicted - t.log_top_time, 0.0), t.log_time - predicted, t.weight, t.group});
  }
  return c;
}

Calibration calibrated_tails(const std::vector<Trial>& trials, const Weights& weights) {
  Calibration c = uncalibrated(weights);
  if (!trials.empty()) set_tails(c, misses_of(trials, weights), one_more_card);
  return c;
}

Prediction mixture_of(const MemberPredictions& members, const Calibration& c, double noise) {
  Prediction p = mixed(members, c.weights);
  const double noise2 = noise * noise;
  const double time = variance_of(c.time, p.var_time, of_time) + noise2;
  const double energy = variance_of(c.energy, p.var_energy(), of_energy) + noise2;
  const double edp = variance_of(c.edp, p.var_edp(), of_edp) + 4 * noise2;
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

}  // namespace ergo
