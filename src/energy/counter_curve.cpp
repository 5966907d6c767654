#include "counter_curve.hpp"

#include "source.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::energy_detail {
namespace {

constexpr std::size_t wanted_each_side = 4;

/// Integral over [from, to] (s, relative to `zero`) of straight lines between the samples, held
/// beyond their ends.
double area(const std::vector<Sample>& samples, Instant zero, double from, double to) {
  if (to < from) return -area(samples, zero, to, from);
  const auto time = [&](const Sample& s) { return (s.time - zero).value(); };
  double sum = 0.0;
  sum += std::max(0.0, std::min(to, time(samples.front())) - from) * samples.front().value;
  sum += std::max(0.0, to - std::max(from, time(samples.back()))) * samples.back().value;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    const double t0 = time(samples[i - 1]);
    const double length = time(samples[i]) - t0;
    const double a = std::max(from, t0) - t0;
    const double b = std::min(to, t0 + length) - t0;
    if (length <= 0.0 || b <= a) continue;
    const double slope = (samples[i].value - samples[i - 1].value) / length;
    sum += (samples[i - 1].value + slope * 0.5 * (a + b)) * (b - a);
  }
  return sum;
}

}  // namespace

CounterCurve::CounterCurve(const Timeline& timeline, SignalId id, Instant center)
    : id_(id),
      center_(center),
      stated_period_(timeline.info(id).traits.update_period.value()),
      sampled_fraction_(timeline.info(id).traits.sampled_fraction) {
  gather(timeline);
}

/// Widens the view until there are enough ticks on both sides, or no more samples.
void CounterCurve::gather(const Timeline& timeline) {
  const Instant first = timeline.first(id_)->time;
  const Instant last = timeline.last(id_)->time;
  for (double reach = std::max(8.0 * stated_period_, 0.05);; reach *= 2.0) {
    const Instant from = center_ - Seconds(reach);
    const Instant to = center_ + Seconds(reach);
    build_knots(timeline.slice(id_, from, to));
    const auto before = static_cast<std::size_t>(
        std::count_if(knots_.begin(), knots_.end(), [](const Knot& k) { return k.hi < 0.0; }));
    const bool enough_before = before >= wanted_each_side || from <= first;
    const bool enough_after = knots_.size() - before >= wanted_each_side || to >= last;
    if (enough_before && enough_after) return;
  }
}

void CounterCurve::build_knots(const std::vector<Sample>& samples) {
  knots_.clear();
  period_ = stated_period_;
  half_width_ = 0.0;
  std::vector<double> seen_last;
  double previous = 0.0;
  for (const Sample& s : samples) {
    const double t = (s.time - center_).value();
    half_width_ = std::max(half_width_, static_cast<double>(s.half_width_s));
    if (knots_.empty() || s.value > knots_.back().joules) {
      // The first value may be as old as a whole period, or older: nobody saw it arrive.
      const double lo = knots_.empty() ? t - stated_period_ : previous;
      knots_.push_back({lo, t, s.value});
      seen_last.push_back(t);
    } else {
      seen_last.back() = t;
      period_ = std::max(period_, t - knots_.back().hi);
    }
    previous = t;
  }
  if (samples.size() > 1) {
    spacing_ = (samples.back().time - samples.front().time).value() /
               static_cast<double>(samples.size() - 1);
  }
  // A tick is at most one period older than the last reading that still showed its value.
  for (std::size_t i = 0; i < knots_.size(); ++i) {
    Knot& k = knots_[i];
    k.lo = std::min(k.hi, std::max({k.lo, k.hi - period_, seen_last[i] - period_}));
  }
  tighten_first_knot();
}

/// Nobody saw the first tick arrive; where the later ones come at a steady beat, it came one beat
/// before the second.
void CounterCurve::tighten_first_knot() {
  if (knots_.size() < 4 || spacing_ >= 0.5 * stated_period_) return;
  const double slack = 0.1 * stated_period_ + 2.0 * spacing_;
  for (std::size_t i = 2; i < knots_.size(); ++i) {
    const double beat = knots_[i].mid() - knots_[i - 1].mid();
    if (std::abs(beat - stated_period_) > slack) return;
  }
  Knot& first = knots_.front();
  first.hi = std::clamp(knots_[1].hi - 0.9 * stated_period_, first.lo, first.hi);
}

/// Index of the segment [k, k + 1] in which the instant lies, or of the nearest one.
std::size_t CounterCurve::segment() const {
  std::size_t k = 0;
  while (k + 2 < knots_.size() && knots_[k + 1].mid() <= 0.0)
    ++k;
  return k;
}

double CounterCurve::slope(std::size_t k) const {
  const double dt = knots_[k + 1].mid() - knots_[k].mid();
  return dt > 0.0 ? (knots_[k + 1].joules - knots_[k].joules) / dt : 0.0;
}

double CounterCurve::value(double x) const {
  std::size_t k = 0;
  while (k + 2 < knots_.size() && knots_[k + 1].mid() <= x)
    ++k;
  return knots_[k].joules + slope(k) * (x - knots_[k].mid());
}

double CounterCurve::span() const {
  if (knots_.size() < 2) return std::max(period_, spacing_);
  const std::size_t k = segment();
  return knots_[k + 1].mid() - knots_[k].mid();
}

CounterCurve::Range CounterCurve::power_range(std::size_t k, const PowerShape& power) const {
  const double mean = slope(k);
  Range range{mean * (1.0 - unseen_swing), mean * (1.0 + unseen_swing)};
  const std::size_t from = k < 2 ? 0 : k - 2;
  const std::size_t to = std::min(knots_.size() - 2, k + 2);
  for (std::size_t s = from; s <= to; ++s) {
    range.low = std::min(range.low, slope(s));
    range.high = std::max(range.high, slope(s));
  }
  for (const Sample& p : power.samples) {
    range.low = std::min(range.low, p.value);
    range.high = std::max(range.high, p.value);
  }
  range.low = std::max(0.0, range.low);
  return range;
}

/// How far the ticks beside the instant may lie from where they are taken to be.
double CounterCurve::lag(std::size_t k) const {
  const Knot& left = knots_[k];
  const Knot& right = knots_[k + 1];
  const double tick = 0.5 * std::max(left.hi - left.lo, right.hi - right.lo);
  // A sensor that looks at part of its period may do so early or late in it.
  const double glimpse = 0.5 * (1.0 - sampled_fraction_) * stated_period_;
  return std::hypot(tick, glimpse);
}

EdgeEnergy CounterCurve::edge(const PowerShape& power) const {
  EdgeEnergy edge;
  if (knots_.size() < 2) {
    edge.joules = edge.at_least = edge.at_most = knots_.front().joules;
    return edge;
  }
  if (!edge_by_power(edge, power)) edge_by_lines(edge, power);
  edge.clock = half_width_ * slope(segment());
  bound(edge);
  return edge;
}

void CounterCurve::edge_by_lines(EdgeEnergy& edge, const PowerShape& power) const {
  const std::size_t k = segment();
  const double mean = slope(k);
  const double reach = lag(k);
  edge.joules = value(0.0);
  edge.lag = 0.5 * (value(reach) - value(-reach));

  const Range range = power_range(k, power);
  const double up = range.high - mean;
  const double down = mean - range.low;
  const double since = -knots_[k].mid();
  const double until = knots_[k + 1].mid();
  if (since < 0.0) {
    edge.shape = -since * std::max(up, down);
  } else if (until < 0.0) {
    edge.shape = -until * std::max(up, down);
  } else {
    edge.shape = std::max(std::min(up * since, down * until), std::min(down * since, up * until));
  }
  // The bound holds for the worst order of high and low within the segment; it cannot exceed the
  // step itself.
  edge.shape = std::min(edge.shape, std::max(mean * (since + until), 0.0));
}

/// Between two ticks far apart the energy grows as the power signal says, scaled so that it meets
/// both ticks.
bool CounterCurve::edge_by_power(EdgeEnergy& edge, const PowerShape& power) const {
  const std::size_t k = segment();
  const Knot& left = knots_[k];
  const Knot& right = knots_[k + 1];
  if (power.samples.size() < 4 || right.mid() - left.mid() < 4.0 * power.resolution) return false;
  const auto shape = [&](double to) { return area(power.samples, center_, left.mid(), to); };
  const double whole = shape(right.mid());
  if (whole <= 0.0) return false;
  const double scale = (right.joules - left.joules) / whole;
  const double reach = lag(k);
  edge.joules = left.joules + scale * shape(0.0);
  edge.lag = 0.5 * scale * (shape(reach) - shape(-reach));

  double low = power.samples.front().value;
  double high = low;
  for (const Sample& p : power.samples) {
    if (std::abs((p.time - center_).value()) > 2.0 * power.resolution) continue;
    low = std::min(low, p.value);
    high = std::max(high, p.value);
  }
  const double swing = std::max(high - low, unseen_swing * slope(k));
  edge.shape = 0.25 * power.resolution * swing;
  return true;
}

/// What monotony alone proves: ticks surely before and surely after the instant.
void CounterCurve::bound(EdgeEnergy& edge) const {
  edge.at_least = 0.0;
  for (const Knot& k : knots_) {
    if (k.hi <= 0.0) edge.at_least = k.joules;
    if (k.lo >= 0.0) {
      edge.at_most = k.joules;
      edge.at_most_known = true;
      return;
    }
  }
}

}  // namespace ergo::energy_detail
