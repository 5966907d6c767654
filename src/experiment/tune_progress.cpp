#include "experiment/tune_progress.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::tune {
namespace {

/// Of what traffic says beyond cycles, so much may be wrong: utilisation counts the time in which
/// memory is read or written, which is nearly, but not exactly, proportional to the bytes; and
/// caches may keep a little more or less under another clock. A judgement, not a measurement.
constexpr double doubt = 0.2;

/// 95 % half-width of ln of the ratio of two rounded readings (two uniform errors).
double rounding(double error, double one, double other) {
  constexpr double triangle = 1.1;
  return triangle * error * std::hypot(1 / one, 1 / other);
}

}  // namespace

void Progress::add(const TuneObservation& o, double sign) {
  seconds += sign * (o.end - o.begin).value();
  work += sign * o.work;
  if (!o.activity) return;
  counted = false;
  activity.busy_s += sign * o.activity->busy_s;
  activity.traffic_s += sign * o.activity->traffic_s;
  activity.traffic_error = o.activity->traffic_error;
}

void Progress::add(const Progress& o, double sign) {
  seconds += sign * o.seconds;
  work += sign * o.work;
  if (o.counted) return;
  counted = false;
  activity.busy_s += sign * o.activity.busy_s;
  activity.traffic_s += sign * o.activity.traffic_s;
  activity.traffic_error = o.activity.traffic_error;
}

Progress progress_of(const TuneWindow& window) {
  Progress p;
  p.seconds = window.duration().value();
  p.work = window.work;
  p.counted = !window.activity;
  if (window.activity) p.activity = *window.activity;
  return p;
}

Factor more_than_cycles(const Progress& now, const Progress& reference, double se) {
  Factor factor;
  if (now.counted || reference.counted || !(now.work > 0) || !(reference.work > 0)) return factor;
  const auto beyond = [&](double mine, double its) {
    return std::log(mine / now.work) - std::log(its / reference.work);
  };
  const TuneActivity& a = now.activity;
  const TuneActivity& b = reference.activity;
  const double most = std::max(0.0, beyond(a.busy_s, b.busy_s));
  factor.high = most;
  // Of a card whose memory is as good as idle, nothing is learnt.
  const double shown = std::min(a.traffic_s / now.seconds, b.traffic_s / reference.seconds);
  if (!(shown > 2 * a.traffic_error)) return factor;
  const double gap = beyond(a.traffic_s, b.traffic_s);
  const double error = std::hypot(
      rounding(a.traffic_error, a.traffic_s / now.seconds, b.traffic_s / reference.seconds),
      2 * se);
  if (gap < -error) {
    factor.value = gap + error;
    factor.low = gap - error;
    factor.high = 0;
    return factor;
  }
  const double sure = std::min(std::max(0.0, gap - error), most);
  // Half of the error is the middle way: what is likely, and what is sure.
  factor.value = std::clamp(gap - error / 2, 0.0, most);
  factor.low = (1 - doubt) * sure;
  factor.high = std::clamp(gap + error, factor.value, most);
  return factor;
}

}  // namespace ergo::tune
