// A Tuner that has settled: it watches for other work and returns to the default now and then.
#include "experiment/tune_state.hpp"

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

constexpr Seconds longest_revisit{600.0};

}  // namespace

/// Slices since the last return to the default.
void Tuner::State::remember(const TuneObservation& o, bool limited) {
  const bool revisiting = step == tune::Step::revisit;
  if (!watching() && !revisiting) return recent.clear();
  tune::Slice slice{o, limited, usable_from && wanted == in_force && o.begin >= *usable_from, {}};
  if (revisiting) {
    const TuneWindow& last = *phase().defaults(top()).back();
    slice.beyond = {last.log_time - phase().log_time, last.log_power - phase().log_power};
  }
  recent.push_back(slice);
}

void Tuner::State::take_settled(const TuneWindow& window) {
  if (options.rule == TuneRule::exhaustive) return book();
  tune::Phase& now = phase();
  if (differ(window, now.log_time, now.log_power, now.se, tune::other_work)) {
    // One odd window may be a hiccup, and may lie across the change.
    if (suspicious) return known_by(window) ? void() : work_changed(window);
    suspicious = true;
    return;
  }
  suspicious = false;
  const double time_off = std::abs(window.log_time - now.log_time);
  const double power_off = std::abs(window.log_power - now.log_power);
  if (window.limit_w != top() && std::max(time_off, power_off) > tune::other_work)
    now.uneven.push_back(
        {window.end, window.work * (time_off + power_off), window.work * time_off});
  constexpr double follow = 0.3;
  now.log_time += follow * (window.log_time - now.log_time);
  now.log_power += follow * (window.log_power - now.log_power);
  book();
  if (now.settled_w != top() && last_default && window.end - *last_default >= revisit &&
      affords_revisit()) {
    revisit = std::min(revisit * 2, longest_revisit);
    plan_revisit();
    go(tune::Step::revisit, top());
  }
}

void Tuner::State::take_revisit(const TuneWindow& window) {
  // The work changes, pauses or ends in the middle of it: what comes next will tell. If nothing
  // does, the default may have been as far off all the time since the last return.
  if (std::max(window.se_time, window.se_energy) > tune::too_rough) {
    const TuneWindow& before = *phase().defaults(top()).back();
    double work = 0;
    for (const tune::Slice& slice : recent)
      work += slice.limited ? slice.o.work : 0;
    phase().uneven.push_back({window.end,
                              work * std::abs(window.log_energy() - before.log_energy()),
                              work * std::abs(window.log_time - before.log_time)});
    last_default = window.end;
    return go(tune::Step::settled, *phase().settled_w);
  }
  const TuneWindow last = *phase().defaults(top()).back();
  if (differ(window, last.log_time, last.log_power, std::max(last.se_time, last.se_power),
             tune::other_work)) {
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
    if (differ(window, time, power, 0, tune::known_work)) continue;
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
  old.done.add(pending);
  pending = {};
  // What was watched long ago was one kind of work for sure, but its pace may have drifted.
  const Instant oldest = window.end - std::max(options.longest_window, shortest) * 4;
  std::erase_if(recent, [&](const tune::Slice& slice) { return slice.o.begin < oldest; });
  // What was uneven is now told apart.
  if (!recent.empty()) {
    std::erase_if(old.uneven,
                  [&](const tune::Phase::Uneven& w) { return w.end > recent.front().o.begin; });
  }
  cut(tune::change_in(recent, {old.log_time, old.log_power}, {window.log_time, window.log_power}),
      from, to);
}

/// A return to the default shows other work that looked alike under the limit settled on.
void Tuner::State::divide_unseen(std::size_t from, std::size_t to) {
  phases[from].done.add(pending);
  pending = {};
  // The return itself is of the new kind, or there would have been no change: it says nothing about
  // when.
  std::vector<tune::Slice> watched;
  for (const tune::Slice& slice : recent)
    if (slice.limited) watched.push_back(slice);
  if (const auto at = tune::change_in(watched)) return cut(*at, from, to);
  // Any time since the last return.
  tune::Phase::Blur blur{{}, from, -0.5, 0.5};
  for (const tune::Slice& slice : recent)
    if (slice.limited) blur.totals.add(slice.o);
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
    tune::Account one;
    one.add(recent[i].o, recent[i].limited);
    // It may have happened within the slices on either side.
    if (i + 1 == at || i == at) blur.totals.add(one.limited);
    if (i < at) continue;
    old.done.add(one, -1);
    fresh.done.add(one);
  }
  fresh.blurs.push_back(blur);
  recent.clear();
}

/// Joules in all.
double Tuner::State::used() const {
  double sum = pending.all.joules;
  for (const tune::Phase& p : phases)
    sum += p.done.all.joules;
  return sum;
}

/// Joules that profiling has cost.
double Tuner::State::spent() const {
  double sum = 0;
  for (const tune::Phase& p : phases)
    sum += tune::profiling_excess(p, top()).value_or(0);
  return sum;
}

/// Joules that profiling may cost: of what has been used, or will have been in the end where the
/// job tells how long it is.
double Tuner::State::budget() const {
  double all = used();
  const tune::Totals& done = phases[current].done.all;
  if (left && done.did.seconds > 0) all += left->value() * done.joules / done.did.seconds;
  return options.budget * all;
}

/// Joules that a return to the default costs.
double Tuner::State::revisit_price() const {
  const tune::Phase& now = phases[current];
  const TuneWindow& last = *now.defaults(top()).back();
  const auto measured = now.measured(top());
  const tune::Measured& settled = measured.at(*now.settled_w);
  const tune::Measured& standard = measured.at(top());
  // A window, and the time that the change of the limit takes.
  const double joules = last.joules / last.duration().value() *
                        (std::max(last.duration(), shortest) + options.settle).value();
  const double more = settled.log_time + settled.log_power - standard.log_time - standard.log_power;
  return joules * (1 - std::exp(more));
}

bool Tuner::State::affords_revisit() const {
  // One that the end of the job cuts short tells nothing.
  if (left && *left < (shortest + options.settle) * 2) return false;
  return spent() + revisit_price() <= budget();
}

/// Where the job tells how long it is, and not many returns are affordable until then: evenly.
void Tuner::State::plan_revisit() {
  const double price = revisit_price();
  if (!left || !(price > 0)) return;
  const double affordable = std::floor(std::max(0.0, budget() - spent()) / price);
  revisit = std::max(revisit, *left * (1 / (affordable + 1)));
}

void Tuner::State::work_changed(const TuneWindow& window) {
  ++changes;
  // Work that changes faster than it can be measured is averaged over longer windows.
  if (changes % 4 == 0 && doublings < tune::most_doublings) {
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

}  // namespace ergo
