// The default method: a weighted mean of the others, weights and interval widths from
// cross-validation inside the training curves.

#include "ergo/model/decide.hpp"
#include "ergo/model/predict.hpp"
#include "model/calibration.hpp"
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

constexpr Weights law_alone = {1.0, 0.0, 0.0};
/// Across cards: the law, and how slowdown follows the share of power.
constexpr Weights law_and_shapes = {0.5, 0.5, 0.0};
using Members = std::array<std::unique_ptr<Method>, most_members>;

/// Bounds on the cross-validation, so that its time does not grow with the table.
constexpr std::size_t most_groups = 12;
constexpr std::size_t most_of_group = 10;

/// What is predicted at more limits than the members were asked about: between those, in a straight
/// line over ln of the limit.
std::vector<Prediction> refined(std::vector<Prediction> asked, const std::vector<double>& limits) {
  if (asked.size() == limits.size()) return asked;
  std::vector<Prediction> out;
  std::size_t right = 1;
  for (double limit : limits) {
    while (right + 1 < asked.size() && asked[right].limit_w < limit)
      ++right;
    const Prediction& a = asked[right - 1];
    const Prediction& b = asked[right];
    const double share = std::log(limit / a.limit_w) / std::log(b.limit_w / a.limit_w);
    const auto between = [&](double Prediction::*field) {
      return std::lerp(a.*field, b.*field, share);
    };
    out.push_back({limit,
                   between(&Prediction::log_time),
                   between(&Prediction::log_power),
                   between(&Prediction::var_time),
                   between(&Prediction::var_power),
                   between(&Prediction::cov),
                   between(&Prediction::tail_time),
                   between(&Prediction::tail_energy),
                   between(&Prediction::tail_edp),
                   {}});
  }
  return out;
}

class Ensemble : public Method {
 public:
  explicit Ensemble(std::shared_ptr<CurveFits> fits)
      : fits_(std::move(fits)),
        own_(make_members(false)),
        foreign_(make_members(true)),
        for_all_(make_constant()) {}

  std::string_view name() const override { return "ergo"; }

  void fit(const Training& train) override {
    train_ = train;
    fit_all(own_, train);
    fit_all(foreign_, train);
    for_all_->fit(train);
    trials_.clear();
  }

  std::vector<Prediction> predict(const Target& target) override {
    const Calibration calibration = calibrate(target);
    const Target possible = plausible(target);
    Target asked = possible;
    asked.limits = thinned(possible.limits, enough_limits);
    std::vector<Prediction> out;
    for (const MemberPredictions& members : ask(foreign(target) ? foreign_ : own_, asked))
      out.push_back(mixture_of(members, calibration, possible.noise));
    out = refined(std::move(out), possible.limits);
    make_possible(out, possible);
    if (const CurvePoint* top = base_of(possible)) {
      for (Prediction& p : out)
        add_slowdown(p, p.log_time - top->log_time, calibration.slowdowns);
    }
    return out;
  }

  /// From one probe every member guesses the curve's shape, and each is far off at times. The
  /// median of what they and one limit for all would choose is better than the least cost of
  /// their mean.
  std::optional<double> choice(const Target& target, const Decision& decision) override {
    if (target.probes.points.size() != 1 || decision.max_slowdown || foreign(target)) return {};
    std::vector<double> votes;
    const auto vote = [&](const std::vector<Prediction>& predictions) {
      votes.push_back(predictions[decide(predictions, decision)].limit_w);
    };
    vote(predict_curve(*this, target));
    for (const auto& member : own_)
      vote(most_probable(predict_curve(*member, target)));
    votes.push_back(*for_all_->choice(target, decision));
    static_assert(std::tuple_size_v<Members> % 2 == 1, "a vote has a median");
    std::nth_element(votes.begin(), votes.begin() + votes.size() / 2, votes.end());
    return votes[votes.size() / 2];
  }

 private:
  static std::vector<Prediction> most_probable(std::vector<Prediction> predictions) {
    for (Prediction& p : predictions)
      p.var_time = p.var_power = p.cov = 0;
    return predictions;
  }

  [[nodiscard]] const Constants::Mixture& mixture() const { return fits_->constants().mixture; }

  /// None of the training curves is from the target's card.
  [[nodiscard]] bool foreign(const Target& target) const {
    return std::none_of(train_.begin(), train_.end(),
                        [&](const Curve* c) { return c->gpu == target.probes.gpu; });
  }

  [[nodiscard]] Members make_members(bool foreign) const {
    if (foreign) return {make_physical(fits_), make_shapes(fits_), nullptr};
    return {make_physical(fits_), make_nearest(fits_), make_gaussian_process(fits_)};
  }

  static void fit_all(const Members& members, const Training& train) {
    for (const auto& member : members) {
      if (member) member->fit(train);
    }
  }

  void add_slowdown(Prediction& p, double predicted,
                    const std::vector<SlowdownMiss>& misses) const {
    if (misses.empty()) return;
    p.slowdown = expected_slowdown(misses, predicted, p.var_time, mixture().alike_slowdown);
  }

  static std::vector<MemberPredictions> ask(const Members& members, const Target& target) {
    std::vector<MemberPredictions> out(target.limits.size());
    for (std::size_t m = 0; m < members.size(); ++m) {
      if (!members[m]) continue;
      const auto predicted = members[m]->predict(target);
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i][m] = predicted[i];
    }
    return out;
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
    if (train_.empty()) return uncalibrated(law_alone);
    std::vector<Trial> like = at->second;
    const Traits traits = traits_of(target);
    for (Trial& trial : like)
      trial.weight *= likeness(mixture(), trial.traits, traits);
    return foreign(target) ? calibrated_tails(like, law_and_shapes) : calibrated(like, mixture());
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
    // Trials serve every target of this card: no configuration is nearer than another.
    Target any = target;
    any.probes.config.clear();
    for (Neighbor& n : neighbors_of(train_, any)) {
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
      const Members members = make_members(foreign(target));
      fit_all(members, rest);
      for (const Neighbor& n : thinned(held, most_of_group))
        append_trials(members, stand_in(target, n), n, index, all);
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
    for (const CurvePoint& p : thinned(n.points, enough_limits)) {
      if (!other.probes.find(p.limit_w)) other.limits.push_back(p.limit_w);
    }
    return other;
  }

  static void append_trials(const Members& members, const Target& target, const Neighbor& n,
                            std::size_t group, std::vector<Trial>& all) {
    if (target.limits.empty()) return;
    const auto predicted = ask(members, plausible(target));
    double least_energy = 1e300;
    double least_edp = 1e300;
    for (const CurvePoint& p : n.points) {
      least_energy = std::min(least_energy, p.log_time + p.log_power);
      least_edp = std::min(least_edp, 2 * p.log_time + p.log_power);
    }
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      const auto truth = interpolate_or_hold(n.points, target.limits[i]);
      all.push_back({predicted[i], truth.log_time, truth.log_power,
                     n.weight / static_cast<double>(predicted.size()), traits_of(target),
                     truth.log_time + truth.log_power - least_energy,
                     2 * truth.log_time + truth.log_power - least_edp, n.points.back().log_time,
                     group});
    }
  }

  std::shared_ptr<CurveFits> fits_;
  Members own_;
  Members foreign_;
  std::unique_ptr<Method> for_all_;
  Training train_;
  std::map<std::pair<std::string, std::vector<double>>, std::vector<Trial>> trials_;
};

}  // namespace

std::unique_ptr<Method> make_ensemble(std::shared_ptr<CurveFits> fits) {
  return std::make_unique<Ensemble>(std::move(fits));
}

}  // namespace ergo
