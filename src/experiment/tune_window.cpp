#include "experiment/tune_window.hpp"

#include "experiment/tune_progress.hpp"

#include <algorithm>
#include <cmath>

namespace ergo {

double TuneWindow::log_energy() const {
  return log_time + std::log(std::exp(log_power) + host_w);
}

namespace tune {
namespace {

struct Sums {
  Progress did;
  double joules = 0;
  double host = 0;

  void add(const TuneObservation& o, double sign = 1) {
    did.add(o, sign);
    joules += sign * o.joules;
    host += sign * o.host_joules;
  }
  [[nodiscard]] bool usable() const { return did.seconds > 0 && joules > 0 && did.work > 0; }
  [[nodiscard]] double log_time() const { return std::log(did.seconds / did.work); }
  [[nodiscard]] double log_power() const { return std::log(joules / did.seconds); }
  [[nodiscard]] double log_energy() const { return std::log((joules + host) / did.work); }
  [[nodiscard]] double log_traffic() const { return std::log(did.activity.traffic_s / did.work); }
  [[nodiscard]] bool traffic() const { return !did.counted && did.activity.traffic_s > 0; }
};

/// Standard error by leaving out groups of consecutive slices (delete-a-group jackknife):
/// neighbours are alike, groups less so.
template <class Value>
double standard_error(const std::vector<Sums>& without, Value value) {
  double mean = 0;
  for (const Sums& s : without)
    mean += value(s);
  const auto n = static_cast<double>(without.size());
  mean /= n;
  double square = 0;
  for (const Sums& s : without)
    square += (value(s) - mean) * (value(s) - mean);
  return std::sqrt(square * (n - 1) / n);
}

/// Over time; nothing when a slice lacks it.
std::optional<double> mean_of(const std::vector<TuneObservation>& slices,
                              std::optional<double> TuneObservation::*value) {
  double sum = 0;
  double seconds = 0;
  for (const TuneObservation& slice : slices) {
    if (!(slice.*value)) return std::nullopt;
    sum += *(slice.*value) * (slice.end - slice.begin).value();
    seconds += (slice.end - slice.begin).value();
  }
  return sum / seconds;
}

constexpr std::size_t fewest_slices = 4;
constexpr std::size_t most_groups = 8;

}  // namespace

Seconds WindowGatherer::length() const {
  Seconds sum{0.0};
  for (const TuneObservation& slice : slices_)
    sum += slice.end - slice.begin;
  return sum;
}

std::pair<std::vector<double>, double> WindowGatherer::watts() const {
  std::pair<std::vector<double>, double> all;
  for (const TuneObservation& slice : slices_) {
    if (slice.watts.empty()) return {};
    all.first.insert(all.first.end(), slice.watts.begin(), slice.watts.end());
    all.second = slice.watts_step.value();
  }
  return all;
}

std::optional<TuneWindow> WindowGatherer::measured() const {
  Sums all;
  for (const TuneObservation& slice : slices_)
    all.add(slice);
  if (slices_.size() < fewest_slices || !all.usable()) return std::nullopt;
  const std::size_t groups = std::min(most_groups, slices_.size());
  std::vector<Sums> without(groups, all);
  for (std::size_t i = 0; i < slices_.size(); ++i)
    without[i * groups / slices_.size()].add(slices_[i], -1);
  if (!std::all_of(without.begin(), without.end(), [](const Sums& s) { return s.usable(); }))
    return std::nullopt;
  TuneWindow window;
  window.begin = slices_.front().begin;
  window.end = slices_.back().end;
  window.joules = all.joules + all.host;
  window.work = all.did.work;
  window.log_time = all.log_time();
  window.log_power = all.log_power();
  window.host_w = all.host / all.did.seconds;
  window.se_time = standard_error(without, [](const Sums& s) { return s.log_time(); });
  window.se_power = standard_error(without, [](const Sums& s) { return s.log_power(); });
  window.se_energy = standard_error(without, [](const Sums& s) { return s.log_energy(); });
  window.celsius = mean_of(slices_, &TuneObservation::celsius);
  window.capped = mean_of(slices_, &TuneObservation::capped);
  if (!all.did.counted) window.activity = all.did.activity;
  if (std::all_of(without.begin(), without.end(), [](const Sums& s) { return s.traffic(); }))
    window.se_traffic = standard_error(without, [](const Sums& s) { return s.log_traffic(); });
  return window;
}

std::optional<TuneWindow> WindowGatherer::complete(Seconds shortest, Seconds longest,
                                                   double precision) const {
  const Seconds now = length();
  if (now < shortest) return std::nullopt;
  auto window = measured();
  if (!window) return std::nullopt;
  const bool exact = std::max(window->se_time, window->se_energy) <= precision;
  if (!exact && now < longest) return std::nullopt;
  return window;
}

}  // namespace tune
}  // namespace ergo
