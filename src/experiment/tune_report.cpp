// What a Tuner tells, and what it is told.
#include "experiment/tune_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo {

Tuner::Tuner(TuneOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Tuner::Tuner(Tuner&&) noexcept = default;
Tuner& Tuner::operator=(Tuner&&) noexcept = default;
Tuner::~Tuner() = default;

double Tuner::wanted_limit() const {
  return state_->wanted;
}

void Tuner::limit_set(Instant t, double watts) {
  state_->in_force = watts;
  state_->set_at = t;
  state_->usable_from = t + state_->options.settle;
  state_->gatherer.clear();
}

void Tuner::observe(const TuneObservation& observation) {
  state_->observe(observation);
}

void Tuner::new_unit() {
  state_->book();
  state_->begin_phase();
  state_->go(tune::Step::baseline, state_->top());
}

bool Tuner::settled() const {
  return state_->watching();
}

std::string Tuner::status() const {
  const State& s = *state_;
  switch (s.step) {
    case tune::Step::baseline:
      return fmt::format("measuring the default, {:g} W", s.wanted);
    case tune::Step::probe:
      return s.low_done ? fmt::format("back to the default, {:g} W", s.wanted)
                        : fmt::format("probing {:g} W", s.wanted);
    case tune::Step::check:
      return fmt::format("checking {:g} W", s.wanted);
    case tune::Step::profile:
      return fmt::format("measuring {:g} W", s.wanted);
    case tune::Step::settled:
      return fmt::format("settled on {:g} W", s.wanted);
    case tune::Step::revisit:
      return fmt::format("settled on {:g} W, back to the default to compare",
                         s.phases[s.current].settled_w.value_or(s.wanted));
    case tune::Step::given_up:
      return fmt::format("the work varies too much to compare limits; {:g} W, the default",
                         s.wanted);
  }
  return {};
}

namespace {

/// Where nobody counts the work: in units of what the default does in a second, as far as is known.
void in_seconds_of_default(TuneWindow& window, const std::vector<tune::Phase>& phases,
                           double default_w) {
  if (!window.activity) return;
  for (const tune::Phase& phase : phases) {
    const auto mine = std::find_if(phase.windows.begin(), phase.windows.end(),
                                   [&](const TuneWindow& w) { return w.begin == window.begin; });
    const auto defaults = phase.defaults(default_w);
    if (mine == phase.windows.end() || defaults.empty()) continue;
    tune::Progress reference;
    for (const TuneWindow* w : defaults)
      reference.add(tune::progress_of(*w));
    window.log_time += std::log(reference.work / reference.seconds);
    if (window.limit_w != default_w) window.log_time -= phase.more_of(*mine, default_w).value;
    window.work = window.duration().value() / std::exp(window.log_time);
    return;
  }
}

}  // namespace

TuneReport Tuner::report() const {
  TuneReport report;
  std::vector<tune::Phase> phases = state_->phases;
  phases[state_->current].done.add(state_->pending);
  phases[state_->current].before_settling.add(state_->pending_profiling);
  const auto celsius =
      state_->heat.under_default(phases.size(), [&](std::size_t i) -> std::optional<double> {
        const auto defaults = phases[i].defaults(state_->top());
        if (defaults.empty()) return std::nullopt;
        return std::exp(defaults.back()->log_power);
      });
  for (std::size_t i = 0; i < phases.size(); ++i)
    phases[i].default_celsius = celsius[i];
  for (const tune::Phase& phase : phases) {
    report.phases += phase.settled_w ? 1 : 0;
    if (phase.settled_w) report.settled_w = phase.settled_w;
  }
  if (phases[state_->current].settled_w) report.settled_w = phases[state_->current].settled_w;
  report.phase_changes = state_->changes;
  report.windows = state_->log;
  for (TuneWindow& window : report.windows)
    in_seconds_of_default(window, phases, state_->top());
  tune::settle_accounts(phases, state_->top(), report);
  if (state_->step == tune::Step::given_up && report.cannot_tell.empty() && !report.settled_w) {
    report.cannot_tell = "the work varied too much to compare limits";
    report.saved_j.reset();
    report.lost_s.reset();
  }
  return report;
}

}  // namespace ergo
