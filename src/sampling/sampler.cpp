#include "ergo/sampling/sampler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <optional>
#include <unordered_set>

namespace ergo {
namespace {

constexpr std::size_t max_notices = 256;
/// How often the thread publishes its CPU time: asking costs a system call, so not at every tick.
constexpr Seconds cpu_interval{0.5};
/// Of the time, for readings at the edges of windows. A driver that is read computes, and may keep
/// the measured program waiting.
constexpr double edge_share = 0.01;

/// Devices and meters that stamp their values hand out older ones, too. Those from shortly before
/// the first tick tell of the power at the begin of a window.
constexpr Seconds kept_from_before{2.0};

/// One sensor and what the sampler remembers of it between ticks.
struct Slot {
  Sensor* sensor = nullptr;
  std::vector<SignalId> ids;
  Batch batch;
  SamplerStats::PerSensor stats;
  Seconds total_call{0.0};
  std::optional<Instant> last_good;
  std::optional<Instant> last_edge;
  Seconds edge_cost{0.0};
  std::optional<Instant> failing_since;
  std::string failure;
};

}  // namespace

struct Sampler::State {
  State(Timeline& t, Clock& c, SamplerOptions o, Observer f)
      : timeline(t), clock(c), options(o), observer(std::move(f)) {}

  Timeline& timeline;
  Clock& clock;
  SamplerOptions options;
  Observer observer;
  std::vector<Slot> slots;
  std::jthread thread;
  std::atomic<bool> started = false;
  std::optional<Instant> origin;     // the first tick
  std::optional<Instant> last_tick;  // the latest tick
  bool observer_failed = false;

  std::mutex reading;        // one tick at a time: the sampler's own, and those asked for
  mutable std::mutex mutex;  // guards what stats() and notices() hand out
  SamplerStats totals;
  std::vector<std::string> notices;
  std::unordered_set<std::string> said;

  void tick();
  void edge();
  void expect(Sensor::Edge edge);
  void add_cpu(Seconds used);
  void read(Slot& slot);
  void failed(Slot& slot, const Error& error, Instant at);
  void recovered(Slot& slot, Instant at);
  void add_gaps(const Slot& slot, Instant from, Instant to, const std::string& reason);
  void deliver();
  void notice(const Slot& slot, const std::string& text);
  void say(std::string text);
  void run(const std::stop_token& stop);
  void note_missed(std::int64_t missed, Instant at);
  void close_gaps(Instant at);
};

Sampler::Sampler(const std::vector<Sensor*>& sensors, Timeline& timeline, Clock& clock,
                 SamplerOptions options, Observer observer)
    : state_(std::make_unique<State>(timeline, clock, options, std::move(observer))) {
  for (Sensor* sensor : sensors) {
    Slot& slot = state_->slots.emplace_back();
    slot.sensor = sensor;
    slot.stats.name = sensor->name();
    for (const SignalInfo& info : sensor->signals())
      slot.ids.push_back(timeline.add(info));
  }
}

Sampler::~Sampler() {
  stop();
}

void Sampler::start() {
  if (state_->started) return;
  state_->started = true;
  state_->expect(Sensor::Edge::run);
  tick();
  state_->thread = std::jthread([s = state_.get()](const std::stop_token& stop) { s->run(stop); });
}

void Sampler::stop() {
  if (!state_->started) return;
  state_->started = false;
  state_->thread.request_stop();
  state_->thread.join();
  state_->expect(Sensor::Edge::run);
  tick();
  state_->close_gaps(state_->clock.now());
}

void Sampler::tick() {
  const Seconds before = thread_cpu_time();
  state_->expect(Sensor::Edge::window);
  state_->tick();
  state_->add_cpu(thread_cpu_time() - before);
}

void Sampler::edge() {
  if (!state_->started) return;
  const Seconds before = thread_cpu_time();
  state_->edge();
  state_->add_cpu(thread_cpu_time() - before);
}

/// Deadlines are absolute, so a late tick does not move the ones after it. Ticks that have gone by
/// are not made up for.
void Sampler::State::run(const std::stop_token& stop) {
  Seconds published_cpu{0.0};
  const auto publish_cpu = [&] {
    const Seconds used = thread_cpu_time();
    const std::lock_guard lock(mutex);
    totals.cpu += used - published_cpu;
    published_cpu = used;
  };
  const auto period_ns = std::max<std::int64_t>(1, std::llround(options.period.value() * 1e9));
  Instant next = *origin;
  Instant published = *origin;
  while (next.ns += period_ns, clock.sleep_until(next, stop)) {
    const Instant now = clock.now();
    const std::int64_t late_ns = now.ns - next.ns;
    const std::int64_t missed = late_ns / period_ns;
    if (missed > 0) {
      note_missed(missed, now);
      next.ns += missed * period_ns;
    } else if (late_ns > period_ns / 2) {
      const std::lock_guard lock(mutex);
      ++totals.late_ticks;
    }
    tick();
    if (now - published >= cpu_interval) {
      published = now;
      publish_cpu();
    }
  }
  publish_cpu();
}

void Sampler::State::note_missed(std::int64_t missed, Instant at) {
  {
    const std::lock_guard lock(mutex);
    totals.missed_ticks += static_cast<std::uint64_t>(missed);
  }
  const std::lock_guard one_at_a_time(reading);
  timeline.add_gap(Gap{std::nullopt, *last_tick, at,
                       "readings were missed: the machine or a sensor was too slow"});
}

void Sampler::State::tick() {
  const std::lock_guard one_at_a_time(reading);
  const Instant now = clock.now();
  if (!origin) origin = now;
  std::uint64_t samples = 0;
  for (Slot& slot : slots) {
    slot.batch.clear();
    if (!slot.stats.lost) read(slot);
    samples += slot.batch.entries().size();
  }
  last_tick = now;
  {
    const std::lock_guard lock(mutex);
    ++totals.ticks;
    totals.samples += samples;
  }
  if (observer) deliver();
}

void Sampler::State::expect(Sensor::Edge edge) {
  const std::lock_guard one_at_a_time(reading);
  for (const Slot& slot : slots)
    slot.sensor->expect_edge(edge);
}

void Sampler::State::edge() {
  const std::lock_guard one_at_a_time(reading);
  const Instant now = clock.now();
  for (Slot& slot : slots) {
    slot.batch.clear();  // what the last tick left there has been delivered
    if (slot.stats.lost || !slot.sensor->paces()) continue;
    if (slot.last_edge &&
        now - *slot.last_edge < std::max(options.period, slot.edge_cost / edge_share))
      continue;
    slot.last_edge = now;
    slot.sensor->expect_edge(Sensor::Edge::window);
    read(slot);
    slot.edge_cost = clock.now() - now;
    const std::lock_guard lock(mutex);
    totals.samples += slot.batch.entries().size();
  }
  if (observer) deliver();
}

void Sampler::State::add_cpu(Seconds used) {
  const std::lock_guard lock(mutex);
  totals.cpu += used;
}

void Sampler::State::read(Slot& slot) {
  const Instant before = clock.now();
  Result<void> done;
  try {
    done = slot.sensor->read(clock, slot.batch);
  } catch (const std::exception& e) {
    done = Error{Errc::unavailable, e.what(), {}};
  } catch (...) {
    done = Error{Errc::unavailable, "unknown failure", {}};
  }
  const Instant after = clock.now();
  bool from_before = false;
  for (const Batch::Entry& entry : slot.batch.entries()) {
    if (entry.sample.time < *origin - kept_from_before) {
      from_before = true;
      continue;
    }
    timeline.append(slot.ids.at(entry.signal), entry.sample);
  }
  // What a device or a meter had kept is no part of this recording.
  if (from_before) slot.batch.drop_before(*origin - kept_from_before);
  {
    const std::lock_guard lock(mutex);
    const Seconds call = after - before;
    ++slot.stats.reads;
    slot.total_call += call;
    slot.stats.max_call = std::max(slot.stats.max_call, call);
    if (!done) ++slot.stats.failures;
  }
  for (const std::string& text : slot.sensor->take_notices())
    notice(slot, text);
  if (!done) {
    failed(slot, done.error(), after);
    return;
  }
  if (slot.failing_since) recovered(slot, before);
  slot.last_good = after;
}

void Sampler::State::failed(Slot& slot, const Error& error, Instant at) {
  const Instant from = slot.last_good.value_or(at);
  if (!slot.failing_since) slot.failing_since = from;
  slot.failure = error.message;
  add_gaps(slot, from, at, error.message);
  if (error.code != Errc::lost) {
    notice(slot, error.text());
    return;
  }
  {
    const std::lock_guard lock(mutex);
    slot.stats.lost = true;
  }
  notice(slot,
         fmt::format("{}; no readings from {:.1f} s on", error.text(), (at - *origin).value()));
}

void Sampler::State::recovered(Slot& slot, Instant at) {
  add_gaps(slot, *slot.failing_since, at, slot.failure);
  slot.failing_since.reset();
}

void Sampler::State::add_gaps(const Slot& slot, Instant from, Instant to,
                              const std::string& reason) {
  for (const SignalId id : slot.ids)
    timeline.add_gap(Gap{id, from, to, reason});
}

/// A sensor that still fails at the end leaves a gap up to there.
void Sampler::State::close_gaps(Instant at) {
  for (const Slot& slot : slots) {
    if (slot.failing_since) add_gaps(slot, *slot.failing_since, at, slot.failure);
  }
}

/// After all sensors were read, so that a slow observer does not delay the readings of this tick.
void Sampler::State::deliver() {
  try {
    for (const Slot& slot : slots) {
      for (const Batch::Entry& entry : slot.batch.entries())
        observer(timeline, slot.ids[entry.signal], entry.sample);
    }
  } catch (const std::exception& e) {
    if (!observer_failed) say(fmt::format("what was read could not be passed on: {}", e.what()));
    observer_failed = true;
  }
}

void Sampler::State::notice(const Slot& slot, const std::string& text) {
  say(text.starts_with(slot.stats.name) ? text : fmt::format("{}: {}", slot.stats.name, text));
}

void Sampler::State::say(std::string text) {
  const std::lock_guard lock(mutex);
  if (notices.size() >= max_notices || !said.insert(text).second) return;
  notices.push_back(std::move(text));
}

SamplerStats Sampler::stats() const {
  const std::lock_guard lock(state_->mutex);
  SamplerStats stats = state_->totals;
  for (const Slot& slot : state_->slots) {
    stats.sensors.push_back(slot.stats);
    if (slot.stats.reads > 0)
      stats.sensors.back().mean_call = slot.total_call / static_cast<double>(slot.stats.reads);
  }
  return stats;
}

std::vector<std::string> Sampler::notices() const {
  const std::lock_guard lock(state_->mutex);
  return state_->notices;
}

}  // namespace ergo
