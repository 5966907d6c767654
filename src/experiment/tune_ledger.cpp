#include "experiment/tune_ledger.hpp"

#include "ergo/stats/student.hpp"
#include "experiment/tune_level.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::tune {
namespace {

double energy_of(const TuneWindow& w) {
  return w.log_energy();
}
double energy_error(const TuneWindow& w) {
  return w.se_energy;
}
double time_of_window(const TuneWindow& w) {
  return w.log_time;
}
double time_error(const TuneWindow& w) {
  return w.se_time;
}

/// Of the same work under the default limit. `below`, `above`: how much less or more it may be
/// because nobody counts the work.
struct Level {
  double amount = 0;
  double half = 0;
  double half_above = 0;
  double below = 0;
  double above = 0;
};

/// Summed over phases: values add, half-widths in quadrature, what is not known of the work as it
/// is.
struct Sum {
  double value = 0;
  double squares_below = 0;
  double squares_above = 0;
  double below = 0;
  double above = 0;

  void add(double amount, double half) { add(amount, half, half); }
  void add(double amount, double half_below, double half_above) {
    value += amount;
    squares_below += half_below * half_below;
    squares_above += half_above * half_above;
  }
  [[nodiscard]] Estimate estimate() const {
    return {value, value - std::sqrt(squares_below) - below,
            value + std::sqrt(squares_above) + above};
  }
};

Level under_default(const Totals& totals, const DefaultLevel& level, const Factor& more) {
  const double cycles = totals.did.work * std::exp(level.mean);
  const double amount = cycles * std::exp(more.value);
  const double own = stats::student_t_95(level.freedom) * level.se;
  return {amount, amount * own, amount * std::hypot(own, level.heat_above),
          amount * level.heat + amount - cycles * std::exp(more.low),
          cycles * std::exp(more.high) - amount};
}

/// How much more work was done than its cycles say.
Factor more_work(const Totals& totals, const std::vector<const TuneWindow*>& defaults) {
  Progress reference;
  double square = 0;
  for (const TuneWindow* w : defaults) {
    reference.add(progress_of(*w));
    square += w->se_traffic * w->se_traffic;
  }
  const auto n = static_cast<double>(defaults.size());
  return more_than_cycles(totals.did, reference, std::sqrt(square) / n);
}

}  // namespace

void Totals::add(const TuneObservation& o) {
  did.add(o);
  joules += o.joules + o.host_joules;
}

void Totals::add(const Totals& o, double sign) {
  did.add(o.did, sign);
  joules += sign * o.joules;
}

void Account::add(const TuneObservation& o, bool under_other_limit) {
  all.add(o);
  if (under_other_limit) limited.add(o);
}

void Account::add(const Account& o, double sign) {
  all.add(o.all, sign);
  limited.add(o.limited, sign);
}

namespace {

/// ln of time and power under the default at about the time of a window: the nearer a window under
/// the default and the better it is known, the more it counts.
std::pair<double, double> default_beside(const TuneWindow& w,
                                         const std::vector<const TuneWindow*>& defaults) {
  constexpr double near = 4;  // lengths of the window
  constexpr double best_known = 0.002;
  double sum = 0;
  double time = 0;
  double power = 0;
  for (const TuneWindow* d : defaults) {
    const Seconds apart = std::max({d->begin - w.end, w.begin - d->end, Seconds(0.0)});
    const double far = apart.value() / (near * w.duration().value());
    const double se = std::max({d->se_time, d->se_power, best_known});
    const double weight = 1 / (1 + far * far) / (se * se);
    sum += weight;
    time += weight * d->log_time;
    power += weight * d->log_power;
  }
  return {time / sum, power / sum};
}

/// Whether the limit of a window was not in the way of the work, which took `log_time` and
/// `log_power` under the default beside it.
bool ran_free(const TuneWindow& w, double log_time, double log_power, const TuneWindow& reference) {
  const double se =
      std::hypot(std::max(w.se_time, w.se_power), std::max(reference.se_time, reference.se_power));
  const double off = std::max(std::abs(w.log_time - log_time), std::abs(w.log_power - log_power));
  if (w.capped) {
    // The rest of the time it can cost no more than a few thousandths. A driver that always says
    // "not capped" is not believed when the work says otherwise.
    constexpr double hardly = 0.02;
    constexpr double alike = 0.015;
    constexpr double errors = 4;
    return *w.capped < hardly && off < std::max(alike, errors * se);
  }
  // Well below the limit on the average; bursts above it would show.
  constexpr double well_below = 0.9;
  constexpr double alike = 0.01;
  constexpr double errors = 2.5;
  return std::exp(w.log_power) < well_below * w.limit_w && off < std::max(alike, errors * se);
}

}  // namespace

std::vector<const TuneWindow*> Phase::defaults(double default_w) const {
  std::vector<const TuneWindow*> all;
  for (const TuneWindow& w : windows) {
    if (w.limit_w == default_w) all.push_back(&w);
  }
  return all;
}

MeasuredLimits Phase::measured(double default_w) const {
  // Drift falls out when each window is compared with the defaults beside it in time.
  const auto defaults = this->defaults(default_w);
  MeasuredLimits out;
  std::map<double, int> counts;
  const TuneWindow& reference = *defaults.back();
  Progress together;
  for (const TuneWindow* d : defaults)
    together.add(progress_of(*d));
  for (const TuneWindow& w : windows) {
    Measured& m = out[w.limit_w];
    const auto [time, power] = default_beside(w, defaults);
    const bool is_default = w.limit_w == default_w;
    const bool first = counts[w.limit_w] == 0;
    m.free = (first || m.free) && !is_default && ran_free(w, time, power, reference);
    const double cycles_time =
        is_default ? reference.log_time : reference.log_time + w.log_time - time;
    m.log_cycles_time += cycles_time;
    m.log_time += cycles_time;
    if (!is_default) {
      const Factor more = more_than_cycles(progress_of(w), together, w.se_traffic);
      m.log_time -= more.value;
      m.var_time += std::pow((more.high - more.low) / 4, 2);
    }
    m.log_power += is_default ? reference.log_power : reference.log_power + w.log_power - power;
    m.host_w += w.host_w;
    m.se += w.se_energy * w.se_energy;
    m.se_time += w.se_time * w.se_time;
    ++counts[w.limit_w];
  }
  for (auto& [limit, m] : out) {
    m.log_time /= counts[limit];
    m.log_cycles_time /= counts[limit];
    m.var_time /= counts[limit];  // more windows do not tell more
    m.log_power /= counts[limit];
    m.host_w /= counts[limit];
    m.se = std::sqrt(m.se) / counts[limit];
    m.se_time = std::sqrt(m.se_time) / counts[limit];
  }
  // As good as more windows under the default.
  for (auto& [limit, m] : out) {
    if (!m.free) continue;
    m = out.at(default_w);
    m.free = true;
  }
  return out;
}

std::optional<double> profiling_excess(const Phase& phase, double default_w) {
  const auto defaults = phase.defaults(default_w);
  if (!phase.settled_w || defaults.empty()) return std::nullopt;
  const MeasuredLimits measured = phase.measured(default_w);
  const auto settled = measured.find(*phase.settled_w);
  if (settled == measured.end()) return std::nullopt;
  const Measured& m = settled->second;
  const double work =
      phase.before_settling.did.work * std::exp(more_work(phase.before_settling, defaults).value);
  return phase.before_settling.joules -
         work * std::exp(m.log_time + std::log(std::exp(m.log_power) + m.host_w));
}

namespace {

/// What a kind of work takes under the default, per unit; nothing when it was not measured.
struct PerWork {
  double joules = 0;
  double seconds = 0;
};

std::optional<PerWork> under_default(const Phase& phase, double default_w) {
  const auto defaults = phase.defaults(default_w);
  if (defaults.empty()) return std::nullopt;
  return PerWork{
      std::exp(
          default_level(defaults, phase.last, phase.default_celsius, energy_of, energy_error).mean),
      std::exp(
          default_level(defaults, phase.last, phase.default_celsius, time_of_window, time_error)
              .mean)};
}

void add_blur(const std::vector<Phase>& phases, const Phase& phase, double default_w, Sum& saved,
              Sum& lost) {
  // Where a kind was never measured: kinds differ by tens of percent, rarely by more.
  constexpr double difference = 0.25;
  const auto mine = under_default(phase, default_w);
  for (const Phase::Uneven& window : phase.uneven) {
    if (!mine) break;
    saved.below += window.energy * mine->joules;
    saved.above += window.energy * mine->joules;
    lost.below += window.time * mine->seconds;
    lost.above += window.time * mine->seconds;
  }
  for (const Phase::Blur& blur : phase.blurs) {
    const auto its = under_default(phases[blur.from], default_w);
    if (!mine || !its) {
      saved.add(0, difference * blur.totals.joules);
      lost.add(0, difference * blur.totals.did.seconds);
      continue;
    }
    const double joules = blur.totals.did.work * (its->joules - mine->joules);
    const double seconds = blur.totals.did.work * (its->seconds - mine->seconds);
    saved.add(blur.likely * joules, blur.give_or_take * std::abs(joules));
    lost.add(-blur.likely * seconds, blur.give_or_take * std::abs(seconds));
  }
}

}  // namespace

namespace {

/// Under the limit settled on for `phase` the other kind looks the same.
bool look_alike(const Phase& phase, const Phase& other, double default_w) {
  if (!phase.settled_w || *phase.settled_w == default_w) return false;
  if (phase.defaults(default_w).empty() || other.defaults(default_w).empty()) return false;
  const MeasuredLimits mine = phase.measured(default_w);
  const MeasuredLimits its = other.measured(default_w);
  const auto here = mine.find(*phase.settled_w);
  const auto there = its.find(*phase.settled_w);
  if (here == mine.end() || there == its.end()) return false;
  return std::abs(here->second.log_cycles_time - there->second.log_cycles_time) < other_work &&
         std::abs(here->second.log_power - there->second.log_power) < other_work;
}

/// Two kinds that take turns and look alike under the limit are told apart only by the returns to
/// the default. Of n that all found one kind, up to 1 - 0.05^(1 / (n + 1)) of the time may have
/// been of the other (95 %, uniform prior).
void add_turns(const std::vector<Phase>& phases, std::size_t i, double default_w, Sum& saved,
               Sum& lost) {
  constexpr std::size_t turns = 3;
  const Phase& phase = phases[i];
  for (std::size_t j = 0; j < phases.size(); ++j) {
    if (j == i || phase.blurs.size() + phases[j].blurs.size() < turns) continue;
    if (!look_alike(phase, phases[j], default_w)) continue;
    const auto n = static_cast<double>(phase.defaults(default_w).size());
    const double share = 1 - std::pow(0.05, 1 / (n + 1));
    const auto mine = under_default(phase, default_w);
    const auto its = under_default(phases[j], default_w);
    const double joules = share * phase.done.limited.did.work * (its->joules - mine->joules);
    const double seconds = share * phase.done.limited.did.work * (its->seconds - mine->seconds);
    (joules > 0 ? saved.above : saved.below) += std::abs(joules);
    (seconds > 0 ? lost.below : lost.above) += std::abs(seconds);
  }
}

}  // namespace

void settle_accounts(const std::vector<Phase>& phases, double default_w, TuneReport& report) {
  Sum saved;
  Sum lost;
  double above = 0;
  bool compared = false;
  for (const Phase& phase : phases) {
    report.joules += phase.done.all.joules;
    report.seconds += phase.done.all.did.seconds;
    report.profiling += Seconds(phase.before_settling.did.seconds);
    const auto defaults = phase.defaults(default_w);
    const bool changed = std::any_of(phase.windows.begin(), phase.windows.end(),
                                     [&](const TuneWindow& w) { return w.limit_w != default_w; });
    // Work that always ran under the default saved nothing and lost nothing.
    if (defaults.empty() || !changed) continue;
    compared = true;
    add_blur(phases, phase, default_w, saved, lost);
    add_turns(phases, static_cast<std::size_t>(&phase - phases.data()), default_w, saved, lost);
    const Factor more = more_work(phase.done.limited, defaults);
    const Level energy = under_default(
        phase.done.limited,
        default_level(defaults, phase.last, phase.default_celsius, energy_of, energy_error), more);
    const Level time = under_default(
        phase.done.limited,
        default_level(defaults, phase.last, phase.default_celsius, time_of_window, time_error),
        more);
    saved.add(energy.amount - phase.done.limited.joules, energy.half, energy.half_above);
    saved.below += energy.below;
    saved.above += energy.above;
    // Slower than the default would have been: the more work, the less slow.
    lost.add(phase.done.limited.did.seconds - time.amount, time.half_above, time.half);
    lost.below += time.above;
    lost.above += time.below;
    if (const auto excess = profiling_excess(phase, default_w)) {
      above += *excess;
      report.profiling_cost = 0;
    }
  }
  if (report.profiling_cost && report.joules > 0) report.profiling_cost = above / report.joules;
  if (!compared) {
    report.cannot_tell = "the job ended before the default and another limit were measured";
    return;
  }
  // Two runs of one job under one limit are never quite alike.
  constexpr double runs_differ = 0.001;
  saved.add(0, runs_differ * report.joules);
  lost.add(0, runs_differ * report.seconds);
  report.saved_j = saved.estimate();
  report.lost_s = lost.estimate();
}

}  // namespace ergo::tune
