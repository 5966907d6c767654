#include "ergo/experiment/tune_events.hpp"

#include "ergo/energy/measure.hpp"
#include "experiment/tune_marks.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <tuple>

namespace ergo {
namespace {

/// Up to when every energy and power sensor has shown its value.
struct Readings {
  std::optional<Instant> until;
  Instant latest;  ///< of all readings
  Seconds update{0.0};
};

Readings readings_of(const Timeline& timeline) {
  Readings r;
  Seconds delay{0.0};
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::energy && info.kind != SignalKind::power) continue;
    if (info.domain != Domain::gpu) continue;
    const auto last = timeline.last(id);
    if (!last) continue;
    r.until = r.until ? std::max(*r.until, last->time) : last->time;
    r.update = std::max(r.update, info.traits.update_period);
    delay = std::max(delay, info.traits.update_period + info.traits.averaging_window);
  }
  if (!r.until) return r;
  r.latest = *r.until;
  r.until = r.latest - delay;
  return r;
}

/// The bit of NVML's clock event reasons that says "the power limit holds the clock down".
constexpr std::uint64_t held_by_power_limit = 0x04;

/// Share of the readings in which a limit held a clock down, of the GPU that was held most; nothing
/// where a GPU does not tell.
std::optional<double> capped_in(const Timeline& timeline, Instant from, Instant to) {
  std::optional<double> most;
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::flags || !info.name.ends_with(".throttle_reasons")) continue;
    double readings = 0;
    double capped = 0;
    timeline.visit(id, from, to, [&](const Sample& sample) {
      if (sample.time < from || sample.time > to) return;
      readings += 1;
      capped += (static_cast<std::uint64_t>(sample.value) & held_by_power_limit) != 0 ? 1 : 0;
    });
    if (readings == 0) return std::nullopt;
    most = std::max(most.value_or(0), capped / readings);
  }
  return most;
}

/// Variance of the readings of a gauge.
double variance_in(const Timeline& timeline, std::string_view name, Instant from, Instant to) {
  double n = 0;
  double sum = 0;
  double squares = 0;
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    if (timeline.info(id).name != name) continue;
    timeline.visit(id, from, to, [&](const Sample& sample) {
      if (sample.time < from || sample.time > to) return;
      n += 1;
      sum += sample.value;
      squares += sample.value * sample.value;
    });
  }
  return n > 0 ? std::max(0.0, squares / n - sum / n * sum / n) : 0;
}

/// What the gauges of all GPUs say of the work done in a stretch of time.
struct Shown {
  double cycles = 0;  ///< busy time x clock, in units of the fastest clock seen
  TuneActivity activity;
  std::optional<double> celsius;
};

/// Half of the last digit of the utilisation of memory: NVML tells whole per cents, GPM fractions.
constexpr double nvml_digit = 0.005;
constexpr double gpm_digit = 0.0005;

Shown shown_in(const Timeline& timeline, Instant from, Instant to,
               std::map<std::string, double>& fastest) {
  // By GPU and quantity; a quantity is absent where it was not read.
  std::map<std::string, std::map<std::string, double, std::less<>>> means;
  for (const GaugeSummary& gauge : summarize_gauges(timeline, {from, to})) {
    const std::size_t dot = gauge.name.find('.');
    if (dot == std::string::npos || !gauge.name.starts_with("gpu")) continue;
    const std::string gpu = gauge.name.substr(0, dot);
    const std::string quantity = gauge.name.substr(dot + 1);
    means[gpu][quantity] = gauge.mean;
    if (quantity == "sm_clock") fastest[gpu] = std::max(fastest[gpu], gauge.max);
  }
  Shown shown;
  const double seconds = (to - from).value();
  double squares = 0;
  double scatter = 0;
  double warm = 0;
  std::size_t thermometers = 0;
  bool traffic = true;
  for (const auto& [gpu, mean] : means) {
    if (const auto t = mean.find("temperature"); t != mean.end()) {
      warm += t->second;
      ++thermometers;
    }
    const auto busy = mean.find("sm_utilization");
    const auto clock = mean.find("sm_clock");
    if (busy == mean.end() || clock == mean.end() || fastest[gpu] <= 0) continue;
    shown.cycles += busy->second / 100 * clock->second / fastest[gpu] * seconds;
    shown.activity.busy_s += busy->second / 100 * seconds;
    auto moved = mean.find("dram_activity");
    const double digit = moved != mean.end() ? gpm_digit : nvml_digit;
    if (moved == mean.end()) moved = mean.find("memory_utilization");
    traffic = traffic && moved != mean.end();
    if (moved != mean.end()) {
      shown.activity.traffic_s += moved->second / 100 * seconds;
      scatter += variance_in(timeline, gpu + '.' + moved->first, from, to) / 1e4;
    }
    squares += digit * digit;
  }
  if (!traffic) shown.activity.traffic_s = 0;
  const double level = shown.activity.traffic_s / seconds;
  shown.activity.traffic_squares_s = (level * level + scatter) * seconds;
  if (squares > 0) shown.activity.traffic_error = std::sqrt(squares);
  if (thermometers > 0) shown.celsius = warm / static_cast<double>(thermometers);
  return shown;
}

/// Joules of the GPUs, and of what else is measured.
std::pair<double, double> joules_in(const Timeline& timeline, Instant from, Instant to) {
  std::pair<double, double> sum;
  for (const ChannelEnergy& channel : ergo::measure(timeline, {from, to}).channels) {
    if (!channel.in_total || channel.provenance == Provenance::estimated) continue;
    (channel.domain == Domain::gpu ? sum.first : sum.second) += channel.joules.value();
  }
  return sum;
}

/// How far readings of the GPUs' energy or power lie apart; those of the slowest.
Seconds pace_of(const Timeline& timeline, Instant from, Instant to) {
  Seconds pace{0.0};
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::energy && info.kind != SignalKind::power) continue;
    if (info.domain != Domain::gpu) continue;
    double readings = 0;
    timeline.visit(id, from, to, [&](const Sample& sample) {
      readings += sample.time >= from && sample.time <= to ? 1 : 0;
    });
    pace = std::max({pace, info.traits.update_period, (to - from) / std::max(1.0, readings)});
  }
  return pace;
}

std::optional<double> foreign_share_of(const Timeline& timeline, Instant from, Instant to) {
  std::optional<double> most;
  for (const GaugeSummary& gauge : summarize_gauges(timeline, {from, to})) {
    if (gauge.name.ends_with(".process_share")) most = std::max(most.value_or(0), 1 - gauge.mean);
  }
  return most;
}

}  // namespace

struct TuneEvents::State {
  State(Tuner& the_tuner, TuneEventsOptions the_options, RunEvents& the_next)
      : tuner(the_tuner), options(std::move(the_options)), next(the_next) {}

  Tuner& tuner;
  TuneEventsOptions options;
  RunEvents& next;
  std::mutex mutex;  // guards what takes marks: they come on a thread of their own
  tune::ItemCounter counter;
  SeriesTracker series{[](int pid) { return pid <= 0 || ::kill(pid, 0) == 0 || errno == EPERM; }};
  WorkMeasure measure = WorkMeasure::none;
  std::optional<Instant> used_until;
  std::optional<Instant> first_busy;
  std::map<std::string, double> fastest;
  Seconds watts_step{0.0};  ///< of the power that may show a beat
  Watts in_force{0.0};
  bool begun = false;
  std::optional<Error> failure;
  std::optional<double> foreign;

  void choose_measure(const Timeline& timeline, Instant until);
  void switch_to(WorkMeasure wanted, Instant from);
  std::optional<TuneObservation> next_slice(const Timeline& timeline, Instant until, Seconds least);
  void obey(Instant now);
};

void TuneEvents::State::switch_to(WorkMeasure wanted, Instant from) {
  if (measure != WorkMeasure::none) tuner.new_unit();
  measure = wanted;
  used_until = from;
}

/// Marks as soon as they are seen to repeat; activity when there are none for a while.
void TuneEvents::State::choose_measure(const Timeline& timeline, Instant until) {
  if (measure != WorkMeasure::items && counter.ready()) {
    if (const auto from = counter.last_end(until)) switch_to(WorkMeasure::items, *from);
    return;
  }
  if (measure != WorkMeasure::none) return;
  if (!first_busy) {
    const Instant from = until - Seconds(1.0);
    if (shown_in(timeline, from, until, fastest).cycles > 0) first_busy = until;
    return;
  }
  if (until - *first_busy < options.wait_for_marks) return;
  constexpr Seconds finest{0.1};
  watts_step = std::max(finest, pace_of(timeline, *first_busy, until));
  switch_to(WorkMeasure::activity, until);
}

std::optional<TuneObservation> TuneEvents::State::next_slice(const Timeline& timeline,
                                                             Instant until, Seconds least) {
  TuneObservation o;
  o.begin = *used_until;
  const double steps =
      measure == WorkMeasure::activity ? std::floor((until - o.begin) / watts_step) : 0;
  const auto end = measure == WorkMeasure::items ? counter.last_end(until)
                                                 : std::optional(o.begin + watts_step * steps);
  if (!end || *end - o.begin < least) return std::nullopt;
  o.end = *end;
  const Shown shown = shown_in(timeline, o.begin, o.end, fastest);
  o.celsius = shown.celsius;
  o.capped = capped_in(timeline, o.begin, o.end);
  if (series.series()) o.left = tune::time_left(*series.series(), o.end);
  o.work = measure == WorkMeasure::items ? counter.between(o.begin, o.end) : shown.cycles;
  std::tie(o.joules, o.host_joules) = joules_in(timeline, o.begin, o.end);
  if (measure != WorkMeasure::activity) return o;
  o.activity = shown.activity;
  o.watts_step = watts_step;
  for (double i = 0; i < steps; ++i) {
    const Instant from = o.begin + watts_step * i;
    o.watts.push_back(joules_in(timeline, from, from + watts_step).first / watts_step.value());
  }
  return o;
}

void TuneEvents::State::obey(Instant now) {
  const Watts wanted(tuner.wanted_limit());
  if (failure || wanted == in_force) return;
  const auto set = options.set_limit(wanted);
  if (!set) {
    failure = set.error();
    // The job goes on: under the limit that it would have had.
    if (auto back = options.set_limit(options.found); back) in_force = options.found;
    return;
  }
  in_force = wanted;
  tuner.limit_set(now, wanted.value());
}

TuneEvents::TuneEvents(Tuner& tuner, TuneEventsOptions options, RunEvents& next)
    : state_(std::make_unique<State>(tuner, std::move(options), next)) {}
TuneEvents::~TuneEvents() = default;

void TuneEvents::on_phase(std::string_view phase, std::optional<Seconds> length) {
  state_->next.on_phase(phase, length);
}

void TuneEvents::on_progress(const Timeline& timeline, Instant begin) {
  State& s = *state_;
  s.next.on_progress(timeline, begin);
  const Readings now = readings_of(timeline);
  if (s.failure || !now.until || *now.until <= begin) return;
  if (!s.begun) {
    s.begun = true;
    s.in_force = s.options.found;
    s.tuner.limit_set(begin, s.in_force.value());
  }
  std::optional<TuneObservation> slice;
  {
    const std::lock_guard lock(s.mutex);
    s.choose_measure(timeline, *now.until);
    // An edge is off by up to an update: slices must be long against it.
    const Seconds least = std::max(s.options.shortest_slice, now.update * 5);
    if (s.measure != WorkMeasure::none) slice = s.next_slice(timeline, *now.until, least);
  }
  if (!slice) return;
  s.used_until = slice->end;
  if (const auto share = foreign_share_of(timeline, slice->begin, slice->end))
    s.foreign = std::max(s.foreign.value_or(0), *share);
  s.tuner.observe(*slice);
  // The limit acts from now on, not from the end of the readings.
  s.obey(now.latest);
}

void TuneEvents::on_mark(const MarkMessage& mark, int pid) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->counter.take(mark, pid);
    state_->series.take(mark, pid);
  }
  state_->next.on_mark(mark, pid);
}

void TuneEvents::on_window(const MarkedWindow& window) {
  state_->next.on_window(window);
}

void TuneEvents::on_sample(const Timeline& timeline, SignalId id, const Sample& sample) {
  state_->next.on_sample(timeline, id, sample);
}

bool TuneEvents::wants_stop() {
  return state_->next.wants_stop();
}

WorkMeasure TuneEvents::work_measure() const {
  return state_->measure;
}

std::string TuneEvents::counted() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counter.name();
}

const std::optional<Error>& TuneEvents::failure() const {
  return state_->failure;
}

std::optional<double> TuneEvents::foreign_share() const {
  return state_->foreign;
}

}  // namespace ergo
