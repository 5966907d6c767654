#include "ergo/experiment/tune.hpp"

#include "experiment/tune_choice.hpp"
#include "experiment/tune_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

/// Two windows under one limit agree when they differ by less than this or their own errors.
constexpr double alike = 0.03;
constexpr double other_work = 0.06;  ///< a change beyond it is one of the work
constexpr double errors = 4;         ///< standard errors that no change is made of
constexpr double known_work = 0.03;
constexpr double too_rough =
    0.03;  ///< a window with a larger error is no measurement of the default
constexpr int most_checks = 4;
constexpr int most_refinements = 3;
constexpr double worth_a_check = 0.003;  ///< expected gain, relative
constexpr int most_baselines = 5;        ///< before windows get longer
constexpr int most_doublings = 3;
constexpr Seconds longest_revisit{600.0};

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
  phase().all.add(pending);
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
  pending.add(o);
  phase().last = o.end;
  if (!watching() && step != tune::Step::given_up) pending_profiling.add(o);
  if (step == tune::Step::given_up) {
    book();
    return;
  }
  remember(o);
  if (!usable_from || wanted != in_force || o.begin < *usable_from) return;
  gatherer.add(o);
  // The low probe is the dearest: a rougher value of it serves as well.
  constexpr double rough = 2.5;
  // So do a first look at the default, and the returns to it: there will be more of them.
  const bool low = (step == tune::Step::probe && !low_done) || step == tune::Step::revisit ||
                   (step == tune::Step::baseline && phase().windows.empty());
  if (auto window = gatherer.complete(shortest, std::max(options.longest_window, shortest),
                                      options.precision * (low ? rough : 1))) {
    gatherer.clear();
    window->limit_w = in_force;
    take(std::move(*window));
  }
}

/// Slices since the last return to the default.
void Tuner::State::remember(const TuneObservation& o) {
  const bool revisiting = step == tune::Step::revisit;
  if (!watching() && !revisiting) return recent.clear();
  tune::Slice slice{o, usable_from && wanted == in_force && o.begin >= *usable_from, {}};
  if (revisiting) {
    const TuneWindow& last = *phase().defaults(top()).back();
    slice.beyond = {last.log_time - phase().log_time, last.log_power - phase().log_power};
  }
  recent.push_back(slice);
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
  if (std::max(window.se_time, window.se_energy) > too_rough) {
    if (++baselines > most_baselines) unsteady();
    return;
  }
  const auto& windows = phase().windows;
  if (!windows.empty() &&
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
    if (differ(now, then.log_time, then.log_power, 0, known_work)) continue;
    tune::Phase fresh = std::move(phase());
    phases.erase(phases.begin() + static_cast<std::ptrdiff_t>(current));
    current = i < current ? i : i - 1;
    for (TuneWindow& w : fresh.windows)
      phase().windows.push_back(std::move(w));
    for (tune::Phase::Blur& blur : fresh.blurs)
      phase().blurs.push_back(blur);
    phase().all.add(fresh.all);
    phase().before_settling.add(fresh.before_settling);
    return settle(*phase().settled_w);
  }
  low_done = false;
  go(tune::Step::probe, probe_first.value_or(tune::low_probe(options.limits_w)));
}

void Tuner::State::take_probe(const TuneWindow& window) {
  if (!low_done) {
    keep(window, "probe");
    low_done = true;
    if (!probe_first) return go(tune::Step::probe, top());
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

void Tuner::State::start_checks() {
  checks = 0;
  refinements = 0;
  propose();
}

/// The next limit to check, or the one to settle on.
void Tuner::State::propose() {
  const auto measured = phase().measured(top());
  const double best = tune::best_measured(options, measured);
  if (checks < most_checks) {
    const tune::Choice choice = tune::best_predicted(options, measured);
    if (!measured.contains(choice.limit_w) && choice.gain > worth_a_check) {
      ++checks;
      return go(tune::Step::check, choice.limit_w);
    }
  }
  if (refinements < most_refinements) {
    if (const auto limit = tune::refinement(options, measured, worth_a_check)) {
      ++refinements;
      return go(tune::Step::check, *limit);
    }
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
  settle(tune::best_measured(options, phase().measured(top())));
}

void Tuner::State::settle(double limit) {
  phase().settled_w = limit;
  const auto at = phase().measured(top()).at(limit);
  phase().log_time = at.log_cycles_time;
  phase().log_power = at.log_power;
  phase().se = 0;
  suspicious = false;
  if (revisit.value() <= 0) revisit = options.revisit;
  go(tune::Step::settled, limit);
}

void Tuner::State::take_settled(const TuneWindow& window) {
  if (options.rule == TuneRule::exhaustive) return book();
  tune::Phase& now = phase();
  if (differ(window, now.log_time, now.log_power, now.se, other_work)) {
    // One odd window may be a hiccup, and may lie across the change.
    if (suspicious) return known_by(window) ? void() : work_changed(window);
    suspicious = true;
    return;
  }
  suspicious = false;
  constexpr double follow = 0.3;
  now.log_time += follow * (window.log_time - now.log_time);
  now.log_power += follow * (window.log_power - now.log_power);
  book();
  if (now.settled_w != top() && last_default && window.end - *last_default >= revisit &&
      affords_revisit()) {
    revisit = std::min(revisit * 2, longest_revisit);
    go(tune::Step::revisit, top());
  }
}

void Tuner::State::take_revisit(const TuneWindow& window) {
  // The work changes, pauses or ends in the middle of it: what comes next will tell.
  if (std::max(window.se_time, window.se_energy) > too_rough) {
    last_default = window.end;
    return go(tune::Step::settled, *phase().settled_w);
  }
  const TuneWindow last = *phase().defaults(top()).back();
  if (differ(window, last.log_time, last.log_power, std::max(last.se_time, last.se_power),
             other_work)) {
    ++changes;
    const std::size_t from = current;
    begin_phase();
    divide_unseen(from, current);
    keep(window, "default");
    return go(tune::Step::baseline, top());
  }
  keep(window, "default");
  recent.clear();
  go(tune::Step::settled, *phase().settled_w);
}

/// Work that was seen before under this limit is known again without a return to the default.
bool Tuner::State::known_by(const TuneWindow& window) {
  for (std::size_t i = 0; i < phases.size(); ++i) {
    if (i == current || !phases[i].settled_w || phases[i].defaults(top()).empty()) continue;
    const auto measured = phases[i].measured(top());
    const auto then = measured.find(in_force);
    if (then == measured.end()) continue;
    const bool same_limit = phases[i].settled_w == in_force;
    const double time = same_limit ? phases[i].log_time : then->second.log_cycles_time;
    const double power = same_limit ? phases[i].log_power : then->second.log_power;
    if (differ(window, time, power, 0, known_work)) continue;
    ++changes;
    const std::size_t from = current;
    current = i;
    divide(window, from, i);
    settle(*phase().settled_w);
    return true;
  }
  return false;
}

/// The work changed some time before `window`: what was done since then moves to the kind `to`.
void Tuner::State::divide(const TuneWindow& window, std::size_t from, std::size_t to) {
  tune::Phase& old = phases[from];
  old.all.add(pending);
  pending = {};
  // What was watched long ago was one kind of work for sure, but its pace may have drifted.
  const Instant oldest = window.end - std::max(options.longest_window, shortest) * 4;
  std::erase_if(recent, [&](const tune::Slice& slice) { return slice.o.begin < oldest; });
  cut(tune::change_in(recent, {old.log_time, old.log_power}, {window.log_time, window.log_power}),
      from, to);
}

/// A return to the default shows other work that looked alike under the limit settled on.
void Tuner::State::divide_unseen(std::size_t from, std::size_t to) {
  phases[from].all.add(pending);
  pending = {};
  if (const auto at = tune::change_in(recent)) return cut(*at, from, to);
  // Any time since the last return.
  tune::Phase::Blur blur{{}, from, -0.5, 0.5};
  for (const tune::Slice& slice : recent)
    blur.totals.add(slice.o);
  phases[to].blurs.push_back(blur);
  recent.clear();
}

/// Moves what was done since slice `at` from one kind of work to another.
void Tuner::State::cut(std::size_t at, std::size_t from, std::size_t to) {
  tune::Phase& old = phases[from];
  tune::Phase& fresh = phases[to];
  tune::Phase::Blur blur;
  blur.from = from;
  for (std::size_t i = 0; i < recent.size(); ++i) {
    tune::Totals one;
    one.add(recent[i].o);
    // It may have happened within the slices on either side.
    if (i + 1 == at || i == at) blur.totals.add(one);
    if (i < at) continue;
    old.all.add(one, -1);
    fresh.all.add(one);
  }
  fresh.blurs.push_back(blur);
  recent.clear();
}

/// Joules in all.
double Tuner::State::used() const {
  double sum = pending.joules;
  for (const tune::Phase& p : phases)
    sum += p.all.joules;
  return sum;
}

/// Joules that profiling has cost.
double Tuner::State::spent() const {
  double sum = 0;
  for (const tune::Phase& p : phases)
    sum += tune::profiling_excess(p, top()).value_or(0);
  return sum;
}

bool Tuner::State::affords_revisit() const {
  const tune::Phase& now = phases[current];
  const TuneWindow& last = *now.defaults(top()).back();
  const auto measured = now.measured(top());
  const tune::Measured& settled = measured.at(*now.settled_w);
  const tune::Measured& standard = measured.at(top());
  // A window, and the time that the change of the limit takes.
  const double joules = last.joules / last.duration().value() *
                        (std::max(last.duration(), shortest) + options.settle).value();
  const double more = settled.log_time + settled.log_power - standard.log_time - standard.log_power;
  return spent() + joules * (1 - std::exp(more)) <= options.budget * used();
}

void Tuner::State::work_changed(const TuneWindow& window) {
  ++changes;
  // Work that changes faster than it can be measured is averaged over longer windows.
  if (changes % 4 == 0 && doublings < most_doublings) {
    ++doublings;
    shortest = shortest * 2;
  }
  const bool strained = spent() > options.budget / 2 * used();
  const std::optional<double> before = phase().settled_w;
  const std::size_t from = current;
  begin_phase();
  divide(window, from, current);
  if (strained && before && *before != top()) probe_first = before;
  go(tune::Step::baseline, top());
}

void Tuner::State::begin_phase() {
  phases.emplace_back();
  current = phases.size() - 1;
  probe_first.reset();
  baselines = 0;
  suspicious = false;
  revisit = options.revisit;
}

void Tuner::State::unsteady() {
  baselines = 0;
  if (doublings < most_doublings) {
    ++doublings;
    shortest = shortest * 2;
    return go(tune::Step::baseline, top());
  }
  go(tune::Step::given_up, top());
}

}  // namespace ergo
