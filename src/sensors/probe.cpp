#include "ergo/sensors/probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo {
namespace {

/// The value below which `share` of the values lie, interpolated. `values` must be sorted and not
/// empty.
double quantile(const std::vector<double>& values, double share) {
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

/// The median. `values` is reordered and must not be empty.
double middle(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

/// When a signal was seen to change.
struct Watch {
  std::size_t signal = 0;
  std::optional<double> value;
  std::optional<Instant> changed;
  std::optional<Instant> read;
  std::size_t changes = 0;
  std::vector<double> periods;
  std::vector<double> steps;
  bool stamped = false;  ///< values bear the time at which the device made them

  void see(const Sample& sample, Instant asked) {
    stamped = stamped || sample.time < asked;
    if (read) steps.push_back((sample.time - *read).value());
    read = sample.time;
    if (value && sample.value != *value) {
      ++changes;
      // The first change ends a period of which the beginning was not seen.
      if (changed) periods.push_back((sample.time - *changed).value());
      changed = sample.time;
    }
    value = sample.value;
  }
};

SignalProbe result_of(Watch& watch, const SignalInfo& info) {
  constexpr std::size_t enough_changes = 3;
  constexpr std::size_t beat_changes = 8;
  SignalProbe probe;
  probe.signal = info.name;
  probe.changes = watch.changes;
  probe.claimed = info.traits.update_period;
  if (!watch.steps.empty()) probe.resolution = Seconds(middle(watch.steps));
  if (watch.changes < enough_changes) return probe;
  probe.update_period = Seconds(middle(watch.periods));
  // A change is seen up to one read late, so that periods are known to about two reads.
  const auto tolerance = [&](Seconds period) {
    return std::max(0.25 * period.value(), 2 * probe.resolution.value());
  };
  const double lower = quantile(watch.periods, 0.25);
  const double upper = quantile(watch.periods, 0.75);
  probe.regular = watch.changes >= beat_changes && upper - lower <= tolerance(*probe.update_period);
  const double allowed = tolerance(probe.claimed);
  const bool faster = lower < probe.claimed.value() - allowed;
  const bool slower = probe.regular && (*probe.update_period - probe.claimed).value() > allowed;
  // Values with a time of their own claim no period.
  probe.disagrees = !(watch.stamped && probe.claimed.value() == 0.0) && (faster || slower);
  return probe;
}

}  // namespace

SensorProbe probe_update_period(Sensor& sensor, Clock& clock, const ProbeOptions& options,
                                const std::stop_token& stop) {
  SensorProbe probe;
  probe.sensor = sensor.name();
  std::vector<Watch> watches;
  std::vector<Watch*> watch_of(sensor.signals().size(), nullptr);
  for (std::size_t i = 0; i < sensor.signals().size(); ++i) {
    const SignalKind kind = sensor.signals()[i].kind;
    if (kind != SignalKind::energy && kind != SignalKind::power) continue;
    Watch watch;
    watch.signal = i;
    watches.push_back(std::move(watch));
  }
  for (Watch& watch : watches)
    watch_of[watch.signal] = &watch;

  const auto seen_enough = [&] {
    return !watches.empty() && std::all_of(watches.begin(), watches.end(), [&](const Watch& watch) {
      return watch.changes >= options.changes;
    });
  };
  std::vector<double> calls;
  Batch batch;
  const Instant begin = clock.now();
  const Instant end = begin + options.duration;
  Instant start = begin;
  while (start < end && !seen_enough() && !stop.stop_requested()) {
    batch.clear();
    sensor.expect_edge(Sensor::Edge::run);  // every signal, also those that are read rarely
    const Result<void> read = sensor.read(clock, batch);
    const Instant done = clock.now();
    ++probe.reads;
    if (read) {
      calls.push_back((done - start).value());
    } else {
      ++probe.failures;
      probe.failure = read.error();
      if (read.error().code == Errc::lost) break;
    }
    for (const Batch::Entry& entry : batch.entries()) {
      if (watch_of[entry.signal] != nullptr) watch_of[entry.signal]->see(entry.sample, start);
    }
    const Seconds pause = (done - start) * (1.0 / options.max_load);
    if (!clock.sleep_until(start + std::max(options.poll_period, pause), stop)) break;
    start = clock.now();
  }
  probe.duration = clock.now() - begin;
  if (!calls.empty()) {
    probe.call_max = Seconds(*std::max_element(calls.begin(), calls.end()));
    probe.call_median = Seconds(middle(calls));
  }
  for (Watch& watch : watches) {
    probe.signals.push_back(result_of(watch, sensor.signals()[watch.signal]));
  }
  return probe;
}

std::string describe_disagreement(const SignalProbe& probe) {
  if (!probe.disagrees || !probe.update_period) return {};
  return fmt::format(
      "{} changes every {:.3g} ms (seen {} times, read every {:.2g} ms), not every {:.3g} ms as "
      "assumed",
      probe.signal, probe.update_period->value() * 1e3, probe.changes,
      probe.resolution.value() * 1e3, probe.claimed.value() * 1e3);
}

}  // namespace ergo
