#include "experiment/tune_progress.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::tune {
namespace {

/// Utilisation counts the time in which memory is read or written, which is nearly, but not
/// exactly, proportional to the bytes: where it says that they fell by some ratio, so much of its
/// logarithm may be wrong. And of what traffic says beyond cycles, as caches may keep a little more
/// or less under another clock. Judgements, not measurements.
constexpr double doubt_of_ratio = 0.2;
constexpr double doubt_of_gap = 0.1;

/// Where nothing is known of the memory: the share of the time at full clock in which work waits
/// for it or for anything else that the clock does not make faster. The law's population
/// (model/physics) has about 0.6 at full clock; less of it is believed, as the price of believing
/// too much is a limit far too low.
constexpr double usual_wait = 0.5;

/// Largest error of the mean of rounded readings, relative. Where they scatter by more than their
/// last digit, rounding errors cancel: what is left of a normal scatter of s digits is
/// exp(-2 pi^2 s^2) / pi digits (Widrow, Kollar: Quantization Noise, 2008). Part of it is kept for
/// scatter that is not normal. A steady value between two digits is read as both by turns, too:
/// that much scatter, half a digit, says nothing.
double rounding(const Progress& p) {
  const double mean = p.activity.traffic_s / p.seconds;
  const double digit = 2 * p.activity.traffic_error;
  const double digits =
      (p.activity.traffic_squares_s / p.seconds - mean * mean) / (digit * digit) - 0.25;
  constexpr double two_pi_squared = 19.739;
  constexpr double never_less = 0.1;
  const double left = std::max(std::exp(-two_pi_squared * std::max(0.0, digits)), never_less);
  return p.activity.traffic_error * left / mean;
}

/// 95 % half-width of ln of the ratio of two of them (two uniform errors).
double rounding(const Progress& one, const Progress& other) {
  constexpr double triangle = 1.1;
  return triangle * std::hypot(rounding(one), rounding(other));
}

}  // namespace

void Progress::add(const TuneObservation& o, double sign) {
  seconds += sign * (o.end - o.begin).value();
  work += sign * o.work;
  if (!o.activity) return;
  counted = false;
  activity.busy_s += sign * o.activity->busy_s;
  activity.traffic_s += sign * o.activity->traffic_s;
  activity.traffic_squares_s += sign * o.activity->traffic_squares_s;
  activity.traffic_error = o.activity->traffic_error;
}

void Progress::add(const Progress& o, double sign) {
  seconds += sign * o.seconds;
  work += sign * o.work;
  if (o.counted) return;
  counted = false;
  activity.busy_s += sign * o.activity.busy_s;
  activity.traffic_s += sign * o.activity.traffic_s;
  activity.traffic_squares_s += sign * o.activity.traffic_squares_s;
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
  // Memory may be told to be idle, or not be told at all.
  if (!(a.traffic_s > 0) || !(b.traffic_s > 0))
    factor.value = -std::log1p(-usual_wait * (1 - std::exp(-most)));
  // Of a card whose memory is as good as idle, nothing is learnt.
  const double shown = std::min(a.traffic_s / now.seconds, b.traffic_s / reference.seconds);
  if (!(shown > 2 * a.traffic_error)) return factor;
  const double gap = beyond(a.traffic_s, b.traffic_s);
  const double error = std::hypot(rounding(now, reference), 2 * se);
  const double fell =
      std::abs(std::log(a.traffic_s / now.seconds * reference.seconds / b.traffic_s));
  const double doubt = doubt_of_ratio * fell;
  if (gap < -error) {
    factor.value = gap + error;
    factor.low = gap - error - doubt;
    factor.high = 0;
    return factor;
  }
  const double sure = std::min(std::max(0.0, gap - error), most);
  // Half of the error is the middle way: what is likely, and what is sure.
  factor.value = std::clamp(gap - error / 2, 0.0, most);
  factor.low = std::max(0.0, sure - std::hypot(doubt, doubt_of_gap * sure));
  // Readings that saturate fall by too little: the other way is not expected.
  factor.high = std::clamp(gap + std::hypot(error, doubt / 4), factor.value, most);
  return factor;
}

}  // namespace ergo::tune
