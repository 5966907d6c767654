// What the windows of one kind of work say.
#include "experiment/tune_beat.hpp"
#include "experiment/tune_ledger.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace ergo::tune {

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

void Phase::find_beat(TuneWindow& window, const std::vector<double>& watts, double step_s,
                      double default_w) const {
  if (!window.activity || watts.empty()) return;
  // A period at the edge of what is looked at is none.
  constexpr double margin = 0.06;
  double fewest = 0;
  double most = 0;
  const TuneWindow* reference = nullptr;
  for (const TuneWindow* d : defaults(default_w))
    reference = d->beat_s ? d : reference;
  if (reference != nullptr && window.limit_w != default_w) {
    // Under a lower clock nothing takes less busy time, nor more cycles.
    const auto busy = [](const TuneWindow& w) { return w.activity->busy_s / w.duration().value(); };
    fewest = std::log(busy(*reference) / busy(window));
    most = std::max(fewest, window.log_time - reference->log_time);
  }
  std::optional<Beat> beat;
  if (reference != nullptr) {
    beat = beat_within(watts, step_s, *reference->beat_s * std::exp(fewest - margin),
                       *reference->beat_s * std::exp(most + margin));
  } else if (window.limit_w == default_w) {
    beat = beat_of(watts, step_s);
  }
  constexpr double rough = 0.01;
  if (!beat || beat->se > rough) return;
  window.beat_s = beat->period_s;
  window.se_beat = beat->se;
}

namespace {

/// By the beat of a window and those under the default.
std::optional<Factor> more_by_beat(const TuneWindow& w,
                                   const std::vector<const TuneWindow*>& defaults) {
  double sum = 0;
  double log_beat = 0;
  double log_time = 0;
  for (const TuneWindow* d : defaults) {
    if (!d->beat_s) continue;
    const double weight = 1 / (d->se_beat * d->se_beat);
    sum += weight;
    log_beat += weight * std::log(*d->beat_s);
    log_time += weight * d->log_time;
  }
  if (!w.beat_s || !(sum > 0)) return std::nullopt;
  Factor factor;
  factor.value = (w.log_time - log_time / sum) - (std::log(*w.beat_s) - log_beat / sum);
  const double half = 2 * std::hypot(w.se_beat, std::sqrt(1 / sum), w.se_time);
  factor.low = factor.value - half;
  factor.high = factor.value + half;
  return factor;
}

}  // namespace

bool Phase::has_beat(double default_w) const {
  const auto all = defaults(default_w);
  return std::any_of(all.begin(), all.end(),
                     [](const TuneWindow* d) { return d->beat_s.has_value(); });
}

bool Phase::beats_agree(double default_w) const {
  const auto defaults = this->defaults(default_w);
  // Each limit's share of the time in which the work waits for what the clock does not make faster.
  std::map<double, std::pair<double, double>> waits;  // and its error
  Progress reference;
  for (const TuneWindow* d : defaults)
    reference.add(progress_of(*d));
  bool follows = false;
  double slowest = 0;
  double fastest = std::numeric_limits<double>::max();
  for (const TuneWindow& w : windows) {
    const auto more = more_by_beat(w, defaults);
    const double cycles = w.log_time - defaults.front()->log_time;
    constexpr double hardly_slower = 0.1;
    if (w.limit_w == default_w || !more || cycles < hardly_slower) continue;
    const Factor shown = more_than_cycles(progress_of(w), reference, w.se_traffic);
    if (more->low > shown.high || more->high < shown.low) return false;
    const double whole = 1 - std::exp(-cycles);
    // A beat that no limit changes, although the GPU is as busy as before, may be a clock's.
    constexpr double changes = 0.01;
    const double busier =
        w.activity->busy_s / w.duration().value() * reference.seconds / reference.activity.busy_s;
    follows = follows || cycles - more->value > changes || std::log(busier) > changes;
    slowest = std::max(slowest, cycles);
    fastest = std::min(fastest, cycles);
    waits[w.limit_w] = {(1 - std::exp(-more->value)) / whole, (more->high - more->low) / 2 / whole};
  }
  // Limits that are nearly the same are no two witnesses.
  constexpr double apart = 1.25;
  if (!follows || waits.size() < 2 || slowest < apart * fastest) return false;
  for (const auto& [limit, wait] : waits) {
    for (const auto& [other_limit, other] : waits) {
      constexpr double alike = 0.15;
      if (std::abs(wait.first - other.first) >
          std::max(alike, std::hypot(wait.second, other.second)))
        return false;
    }
  }
  return true;
}

std::optional<Factor> Phase::settled_beat(double default_w) const {
  if (!settled_w || *settled_w == default_w || !beats_agree(default_w)) return std::nullopt;
  const auto defaults = this->defaults(default_w);
  std::optional<Factor> best;
  for (const TuneWindow& w : windows) {
    const auto more = w.limit_w == *settled_w ? more_by_beat(w, defaults) : std::nullopt;
    if (more && (!best || more->high - more->low < best->high - best->low)) best = more;
  }
  return best;
}

Factor Phase::more_of(const TuneWindow& window, double default_w) const {
  const auto defaults = this->defaults(default_w);
  Progress reference;
  for (const TuneWindow* d : defaults)
    reference.add(progress_of(*d));
  const Factor shown = more_than_cycles(progress_of(window), reference, window.se_traffic);
  if (!window.activity || !window.beat_s || !beats_agree(default_w)) return shown;
  return more_by_beat(window, defaults).value_or(shown);
}

MeasuredLimits Phase::measured(double default_w) const {
  // Drift falls out when each window is compared with the defaults beside it in time.
  const auto defaults = this->defaults(default_w);
  MeasuredLimits out;
  std::map<double, int> counts;
  const TuneWindow& reference = *defaults.back();
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
      const Factor more = more_of(w, default_w);
      m.log_time -= more.value;
      m.var_time += std::pow((more.high - more.low) / 4, 2);
    }
    m.log_power += is_default ? reference.log_power : reference.log_power + w.log_power - power;
    m.host_w += w.host_w;
    if (w.activity && w.activity->busy_s > 0) m.log_clock += std::log(w.work / w.activity->busy_s);
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
    m.log_clock /= counts[limit];
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

}  // namespace ergo::tune
