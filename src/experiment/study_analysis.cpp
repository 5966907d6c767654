#include "experiment/study_analysis.hpp"

#include "ergo/experiment/summary.hpp"
#include "ergo/stats/outliers.hpp"
#include "ergo/stats/steady.hpp"
#include "ergo/stats/summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace ergo {

bool AxisFit::is_broken() const {
  constexpr double level = 0.05;
  return broken && broken->p_straight < level;
}

bool AxisFit::bounds_break() const {
  return broken && broken->at.low > first_break && broken->at.high < last_break;
}

namespace experiment_detail {
namespace {

constexpr std::array fitted_quantities{"nvidia_draw_absolute",
                                       "intel_power",
                                       "cpu_estimated_j",
                                       "dram_j",
                                       "energy_j",
                                       "time_s",
                                       "latency"};

struct SeriesPoints {
  std::vector<double> x;
  std::vector<double> y;
};

std::map<std::string, SeriesPoints> points_along_axis(const StudyResults& results,
                                                      const std::string& quantity) {
  std::map<std::string, SeriesPoints> all;
  for (const ResultCell& cell : results.cells) {
    const auto figure = cell.figures.find(quantity);
    if (figure == cell.figures.end() || !cell.position) continue;
    all[cell.series].x.push_back(*cell.position);
    all[cell.series].y.push_back(figure->second.estimate.value);
  }
  return all;
}

/// A quantity that is the same in every cell has no law worth telling.
bool varies(const std::vector<double>& y) {
  constexpr double rounding = 1e-9;
  const auto [low, high] = std::minmax_element(y.begin(), y.end());
  return *high - *low > rounding * std::max(std::abs(*low), std::abs(*high));
}

/// The second smallest and the second largest: a break needs two cells on each side.
std::pair<double, double> break_range(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  x.erase(std::unique(x.begin(), x.end()), x.end());
  return {x[1], x[x.size() - 2]};
}

struct RunCourse {
  double iterations = 0.0;
  bool settled = false;
  bool drifts = false;
  double warm_up = 0.0;
  double median = 0.0;
  double steady_median = 0.0;
  double outlier_share = 0.0;
};

RunCourse course_of(std::span<const double> series) {
  RunCourse course;
  course.iterations = static_cast<double>(series.size());
  course.median = stats::median(series);
  const auto steady = stats::steady_state(series);
  const auto rest = steady ? series.subspan(steady->from) : series;
  if (steady) {
    course.settled = true;
    course.drifts = steady->drifts();
    course.warm_up = static_cast<double>(steady->from);
    course.steady_median = stats::median(rest);
  }
  course.outlier_share =
      static_cast<double>(stats::outliers(rest).size()) / static_cast<double>(rest.size());
  return course;
}

/// Time per item of each occurrence of the window that counts the items.
std::vector<double> window_times(const RunRecord& run) {
  std::vector<double> times;
  for (const std::size_t i : item_windows(run.windows))
    times.push_back(run.windows[i].duration.value() / static_cast<double>(*run.windows[i].count));
  return times;
}

CellCourse summarise(std::size_t cell, std::string of, std::string unit,
                     const std::vector<RunCourse>& runs) {
  CellCourse course;
  course.cell = cell;
  course.of = std::move(of);
  course.unit = std::move(unit);
  course.runs = runs.size();
  std::vector<double> lengths, warm_ups, medians, steady_medians, shares;
  for (const RunCourse& run : runs) {
    lengths.push_back(run.iterations);
    medians.push_back(run.median);
    shares.push_back(run.outlier_share);
    if (!run.settled) continue;
    ++course.settled;
    course.drifting += run.drifts ? 1 : 0;
    warm_ups.push_back(run.warm_up);
    steady_medians.push_back(run.steady_median);
  }
  course.iterations = static_cast<std::size_t>(stats::median(lengths));
  course.median = stats::median(medians);
  course.outliers = stats::mean(shares);
  if (course.settled > 0) {
    course.warm_up = static_cast<std::size_t>(stats::median(warm_ups));
    course.steady_median = stats::median(steady_medians);
  }
  return course;
}

std::optional<double> energy_of_repeat(const RunRecord& run) {
  const EnergyTotal& total = run.items ? run.items->total : run.total;
  const double n = run.items ? static_cast<double>(run.items->count) : 1.0;
  const auto joules = total.measured ? total.measured : total.estimated;
  return joules ? std::optional(joules->value() / n) : std::nullopt;
}

std::optional<CellCourse> repeats_course(std::size_t cell,
                                         const std::vector<const RunRecord*>& runs) {
  if (runs.size() < stats::fewest_for_steady) return std::nullopt;
  std::vector<double> energies, times;
  for (const RunRecord* run : runs) {
    if (const auto energy = energy_of_repeat(*run)) energies.push_back(*energy);
    times.push_back(run->duration.value());
  }
  const bool metered = energies.size() == runs.size();
  return summarise(cell, "repeats", metered ? "J" : "s", {course_of(metered ? energies : times)});
}

}  // namespace

std::vector<AxisFit> axis_fits(const StudyResults& results) {
  std::vector<AxisFit> fits;
  for (const char* quantity : fitted_quantities) {
    for (const auto& [series, points] : points_along_axis(results, quantity)) {
      const auto line = stats::fit_line(points.x, points.y);
      if (!line || !varies(points.y)) continue;
      AxisFit fit;
      fit.quantity = quantity;
      fit.series = series;
      const auto [low, high] = std::minmax_element(points.x.begin(), points.x.end());
      fit.from = *low;
      fit.to = *high;
      fit.line = *line;
      if (points.x.size() <= most_cells_for_break)
        fit.broken = stats::fit_broken_line(points.x, points.y);
      if (fit.broken) std::tie(fit.first_break, fit.last_break) = break_range(points.x);
      fits.push_back(std::move(fit));
    }
  }
  return fits;
}

std::vector<CellCourse> cell_courses(std::size_t cell, const std::vector<const RunRecord*>& runs) {
  std::vector<RunCourse> latencies, windows;
  std::string window;
  for (const RunRecord* run : runs) {
    if (run->latencies_s.size() >= stats::fewest_for_steady)
      latencies.push_back(course_of(run->latencies_s));
    const std::vector<double> times = window_times(*run);
    if (times.size() < stats::fewest_for_steady) continue;
    window = run->items ? run->items->window : std::string("windows");
    windows.push_back(course_of(times));
  }
  std::vector<CellCourse> courses;
  if (!latencies.empty()) courses.push_back(summarise(cell, "latency", "s", latencies));
  if (!windows.empty()) courses.push_back(summarise(cell, window, "s", windows));
  if (auto repeats = repeats_course(cell, runs)) courses.push_back(std::move(*repeats));
  return courses;
}

void add_odd_runs(std::vector<OddRun>& odd, std::size_t cell, const std::string& quantity,
                  const std::vector<const RunRecord*>& runs, const std::vector<double>& values) {
  if (values.size() < fewest_runs_for_odd) return;
  const std::vector<double> z = stats::modified_z(values);
  for (const std::size_t i : stats::outliers(values))
    odd.push_back({cell, runs[i]->repeat, quantity, values[i], z[i]});
}

}  // namespace experiment_detail
}  // namespace ergo
