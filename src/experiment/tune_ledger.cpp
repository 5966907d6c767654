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
Factor more_work(const Phase& phase, const Totals& totals, double default_w) {
  const auto defaults = phase.defaults(default_w);
  if (const auto beat = phase.settled_beat(default_w)) return *beat;
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

std::optional<double> profiling_excess(const Phase& phase, double default_w) {
  const auto defaults = phase.defaults(default_w);
  if (!phase.settled_w || defaults.empty()) return std::nullopt;
  const MeasuredLimits measured = phase.measured(default_w);
  const auto settled = measured.find(*phase.settled_w);
  if (settled == measured.end()) return std::nullopt;
  const Measured& m = settled->second;
  // What was done between the windows was like them.
  double cycles = 0;
  double done = 0;
  for (const TuneWindow& w : phase.windows) {
    cycles += w.work;
    done += w.work * (w.limit_w == default_w ? 1 : std::exp(phase.more_of(w, default_w).value));
  }
  const double work = phase.before_settling.did.work * done / cycles;
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
    const Factor more = more_work(phase, phase.done.limited, default_w);
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
