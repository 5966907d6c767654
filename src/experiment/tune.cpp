#include "ergo/experiment/tune.hpp"

#include "experiment/tune_choice.hpp"
#include "experiment/tune_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ergo {
namespace {

/// Two windows under one limit agree when they differ by less than this or their own errors.
constexpr double alike = 0.03;
constexpr double errors = 4;  ///< standard errors that no change is made of
constexpr int most_checks = 4;
constexpr int most_refinements = 6;
constexpr int most_confirmations = 2;
constexpr double fewest_windows = 4;     ///< that must fit into the rest of the job for profiling
constexpr double worth_a_check = 0.003;  ///< expected gain, relative
constexpr double check_price = 0.03;     ///< by which a limit that is checked is dearer
constexpr int most_baselines = 5;        ///< before windows get longer

/// A window that is uneven although the next one is not holds something else: the end of start-up,
/// or of other work.
bool much_rougher(const TuneWindow& one, const TuneWindow& next) {
  constexpr double even = 0.012;
  constexpr double much = 2.5;
  const auto worst = [](const TuneWindow& w) {
    return std::max({w.se_time, w.se_power, w.se_traffic});
  };
  return worst(one) > std::max(even, much * worst(next));
}

/// ln of the lowest clock of the card as far as it is seen: limits show it that lie apart and yet
/// have one clock, or one under which the card draws more than it may. `-inf` where it is not seen.
double lowest_clock(const tune::MeasuredLimits& measured, double over) {
  constexpr double below_top = 0.05;
  // Power is at most the cube of the clock: limits so far apart have other clocks.
  constexpr double apart = 0.06;
  const double nowhere = -std::numeric_limits<double>::infinity();
  double lowest = measured.rbegin()->second.log_clock - below_top;
  for (const auto& [limit, m] : measured)
    lowest = m.free ? lowest : std::min(lowest, m.log_clock);
  double first = 0;
  double last = 0;
  for (const auto& [limit, m] : measured) {
    if (m.free || m.log_clock - lowest > tune::same_clock) continue;
    if (std::exp(m.log_power) > over * limit) return lowest;
    first = first > 0 ? first : limit;
    last = limit;
  }
  return first > 0 && std::log(last / first) > apart ? lowest : nowhere;
}

/// At its lowest clock a card that has to draw still less skips pulses: the clock that is told is
/// not the one that is had, and nothing else shows how fast it is. Where power is above the limit
/// it surely does; where it is not, as of work with pauses, it may. No lower limit is then taken to
/// cost less energy than the one above.
void beyond_the_cliff(tune::MeasuredLimits& measured) {
  constexpr double over = 1.03;
  constexpr double noise = 0.03;
  constexpr double dearer = 0.02;  // the time that is lost costs static power
  const double lowest = lowest_clock(measured, over);
  const tune::Measured* above = nullptr;
  for (auto it = measured.rbegin(); it != measured.rend(); ++it) {
    tune::Measured& m = it->second;
    const bool at_lowest = !m.free && m.log_clock - lowest <= tune::same_clock;
    // A lower limit makes no work faster: cycles were told that were not had.
    const bool faster = above != nullptr && m.log_time < above->log_time - noise;
    if (above != nullptr && (at_lowest || faster || std::exp(m.log_power) > over * it->first)) {
      m.beyond = true;
      m.log_time = std::max(m.log_time, above->log_time + above->log_power - m.log_power + dearer);
    }
    above = &m;
  }
}

}  // namespace

bool Tuner::State::differ(const TuneWindow& w, double log_time, double log_power, double se,
                          double tolerance) const {
  const double own = std::hypot(std::max(w.se_time, w.se_power), se);
  const double most = std::max(tolerance, errors * own);
  return std::abs(w.log_time - log_time) > most || std::abs(w.log_power - log_power) > most;
}

void Tuner::State::go(tune::Step next, double limit) {
  step = next;
  wanted = limit;
  gatherer.clear();
}

/// What happened since the last booking belongs to the current phase.
void Tuner::State::book() {
  phase().done.add(pending);
  phase().before_settling.add(pending_profiling);
  pending = {};
  pending_profiling = {};
}

void Tuner::State::keep(const TuneWindow& window, std::string purpose) {
  phase().windows.push_back(window);
  phase().windows.back().purpose = std::move(purpose);
  log.push_back(phase().windows.back());
  if (window.limit_w == top()) last_default = window.end;
  book();
}

void Tuner::State::observe(const TuneObservation& o) {
  const bool limited = in_force != top() || o.begin < set_at;
  pending.add(o, limited);
  left = o.left;
  heat.add(o, current);
  phase().last = o.end;
  if (!watching() && step != tune::Step::given_up) pending_profiling.add(o);
  if (step == tune::Step::given_up) {
    book();
    return;
  }
  remember(o, limited);
  if (!usable_from || wanted != in_force || o.begin < *usable_from) return;
  gatherer.add(o);
  // The low probe is the dearest: a rougher value of it serves as well.
  constexpr double rough = 2.5;
  // So is the default where it costs much more: it is looked at several times.
  constexpr double less_exact = 1.5;
  const bool dear = in_force == top();
  // So do a first look at the default, and the returns to it: there will be more of them.
  const bool low = (step == tune::Step::probe && !low_done) || step == tune::Step::revisit ||
                   (step == tune::Step::baseline && phase().windows.empty());
  if (auto window = gatherer.complete(shortest, std::max(options.longest_window, shortest),
                                      options.precision * (low    ? rough
                                                           : dear ? less_exact
                                                                  : 1))) {
    window->limit_w = in_force;
    const auto [watts, watts_step] = gatherer.watts();
    if (!watching()) phase().find_beat(*window, watts, watts_step, top());
    // A limit flattens the beat: it takes longer to see.
    constexpr double well_seen = 0.005;
    const bool vague = !window->beat_s || window->se_beat > well_seen;
    if (!watching() && in_force != top() && vague && gatherer.length() < options.longest_window &&
        phase().has_beat(top()))
      return;
    gatherer.clear();
    take(std::move(*window));
  }
}

void Tuner::State::take(TuneWindow window) {
  switch (step) {
    case tune::Step::baseline:
      return take_baseline(window);
    case tune::Step::probe:
      return take_probe(window);
    case tune::Step::check:
      return take_check(window);
    case tune::Step::settled:
      return take_settled(window);
    case tune::Step::revisit:
      return take_revisit(window);
    case tune::Step::profile:
      return take_profile(window);
    case tune::Step::given_up:
      return;
  }
}

/// The first window may hold start-up: it counts for nothing until a second one is like it.
void Tuner::State::take_baseline(const TuneWindow& window) {
  if (std::max(window.se_time, window.se_energy) > tune::too_rough) {
    if (++baselines > most_baselines) unsteady();
    return;
  }
  const auto& windows = phase().windows;
  if (!windows.empty() && !much_rougher(windows.back(), window) &&
      !differ(window, windows.back().log_time, windows.back().log_power,
              std::max(windows.back().se_time, windows.back().se_power), alike)) {
    keep(window, "default");
    return after_agreement();
  }
  phase().windows.clear();
  keep(window, "default");
  if (++baselines > most_baselines) unsteady();
}

void Tuner::State::after_agreement() {
  baselines = 0;
  if (options.rule == TuneRule::exhaustive) {
    to_check.assign(options.limits_w.rbegin() + 1, options.limits_w.rend());
    if (to_check.empty()) return settle(top());
    const double first = to_check.front();
    return go(tune::Step::profile, first);
  }
  // Work that was seen before needs no probing.
  const TuneWindow& now = phase().windows.back();
  for (std::size_t i = 0; i < phases.size(); ++i) {
    if (i == current || !phases[i].settled_w) continue;
    const TuneWindow& then = *phases[i].defaults(top()).back();
    if (differ(now, then.log_time, then.log_power, 0, tune::known_work)) continue;
    tune::Phase fresh = std::move(phase());
    phases.erase(phases.begin() + static_cast<std::ptrdiff_t>(current));
    heat.merge(current, i);
    current = i < current ? i : i - 1;
    for (TuneWindow& w : fresh.windows)
      phase().windows.push_back(std::move(w));
    for (tune::Phase::Blur& blur : fresh.blurs)
      phase().blurs.push_back(blur);
    phase().done.add(fresh.done);
    phase().before_settling.add(fresh.before_settling);
    return settle(*phase().settled_w);
  }
  // Nothing is gained any more.
  if (left && *left < (shortest + options.settle) * fewest_windows) return settle(top());
  low_done = false;
  go(tune::Step::probe,
     probe_first.value_or(tune::low_probe(
         options.limits_w, std::exp(now.log_power) / std::max(1, options.gpus), now.capped)));
}

void Tuner::State::take_probe(const TuneWindow& window) {
  if (!low_done) {
    keep(window, "probe");
    low_done = true;
    if (!probe_first && affords_second_look(window)) return go(tune::Step::probe, top());
    return start_checks();
  }
  // Back under the default: is the work still what it was?
  const TuneWindow before = *phase().defaults(top()).back();
  if (differ(window, before.log_time, before.log_power, std::max(before.se_time, before.se_power),
             alike)) {
    phase().windows.clear();
    keep(window, "default");
    if (++baselines > most_baselines) return unsteady();
    return go(tune::Step::baseline, top());
  }
  keep(window, "default");
  start_checks();
}

/// A short job that tells its length is spared the second look at the default where what was saved
/// under the low probe says that it is too dear.
bool Tuner::State::affords_second_look(const TuneWindow& low) const {
  if (!left) return true;
  const TuneWindow& last = *phases[current].defaults(top()).back();
  const double saving = 1 - std::exp(low.log_energy() - last.log_energy());
  const double watts = last.joules / last.duration().value();
  const double so_far = phases[current].before_settling.did.seconds - low.duration().value();
  return saving * watts * (so_far + (shortest + options.settle).value()) <= budget();
}

void Tuner::State::start_checks() {
  checks = 0;
  refinements = 0;
  confirmations = 0;
  propose();
}

/// Limits are of one GPU, joules of all of them.
tune::MeasuredLimits Tuner::State::measured_of_one() const {
  tune::MeasuredLimits measured = phases[current].measured(top());
  const double gpus = std::max(1, options.gpus);
  for (auto& [limit, m] : measured) {
    m.log_power -= std::log(gpus);
    m.host_w /= gpus;
  }
  const auto& activity = phases[current].windows.back().activity;
  if (activity && !(activity->traffic_s > 0)) beyond_the_cliff(measured);
  return measured;
}

/// The next limit to check, or the one to settle on.
void Tuner::State::propose() {
  const auto measured = measured_of_one();
  const double best = tune::best_measured(options, measured);
  // A check runs at a limit that is not the best; the gain lasts until the end.
  const double price = left ? check_price * (shortest + options.settle).value() / left->value() : 0;
  const double worth = std::max(worth_a_check, price);
  if (checks < most_checks) {
    const tune::Choice choice = tune::best_predicted(options, measured);
    if (!measured.contains(choice.limit_w) && choice.gain > worth) {
      ++checks;
      return go(tune::Step::check, choice.limit_w);
    }
  }
  if (refinements < most_refinements) {
    if (const auto limit = tune::refinement(options, measured, worth)) {
      ++refinements;
      return go(tune::Step::check, *limit);
    }
  }
  if (confirmations < most_confirmations && tune::unsure(options, measured, best)) {
    ++confirmations;
    return go(tune::Step::check, best);
  }
  settle(best);
}

void Tuner::State::take_check(const TuneWindow& window) {
  keep(window, "check");
  propose();
}

void Tuner::State::take_profile(const TuneWindow& window) {
  keep(window, "profile");
  to_check.erase(to_check.begin());
  if (!to_check.empty()) return go(tune::Step::profile, to_check.front());
  settle(tune::best_measured(options, measured_of_one()));
}

void Tuner::State::settle(double limit) {
  phase().settled_w = limit;
  const auto at = phase().measured(top()).at(limit);
  phase().log_time = at.log_cycles_time;
  phase().log_power = at.log_power;
  phase().se = 0;
  suspicious = false;
  if (revisit.value() <= 0) revisit = options.revisit;
  plan_revisit();
  go(tune::Step::settled, limit);
}

void Tuner::State::unsteady() {
  baselines = 0;
  if (doublings < tune::most_doublings) {
    ++doublings;
    shortest = shortest * 2;
    return go(tune::Step::baseline, top());
  }
  go(tune::Step::given_up, top());
}

}  // namespace ergo
