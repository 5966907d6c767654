#include "source.hpp"
#include "variation.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::energy_detail {
namespace {

constexpr double gap_factor = 3.5;
constexpr int wanted_steps = 40;
/// Relative half-width of the time constant of a low pass: one published figure, for one card.
constexpr double time_constant_u = 0.25;

/// How the sensor and the sampler together see the power.
struct View {
  double spacing = 0.0;  ///< between two readings
  double window = 0.0;   ///< a value is a mean over so long
  double period = 0.0;   ///< a value is renewed so often
  bool low_pass = false;
  [[nodiscard]] double step() const { return std::max(spacing, period); }
  [[nodiscard]] double long_gap() const { return gap_factor * step(); }
};

/// Trapezoids over [begin, end] with values interpolated at both edges. One pass, constant memory.
class Integral {
 public:
  Integral(Window window, const View& view)
      : window_(window),
        begin_(window.begin.ns),
        end_(window.end.ns),
        looks_(view.window),
        long_gap_(view.long_gap()),
        thin_(0.75 * view.step()) {}

  void add(std::span<const Sample> run) {
    for (const Sample& s : run)
      add(s);
  }
  /// Holds the last value up to the end of the window, and the first back to its begin.
  void finish() {
    if (have_ && last_.time.ns < end_) piece(last_.time.ns, last_.value, end_, last_.value);
  }

  double joules = 0.0;
  double max_watts = 0.0;
  double min_watts = 1e300;
  double at_begin = 0.0;  ///< power at the two edges
  double at_end = 0.0;
  double gap_s = 0.0;
  double half_width_s = 0.0;
  /// Sum of squares of (distance of two readings less the window of one) x (their difference), J².
  double uneven = 0.0;
  Variogram variogram;

 private:
  void add(const Sample& s) {
    if (!have_) {
      have_ = true;
      at_begin = s.value;
      if (s.time.ns > begin_) piece(begin_, s.value, s.time.ns, s.value);
      observe(s);
      last_ = s;
      return;
    }
    piece(last_.time.ns, last_.value, s.time.ns, s.value);
    observe(s);
    last_ = s;
  }

  void observe(const Sample& s) {
    half_width_s = std::max(half_width_s, static_cast<double>(s.half_width_s));
    const double since = static_cast<double>(s.time.ns - thinned_ns_) * 1e-9;
    if (variogram_started_ && since < thin_) return;
    if (variogram_started_ && since > long_gap_) variogram.cut();
    variogram_started_ = true;
    thinned_ns_ = s.time.ns;
    variogram.add(s.value);
  }

  /// The straight line from (t0, p0) to (t1, p1), cut to the window.
  void piece(std::int64_t t0, double p0, std::int64_t t1, double p1) {
    if (t1 <= begin_) at_begin = p1;
    if (t1 <= begin_ || t0 >= end_ || t1 <= t0) return;
    const double slope = (p1 - p0) / static_cast<double>(t1 - t0);
    if (t0 < begin_) {
      p0 += slope * static_cast<double>(begin_ - t0);
      t0 = begin_;
      at_begin = p0;
    }
    if (t1 > end_) {
      p1 = p0 + slope * static_cast<double>(end_ - t0);
      t1 = end_;
    }
    const double dt = static_cast<double>(t1 - t0) * 1e-9;
    joules += 0.5 * (p0 + p1) * dt;
    uneven += (dt - looks_) * (p1 - p0) * (dt - looks_) * (p1 - p0);
    if (dt > long_gap_) gap_s += dt;
    max_watts = std::max({max_watts, p0, p1});
    min_watts = std::min({min_watts, p0, p1});
    at_end = p1;
  }

  Window window_;
  std::int64_t begin_;
  std::int64_t end_;
  double looks_;
  double long_gap_;
  double thin_;
  bool have_ = false;
  bool variogram_started_ = false;
  std::int64_t thinned_ns_ = 0;
  Sample last_;
};

View view_of(const Timeline& timeline, SignalId id, Window window) {
  const PowerTraits& traits = timeline.info(id).traits;
  View view;
  view.window = traits.averaging_window.value();
  view.period = traits.update_period.value();
  view.low_pass = traits.low_pass;
  // The median is not moved by a few long gaps; near the window's begin is enough to know the
  // sampler's period.
  const Instant until = std::min(window.end, window.begin + Seconds(60.0));
  const auto samples = timeline.slice(id, window.begin - Seconds(2.0), until);
  std::vector<std::int64_t> steps;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    steps.push_back(samples[i].time.ns - samples[i - 1].time.ns);
  }
  if (steps.empty()) return view;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  view.spacing = static_cast<double>(*middle) * 1e-9;
  return view;
}

/// Range of power around an instant. A mean over a long window hides the load's own range: its
/// slope shows it.
double range_near(const Timeline& timeline, SignalId id, Instant at, const View& view) {
  const Seconds reach(view.step() + 0.5 * view.window);
  double low = 1e300;
  double high = 0.0;
  double steepest = 0.0;
  std::optional<Sample> last;
  timeline.visit(id, at - reach, at + reach, [&](const Sample& s) {
    low = std::min(low, s.value);
    high = std::max(high, s.value);
    if (last && s.time > last->time) {
      const double dt = std::max((s.time - last->time).value(), view.step());
      steepest = std::max(steepest, std::abs(s.value - last->value) / dt);
    }
    last = s;
  });
  if (!last) return 0.0;
  return std::max(high - low, steepest * view.window);
}

/// Errors of one edge, J.
struct EdgeError {
  double uniform = 0.0;  ///< half-width of a uniform error
  double bound = 0.0;    ///< an error that is near its bound as often as not
};

EdgeError edge_error(const Timeline& timeline, SignalId id, Instant at, double watts,
                     const View& view) {
  const double range = range_near(timeline, id, at, view);
  // A value is up to one period old when it is read.
  const double lag = 0.5 * view.period * range;
  // Between two readings the load moves, unseen, by half its mean at least.
  const double shape = 0.25 * view.step() * std::max(unseen_swing * watts, 0.5 * range);
  // A step is seen as a ramp as long as the averaging window.
  const bool smeared = view.window > view.step() && !view.low_pass;
  return {std::hypot(lag, shape), smeared ? view.window / 8.0 * range : 0.0};
}

double edges_u95(const EdgeError& begin, const EdgeError& end) {
  return std::hypot(uniform_sum_u95(begin.uniform, end.uniform), begin.bound, end.bound);
}

/// Looks that leave nothing out, each with its own time, but unevenly spaced: what lies between two
/// is seen by none or by both, and its power is anywhere between theirs. Such errors are not
/// independent of each other: on an H100 they added up to twice the root of their squares
/// (docs/results/hopper.md).
void add_unevenness(SourceEnergy& energy, const View& view, double uneven) {
  constexpr double alike = 2.0;
  if (view.period > 0.0 || view.low_pass || view.window < view.step()) return;
  energy.parts.push_back({"resolution", Joules(1.96 * alike * std::sqrt(uneven / 12.0))});
}

/// What is missed between the moments that a sensor looks at.
void add_sampling(SourceEnergy& energy, const Timeline& timeline, Window window, const View& view,
                  const Variogram& inside) {
  const double step = view.step();
  if (step <= 0.0 || view.window >= step) return;
  Variogram around = inside;
  if (inside.count() < static_cast<std::size_t>(wanted_steps)) {
    const double lack = wanted_steps * step - window.duration().value();
    const Seconds beyond(std::max(0.0, 0.5 * lack));
    Integral wider({window.begin - beyond, window.end + beyond}, view);
    timeline.visit_runs(energy.id, window.begin - beyond, window.end + beyond,
                        [&](std::span<const Sample> run) { wider.add(run); });
    around = wider.variogram;
  }
  const auto load = fit_load(around, {view.window, step});
  if (!load) return;
  const double duration = window.duration().value();
  const auto u95 = [&](double seen, double period) {
    return 1.96 * period * std::sqrt(load->miss_variance(seen, period) * duration / period);
  };
  const double all = u95(view.window, step);
  double part_time = 0.0;
  if (energy.info->traits.sampled_fraction < 1.0 && view.period > 0.0) {
    part_time = std::min(all, u95(view.window, view.period));
    energy.parts.push_back({"part-time sampling", Joules(part_time)});
  }
  const double rest = std::sqrt(std::max(0.0, all * all - part_time * part_time));
  energy.parts.push_back({"resolution", Joules(rest)});
}

}  // namespace

Result<SourceEnergy> by_power(const Timeline& timeline, SignalId id, Window window) {
  const SignalInfo& info = timeline.info(id);
  const View view = view_of(timeline, id, window);
  const auto coverage =
      coverage_of(timeline, id, window, Seconds(std::max(view.step(), view.window)));
  if (!coverage) return coverage.error();
  const Window covered = coverage->covered;

  Integral integral(covered, view);
  timeline.visit_runs(id, covered.begin, covered.end,
                      [&](std::span<const Sample> run) { integral.add(run); });
  integral.finish();

  SourceEnergy energy;
  energy.id = id;
  energy.info = &info;
  // A value stands for a stretch that ended, on average, half a window and half a period ago: the
  // readings run late by that much, and the window's energy differs from their integral by what is
  // still to come less what came before.
  const double delay = 0.5 * view.window + 0.5 * view.period;
  energy.joules = std::max(0.0, integral.joules + delay * (integral.at_end - integral.at_begin));
  energy.max_watts = integral.max_watts;
  const EdgeError begin = edge_error(timeline, id, covered.begin, integral.at_begin, view);
  const EdgeError end = edge_error(timeline, id, covered.end, integral.at_end, view);
  // Behind a low pass the delayed energy is exactly time constant x power, if only the constant
  // were known better.
  const double constant = view.low_pass ? time_constant_u * 0.5 * view.window : 0.0;
  const double held_back = constant * std::abs(integral.at_end - integral.at_begin);
  energy.parts.push_back({"window edges", Joules(std::hypot(edges_u95(begin, end), held_back))});
  add_sampling(energy, timeline, covered, view, integral.variogram);
  add_unevenness(energy, view, integral.uneven);
  const double clock = integral.half_width_s;
  energy.parts.push_back(
      {"clock", Joules(uniform_sum_u95(clock * integral.at_begin, clock * integral.at_end))});
  if (integral.gap_s > 0.0) {
    const double mean = energy.joules / covered.duration().value();
    const double swing =
        std::max({integral.max_watts - mean, mean - integral.min_watts, unseen_swing * mean});
    energy.parts.push_back({"gaps", Joules(integral.gap_s * swing)});
    energy.warnings.push_back(info.name + " has gaps in the window; the interval is wider for it");
  }
  extend_to_uncovered(energy, window, *coverage);
  return energy;
}

}  // namespace ergo::energy_detail
