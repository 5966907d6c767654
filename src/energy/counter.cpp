#include "counter_curve.hpp"
#include "source.hpp"
#include "variation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo::energy_detail {
namespace {

/// Fewer increments than this say too little about how a load varies: look beyond the window's
/// edges.
constexpr int wanted_increments = 40;
/// An increment of more ticks than this is as good as a mean over all of its time.
constexpr int most_looks = 50;

/// Power readings near an instant.
PowerShape power_near(const Timeline& timeline, std::optional<SignalId> power,
                      const CounterCurve& curve) {
  PowerShape shape;
  if (!power) return shape;
  const Seconds reach(std::max(3.0 * curve.span(), 0.5));
  shape.samples = timeline.slice(*power, curve.center() - reach, curve.center() + reach);
  if (shape.samples.size() < 2) return shape;
  const PowerTraits& traits = timeline.info(*power).traits;
  const Seconds length = shape.samples.back().time - shape.samples.front().time;
  const double spacing = length.value() / static_cast<double>(shape.samples.size() - 1);
  shape.resolution =
      std::max(spacing, traits.update_period.value()) + traits.averaging_window.value();
  return shape;
}

/// Goes over the increments of a counter: their greatest power, and how they vary.
class Increments {
 public:
  /// Increments span at least `shortest` seconds and at most `longest`; with `period`, readings are
  /// frequent enough to tell how many ticks of that length an increment holds.
  Increments(double shortest, double longest, double period = 0.0)
      : shortest_(shortest), longest_(longest), period_(period) {}

  void add(std::span<const Sample> run) {
    for (const Sample& s : run)
      add(s);
  }
  [[nodiscard]] const Variogram& variogram() const { return variogram_; }
  [[nodiscard]] double max_watts() const { return max_watts_; }

 private:
  void add(const Sample& s) {
    if (!seen_) {
      seen_ = true;
      last_ = s;
      return;
    }
    double dt = (s.time - last_.time).value();
    // An unchanged value is the same tick, read again.
    if (dt < shortest_ || (s.value <= last_.value && dt <= longest_)) return;
    if (period_ > 0.0) dt = period_ * std::max(1.0, std::round(dt / period_));
    const double watts = (s.value - last_.value) / dt;
    last_ = s;
    if (dt > longest_) {
      variogram_.cut();
      return;
    }
    max_watts_ = std::max(max_watts_, watts);
    variogram_.add(watts);
  }

  double shortest_;
  double longest_;
  double period_;
  bool seen_ = false;
  Sample last_;
  Variogram variogram_;
  double max_watts_ = 0.0;
};

/// Variance of a power signal's readings, W²; absent where there are few, or each is a mean over
/// more than a glimpse.
std::optional<double> glimpse_variance(const Timeline& timeline, std::optional<SignalId> power,
                                       Window window, double glimpse) {
  if (!power || timeline.info(*power).traits.averaging_window.value() > 1.5 * glimpse) return {};
  double mean = 0.0;
  double squares = 0.0;
  std::size_t n = 0;
  timeline.visit_runs(*power, window.begin, window.end, [&](std::span<const Sample> run) {
    for (const Sample& s : run) {
      const double step = s.value - mean;
      mean += step / static_cast<double>(++n);
      squares += step * (s.value - mean);
    }
  });
  if (n < static_cast<std::size_t>(wanted_increments) / 2) return {};
  return squares / static_cast<double>(n - 1);
}

/// What a counter misses whose sensor looks at only part of every period.
void add_part_time(SourceEnergy& energy, const Timeline& timeline, Window window, double spacing,
                   std::optional<SignalId> power) {
  const PowerTraits& traits = energy.info->traits;
  const double period = traits.update_period.value();
  if (traits.sampled_fraction >= 1.0 || period <= 0.0) return;
  const double step = std::max(period, spacing);
  const double lack = wanted_increments * step - window.duration().value();
  const Seconds beyond(std::max(0.0, 0.5 * lack));
  const bool resolved = spacing < 0.4 * period;
  Increments increments(0.75 * step, 3.0 * step, resolved ? period : 0.0);
  const Window wide{window.begin - beyond, window.end + beyond};
  timeline.visit_runs(energy.id, wide.begin, wide.end,
                      [&](std::span<const Sample> run) { increments.add(run); });
  const double glimpse = traits.sampled_fraction * period;
  const int looks = std::clamp(static_cast<int>(std::lround(step / period)), 1, most_looks);
  const Observation how{looks < most_looks ? glimpse : step / looks, step, looks, step / looks};
  const auto load =
      fit_load(increments.variogram(), how, glimpse_variance(timeline, power, wide, glimpse));
  if (!load) return;
  const double periods = window.duration().value() / period;
  const double missed = load->miss_variance(glimpse, period) * periods;
  energy.parts.push_back({"part-time sampling", Joules(1.96 * period * std::sqrt(missed))});
}

void add_edges(SourceEnergy& energy, const EdgeEnergy& begin, const EdgeEnergy& end) {
  const double lag = uniform_sum_u95(begin.lag, end.lag);
  const double shape = uniform_sum_u95(begin.shape, end.shape);
  energy.parts.push_back({"window edges", Joules(std::hypot(lag, shape))});
  energy.parts.push_back({"clock", Joules(uniform_sum_u95(begin.clock, end.clock))});
  const double quantum = energy.info->traits.quantum.value();
  if (quantum > 0.0) {
    energy.parts.push_back({"resolution", Joules(uniform_sum_u95(0.5 * quantum, 0.5 * quantum))});
  }
  if (energy.info->traits.sampled_fraction < 1.0) return;
  energy.at_least = std::max(0.0, end.at_least - begin.at_most);
  if (!begin.at_most_known) energy.at_least = 0.0;
  if (end.at_most_known) energy.at_most = end.at_most - begin.at_least + quantum;
}

/// The highest power that the counter shows: its steepest increment that spans many ticks.
void add_maximum(SourceEnergy& energy, const Timeline& timeline, Window window, double spacing) {
  const double period = energy.info->traits.update_period.value();
  Increments increments(std::max(10.0 * period, 0.5 * spacing), 1e9);
  timeline.visit_runs(energy.id, window.begin, window.end,
                      [&](std::span<const Sample> run) { increments.add(run); });
  energy.max_watts = increments.max_watts();
}

}  // namespace

Result<SourceEnergy> by_counter(const Timeline& timeline, SignalId id, Window window,
                                std::optional<SignalId> power) {
  const SignalInfo& info = timeline.info(id);
  if (timeline.sample_count(id) < 2) return coverage_of(timeline, id, window, Seconds(0)).error();
  const CounterCurve first_look(timeline, id, window.begin);
  const double slack = std::max(first_look.period(), first_look.spacing());
  const auto coverage = coverage_of(timeline, id, window, Seconds(slack));
  if (!coverage) return coverage.error();
  const Window covered = coverage->covered;

  const CounterCurve begin(timeline, id, covered.begin);
  const CounterCurve end(timeline, id, covered.end);
  if (begin.knots().size() < 2 && end.knots().size() < 2 && begin.knots().front().joules == 0.0 &&
      timeline.last(id)->value == 0.0) {
    const Seconds watched = timeline.last(id)->time - timeline.first(id)->time;
    const bool short_time =
        watched.value() < std::max(0.05, 10.0 * info.traits.update_period.value());
    return Error{
        Errc::unavailable,
        fmt::format("{} did not move in the {:.3g} s it was read, {}", info.name, watched.value(),
                    short_time ? "too short a time for it" : "so it seems to stand still"),
        {}};
  }
  const EdgeEnergy at_begin = begin.edge(power_near(timeline, power, begin));
  const EdgeEnergy at_end = end.edge(power_near(timeline, power, end));

  SourceEnergy energy;
  energy.id = id;
  energy.info = &info;
  energy.joules = std::max(0.0, at_end.joules - at_begin.joules);
  add_edges(energy, at_begin, at_end);
  const double spacing = std::max(begin.spacing(), end.spacing());
  add_part_time(energy, timeline, covered, spacing, power);
  add_maximum(energy, timeline, covered, spacing);
  extend_to_uncovered(energy, window, *coverage);
  return energy;
}

}  // namespace ergo::energy_detail
