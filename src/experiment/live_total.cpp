#include "ergo/energy/measure.hpp"
#include "ergo/experiment/live.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>

namespace ergo {
namespace {

/// Shorter stretches are not measured by themselves: a sensor sees nothing of them.
constexpr Seconds shortest_stretch{0.5};
/// In units of the slowest sensor's update period.
constexpr double shortest_in_updates = 5;

bool process_exists(int pid) {
  return pid <= 0 || ::kill(pid, 0) == 0 || errno == EPERM;
}

/// Up to when every sensor has shown its value, and how long a stretch must be to be seen.
struct Settled {
  std::optional<Instant> until;
  Seconds shortest = shortest_stretch;
};

Settled settled(const Timeline& timeline) {
  Settled s;
  Seconds slowest{0.0};
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::energy && info.kind != SignalKind::power) continue;
    const auto last = timeline.last(id);
    if (!last) continue;
    s.until = s.until ? std::max(*s.until, last->time) : last->time;
    slowest = std::max(slowest, info.traits.update_period);
  }
  if (s.until) s.until = *s.until - slowest;
  s.shortest = std::max(s.shortest, slowest * shortest_in_updates);
  return s;
}

/// Joules of a stretch, and the part of their error that more readings do not take away.
struct Stretch {
  double joules = 0;
  double low = 0;   ///< distance to the low end
  double high = 0;  ///< and to the high end
  Provenance provenance = Provenance::measured;
};

/// Measured channels, or the estimated ones when nothing is measured.
std::optional<Stretch> joules_of(const Timeline& timeline, Instant from, Instant to) {
  if (to <= from) return Stretch{};
  const WindowEnergy energy = measure(timeline, {from, to});
  if (!energy.total.measured && !energy.total.estimated) return std::nullopt;
  const bool estimated = !energy.total.measured;
  Stretch stretch;
  if (estimated) stretch.provenance = Provenance::estimated;
  for (const ChannelEnergy& channel : energy.channels) {
    if (!channel.in_total || (channel.provenance == Provenance::estimated) != estimated) continue;
    stretch.joules += channel.joules.value();
    if (channel.provenance == Provenance::simulated) stretch.provenance = Provenance::simulated;
    if (estimated) {
      stretch.low += (channel.joules - channel.low).value();
      stretch.high += (channel.high - channel.joules).value();
    }
    for (const BudgetPart& part : channel.budget) {
      if (estimated || part.name != "gain") continue;
      stretch.low += part.low_side.value_or(part.half_width).value();
      stretch.high += part.half_width.value();
    }
  }
  return stretch;
}

}  // namespace

struct LiveTotal::State {
  State(LiveOptions the_options, RunEvents& the_next)
      : options(std::move(the_options)), next(the_next), tracker(process_exists) {}

  LiveOptions options;
  RunEvents& next;

  std::mutex mutex;  // guards the tracker: marks come on a thread of their own
  SeriesTracker tracker;

  // Of the run, in consecutive stretches, so that a long run is not summed up again and again.
  std::optional<Instant> used_until;
  double used = 0;
  Stretch latest;  ///< the last stretch of some length: how far sensors may be off

  // Of the current series.
  int number = 0;
  std::size_t begins_taken = 0;  ///< cycles up to this begin have been added
  double before_joules = 0;      ///< of the run, before the training
  double training_joules = 0;    ///< up to the last begin that was taken
  double training_seconds = 0;
  CyclePredictor joules;
  CyclePredictor seconds;
  std::optional<Estimate> run_prediction;

  bool stop = false;

  void extend_used(const Timeline& timeline, Instant begin, const Settled& now);
  void follow(const Timeline& timeline, Instant begin, const AnnouncedSeries& series,
              const Settled& now);
  bool begin_series(const Timeline& timeline, Instant begin, const AnnouncedSeries& series);
  [[nodiscard]] Estimate with_sensors(double value, double low, double high) const;
  void tell(const AnnouncedSeries& series, Instant now);
  void check_budget();
};

/// Adds the relative error of the sensors, which scales all of a sum, in quadrature.
Estimate LiveTotal::State::with_sensors(double value, double low, double high) const {
  const double off_low = latest.joules > 0 ? latest.low / latest.joules * value : 0;
  const double off_high = latest.joules > 0 ? latest.high / latest.joules * value : 0;
  return {value, std::max(0.0, value - std::hypot(value - low, off_low)),
          value + std::hypot(high - value, off_high)};
}

void LiveTotal::State::extend_used(const Timeline& timeline, Instant begin, const Settled& now) {
  if (!used_until) used_until = begin;
  if (*now.until - *used_until < now.shortest) return;
  if (const auto stretch = joules_of(timeline, *used_until, *now.until)) {
    used += stretch->joules;
    latest = *stretch;
  }
  used_until = now.until;
}

/// False when the stretch up to the first window has not been read yet.
bool LiveTotal::State::begin_series(const Timeline& timeline, Instant begin,
                                    const AnnouncedSeries& series) {
  const auto before = joules_of(timeline, begin, series.training_begin);
  const auto head = joules_of(timeline, series.training_begin, series.begins.front());
  if (!before || !head) return false;
  number = series.number;
  begins_taken = 0;
  before_joules = before->joules;
  training_joules = head->joules;
  training_seconds = (series.begins.front() - series.training_begin).value();
  joules = {};
  seconds = {};
  run_prediction.reset();
  return true;
}

void LiveTotal::State::follow(const Timeline& timeline, Instant begin,
                              const AnnouncedSeries& series, const Settled& now) {
  if (series.number != number) {
    if (series.begins.front() > *now.until || !begin_series(timeline, begin, series)) return;
  }
  bool more = false;
  for (std::size_t i = begins_taken + 1; i < series.begins.size(); ++i) {
    const Instant from = series.begins[begins_taken], to = series.begins[i];
    if (to > *now.until) break;
    if (to - from < now.shortest) continue;  // short cycles are taken several at a time
    const auto stretch = joules_of(timeline, from, to);
    if (!stretch) break;
    const auto cycles = static_cast<double>(i - begins_taken);
    joules.add(cycles, stretch->joules);
    seconds.add(cycles, (to - from).value());
    training_joules += stretch->joules;
    training_seconds += (to - from).value();
    begins_taken = i;
    more = true;
  }
  if (more) tell(series, *now.until);
}

void LiveTotal::State::tell(const AnnouncedSeries& series, Instant now) {
  const auto left = static_cast<double>(series.total) - static_cast<double>(begins_taken);
  const auto rest_joules = joules.sum_of(left);
  const auto rest_seconds = seconds.sum_of(left);
  if (!rest_joules || !rest_seconds) return;
  const auto whole = [&](double so_far) {
    return with_sensors(so_far + rest_joules->value, so_far + rest_joules->low,
                        so_far + rest_joules->high);
  };
  run_prediction = whole(before_joules + training_joules);
  LiveStatus status;
  status.name = series.name;
  status.done = static_cast<std::int64_t>(begins_taken);
  status.total = series.total;
  status.joules = whole(training_joules);
  status.seconds = {training_seconds + rest_seconds->value, training_seconds + rest_seconds->low,
                    training_seconds + rest_seconds->high};
  const Seconds since = now - series.begins[begins_taken];
  status.seconds_left = std::max(0.0, rest_seconds->value - since.value());
  status.provenance = latest.provenance;
  if (options.on_status) options.on_status(status);
}

void LiveTotal::State::check_budget() {
  if (!options.budget || stop) return;
  const double budget = options.budget->value();
  const bool passed = used >= budget;
  const bool will_pass = run_prediction && run_prediction->low > budget;
  if (!passed && !will_pass) return;
  stop = true;
  BudgetStop reason{*options.budget, Joules(used), std::nullopt, latest.provenance};
  if (!passed) reason.predicted = run_prediction;
  if (options.on_stop) options.on_stop(reason);
}

LiveTotal::LiveTotal(LiveOptions options, RunEvents& next)
    : state_(std::make_unique<State>(std::move(options), next)) {}
LiveTotal::~LiveTotal() = default;

void LiveTotal::on_phase(std::string_view phase, std::optional<Seconds> length) {
  state_->next.on_phase(phase, length);
}

void LiveTotal::on_progress(const Timeline& timeline, Instant begin) {
  State& s = *state_;
  s.next.on_progress(timeline, begin);
  const Settled now = settled(timeline);
  if (!now.until || *now.until <= begin) return;
  s.extend_used(timeline, begin, now);
  std::optional<AnnouncedSeries> series;
  {
    const std::lock_guard lock(s.mutex);
    series = s.tracker.series();
  }
  if (series && !series->over) s.follow(timeline, begin, *series, now);
  // A training that has ended is in what was used; its prediction says nothing any more.
  if (!series || series->over) s.run_prediction.reset();
  s.check_budget();
}

void LiveTotal::on_mark(const MarkMessage& mark, int pid) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->tracker.take(mark, pid);
  }
  state_->next.on_mark(mark, pid);
}

void LiveTotal::on_window(const MarkedWindow& window) {
  state_->next.on_window(window);
}

void LiveTotal::on_sample(const Timeline& timeline, SignalId id, const Sample& sample) {
  state_->next.on_sample(timeline, id, sample);
}

bool LiveTotal::wants_stop() {
  return state_->stop || state_->next.wants_stop();
}

}  // namespace ergo
