#include "ergo/model/evaluate.hpp"

#include "ergo/model/decide.hpp"
#include "ergo/model/predict.hpp"
#include "model/methods.hpp"
#include "model/physical.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <thread>

namespace ergo {
namespace {

constexpr double allowed_slowdown = 0.05;
constexpr double violated_slowdown = 0.06;

/// The names and the fields of a score that are averaged alike.
constexpr std::optional<double> Scores::*averaged[] = {
    &Scores::time_mape,       &Scores::energy_mape,     &Scores::edp_mape,   &Scores::energy_regret,
    &Scores::edp_regret,      &Scores::slowdown_regret, &Scores::violations, &Scores::time_coverage,
    &Scores::energy_coverage, &Scores::edp_coverage};

Scores mean_of(const std::vector<Scores>& parts) {
  Scores mean;
  for (const auto field : averaged) {
    double sum = 0;
    int n = 0;
    for (const Scores& part : parts) {
      if (!(part.*field)) continue;
      sum += *(part.*field);
      ++n;
    }
    if (n > 0) mean.*field = sum / n;
  }
  for (const Scores& part : parts) {
    mean.curves += part.curves;
    if (part.worst_edp_regret)
      mean.worst_edp_regret = std::max(mean.worst_edp_regret.value_or(0), *part.worst_edp_regret);
  }
  return mean;
}

struct Truth {
  double time;
  double energy;
  double edp;
};

Truth truth_of(const CurvePoint& p) {
  return {std::exp(p.log_time), std::exp(p.log_time + p.log_power),
          std::exp(2 * p.log_time + p.log_power)};
}

void score_errors(const Curve& curve, const Target& target,
                  const std::vector<Prediction>& predictions, Scores& scores) {
  double time = 0, energy = 0, edp = 0, in_time = 0, in_energy = 0, in_edp = 0;
  int n = 0;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    if (target.probes.find(curve.points[i].limit_w)) continue;
    const Prediction& p = predictions[i];
    const Truth truth = truth_of(curve.points[i]);
    time += std::abs(std::exp(p.log_time) / truth.time - 1);
    energy += std::abs(std::exp(p.log_energy()) / truth.energy - 1);
    edp += std::abs(std::exp(p.log_edp()) / truth.edp - 1);
    in_time +=
        std::abs(p.log_time - std::log(truth.time)) <= p.tail_time * std::sqrt(p.var_time) ? 1 : 0;
    in_energy += std::abs(p.log_energy() - std::log(truth.energy)) <=
                         p.tail_energy * std::sqrt(p.var_energy())
                     ? 1
                     : 0;
    in_edp +=
        std::abs(p.log_edp() - std::log(truth.edp)) <= p.tail_edp * std::sqrt(p.var_edp()) ? 1 : 0;
    ++n;
  }
  if (n == 0) return;
  scores.time_mape = time / n;
  scores.energy_mape = energy / n;
  scores.edp_mape = edp / n;
  scores.time_coverage = in_time / n;
  scores.energy_coverage = in_energy / n;
  scores.edp_coverage = in_edp / n;
}

void score_choices(const Curve& curve, const Target& target,
                   const std::vector<Prediction>& predictions, Method& method,
                   const Caution& caution, Scores& scores) {
  const auto chosen = [&](Objective objective, std::optional<double> slowdown) {
    const Decision decision{objective, slowdown, 0.0, caution};
    if (const auto limit = method.choice(target, decision)) return *curve.find(*limit);
    return decide(predictions, decision);
  };
  double least_energy = 1e300, least_edp = 1e300, least_allowed = 1e300;
  const double top_time = truth_of(curve.points.back()).time;
  for (const CurvePoint& point : curve.points) {
    const Truth t = truth_of(point);
    least_energy = std::min(least_energy, t.energy);
    least_edp = std::min(least_edp, t.edp);
    if (t.time <= top_time * (1 + allowed_slowdown))
      least_allowed = std::min(least_allowed, t.energy);
  }
  scores.energy_regret =
      truth_of(curve.points[chosen(Objective::energy, {})]).energy / least_energy - 1;
  scores.edp_regret = truth_of(curve.points[chosen(Objective::edp, {})]).edp / least_edp - 1;
  scores.worst_edp_regret = scores.edp_regret;
  const Truth limited = truth_of(curve.points[chosen(Objective::energy, allowed_slowdown)]);
  // A choice that breaks the constraint may cost less than the best allowed one; that earns
  // nothing.
  scores.slowdown_regret = std::max(limited.energy / least_allowed - 1, 0.0);
  scores.violations = limited.time > top_time * (1 + violated_slowdown) ? 1.0 : 0.0;
}

/// One GPU of one source.
struct Domain {
  std::string source;
  std::string gpu;
  std::vector<const Curve*> targets;  ///< repeats apart
  Training train;                     ///< repeats merged
  LimitRange range;
};

struct Data {
  std::vector<std::vector<Curve>> apart;
  std::vector<std::vector<Curve>> merged;
  std::vector<Domain> domains;
};

Data gather(const std::vector<DataSource>& sources) {
  Data data;
  for (const DataSource& source : sources) {
    data.apart.push_back(group_curves(source.table, Repeats::apart));
    data.merged.push_back(group_curves(source.table, Repeats::merged));
  }
  for (std::size_t s = 0; s < sources.size(); ++s) {
    std::map<std::string, std::size_t> index;
    for (const Curve& curve : data.apart[s]) {
      const auto [at, added] = index.try_emplace(curve.gpu, data.domains.size());
      if (added) data.domains.push_back({sources[s].name, curve.gpu, {}, {}, {}});
      data.domains[at->second].targets.push_back(&curve);
    }
    for (const Curve& curve : data.merged[s])
      data.domains[index[curve.gpu]].train.push_back(&curve);
  }
  for (Domain& domain : data.domains) {
    domain.range = {1e300, 0};
    for (const Curve* curve : domain.train) {
      domain.range.lowest_w = std::min(domain.range.lowest_w, curve->lowest());
      domain.range.highest_w = std::max(domain.range.highest_w, curve->highest());
    }
  }
  return data;
}

bool left_out_together(const Curve& a, const Curve& b, LeaveOut leave_out) {
  return a.workload == b.workload && (leave_out == LeaveOut::workload || a.config == b.config);
}

Scores score_curve(const Curve& curve, const Domain& domain, int probes, Method& method,
                   const Caution& caution) {
  Target target;
  std::vector<CurvePoint> kept;
  for (const CurvePoint& point : curve.points)
    target.limits.push_back(point.limit_w);
  for (double limit : probe_limits(target.limits, probes))
    kept.push_back(curve.points[*curve.find(limit)]);
  target.probes = {curve.gpu, curve.workload, curve.config, kept, curve.idle_w, curve.host_w};
  target.range = domain.range;
  const auto predictions = predict_curve(method, target);
  Scores scores;
  scores.curves = 1;
  if (probes > 0 && method.name() != "default") score_errors(curve, target, predictions, scores);
  score_choices(curve, target, predictions, method, caution, scores);
  return scores;
}

DomainScores score_domain(const Data& data, const Domain& domain, const EvaluateOptions& options,
                          const std::string& name) {
  const Constants constants = options.constants != nullptr ? *options.constants : Constants{};
  const auto fits = std::make_shared<CurveFits>(constants);
  DomainScores result{domain.source, domain.gpu, {}, {}};
  std::map<std::string, std::map<std::string, std::vector<Scores>>> by_workload;
  std::set<const Curve*> done;
  for (const Curve* first : domain.targets) {
    if (done.contains(first)) continue;
    Training train;
    if (options.leave_out == LeaveOut::gpu) {
      for (const Domain& other : data.domains) {
        if (other.gpu != domain.gpu)
          train.insert(train.end(), other.train.begin(), other.train.end());
      }
    } else {
      std::copy_if(
          domain.train.begin(), domain.train.end(), std::back_inserter(train),
          [&](const Curve* c) { return !left_out_together(*c, *first, options.leave_out); });
    }
    auto method = std::move(make_method(name, fits)).value();
    method->fit(train);
    for (const Curve* curve : domain.targets) {
      if (options.leave_out != LeaveOut::gpu &&
          !left_out_together(*curve, *first, options.leave_out))
        continue;
      const Scores scores = score_curve(*curve, domain, options.probes, *method, constants.caution);
      by_workload[curve->workload][curve->config].push_back(scores);
      result.curves.push_back({curve->workload, curve->config, scores});
      done.insert(curve);
    }
  }
  std::vector<Scores> workloads;
  for (const auto& [workload, configs] : by_workload) {
    std::vector<Scores> means;
    for (const auto& [config, repeats] : configs)
      means.push_back(mean_of(repeats));
    workloads.push_back(mean_of(means));
  }
  result.scores = mean_of(workloads);
  return result;
}

}  // namespace

std::vector<double> probe_limits(const std::vector<double>& limits, int probes) {
  const auto nearest_to = [&](double share) {
    const double wanted = limits.front() + share * (limits.back() - limits.front());
    return *std::min_element(limits.begin(), limits.end(), [&](double a, double b) {
      return std::abs(a - wanted) < std::abs(b - wanted);
    });
  };
  std::set<double> chosen;
  if (limits.empty() || probes <= 0) return {};
  chosen.insert(limits.back());
  if (probes == 2) chosen.insert(nearest_to(0.20));
  if (probes >= 3) {
    chosen.insert(nearest_to(0.40));
    chosen.insert(nearest_to(0.15));
  }
  return {chosen.begin(), chosen.end()};
}

Result<std::vector<MethodScores>> evaluate(const std::vector<DataSource>& sources,
                                           const EvaluateOptions& options) {
  if (options.probes < 0 || options.probes > 3) {
    return Error{Errc::invalid_argument, fmt::format("{} probes cannot be placed", options.probes),
                 "0, 1, 2 or 3"};
  }
  for (const std::string& name : options.methods) {
    if (const auto method = make_method(name); !method) return method.error();
  }
  const Data data = gather(sources);
  std::set<std::string> gpus;
  for (const Domain& domain : data.domains)
    gpus.insert(domain.gpu);
  if (data.domains.empty())
    return Error{Errc::invalid_argument, "there are no measurements to evaluate on", {}};
  if (options.leave_out == LeaveOut::gpu && gpus.size() < 2) {
    return Error{Errc::invalid_argument,
                 "leaving a GPU out needs measurements of at least two GPUs",
                 "name several data files"};
  }
  std::vector<MethodScores> out;
  for (const std::string& name : options.methods) {
    out.push_back({name, {}, {}});
    for (const Domain& domain : data.domains)
      out.back().domains.push_back({domain.source, domain.gpu, {}, {}});
  }
  // One task per method and domain; a task writes only its own slot.
  const std::size_t tasks = out.size() * data.domains.size();
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < tasks; i = next++) {
      MethodScores& method = out[i / data.domains.size()];
      const std::size_t d = i % data.domains.size();
      method.domains[d] = score_domain(data, data.domains[d], options, method.method);
    }
  };
  const unsigned wanted = options.threads > 0 ? static_cast<unsigned>(options.threads)
                                              : std::thread::hardware_concurrency();
  std::vector<std::thread> threads;
  for (unsigned t = 1; t < std::min<std::size_t>(std::max(wanted, 1U), tasks); ++t)
    threads.emplace_back(work);
  work();
  for (std::thread& thread : threads)
    thread.join();
  for (MethodScores& method : out) {
    std::vector<Scores> domains;
    for (const DomainScores& d : method.domains)
      domains.push_back(d.scores);
    method.macro = mean_of(domains);
  }
  return out;
}

}  // namespace ergo
