#include "report/study_findings.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/report/study_report.hpp"
#include "report/html_plot.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo::report {
namespace {

const ResultQuantity* quantity_of(const StudyResults& results, const std::string& id) {
  const auto found = std::find_if(results.quantities.begin(), results.quantities.end(),
                                  [&](const ResultQuantity& q) { return q.id == id; });
  return found == results.quantities.end() ? nullptr : &*found;
}

std::string with_range(const Estimate& e, const std::string& unit) {
  std::string text = format_figure(e.value, unit);
  if (const std::string range = format_interval(e, unit); !range.empty())
    text += " (" + range + ")";
  return text;
}

std::string plain_range(const Estimate& e) {
  return fmt::format("{:.4g} ({:.4g} … {:.4g})", e.value, e.low, e.high);
}

std::string verdict(const AxisFit& fit) {
  if (!fit.broken)
    return fit.line.points > most_cells_for_break ? "too many cells" : "too few cells (6 needed)";
  const std::string p = fit.broken->p_straight < 0.001
                            ? "p < 0.001"
                            : fmt::format("p = {:.2g}", fit.broken->p_straight);
  if (!fit.is_broken()) return "one line does (" + p + ")";
  return fit.bounds_break() ? p : p + "; the cells do not bound the break";
}

Finding fits_finding(const StudyResults& results) {
  const std::string& axis = results.titles.axis_label;
  Finding finding{
      "fits",
      "Lines along the axis",
      fmt::format(
          "Least squares through the medians of the cells; slopes are per unit of {}, with 95 % "
          "intervals. Two lines that meet are given when noise about one line would seem broken as "
          "much in fewer than 5 % of the cases (p < 0.05).",
          axis.empty() ? "the axis" : axis),
      {"quantity", "slope of one line", "R²"},
      {}};
  const bool any = std::any_of(results.fits.begin(), results.fits.end(),
                               [](const AxisFit& fit) { return fit.is_broken(); });
  if (any)
    finding.head.insert(finding.head.end(),
                        {"break", "slope below", "slope above", "R² of two lines"});
  finding.head.emplace_back("two lines?");
  for (const AxisFit& fit : results.fits) {
    const ResultQuantity* q = quantity_of(results, fit.quantity);
    if (q == nullptr) continue;
    std::vector<std::string> row{fit_name(results, fit), with_range(fit.line.slope, q->unit),
                                 fmt::format("{:.3f}", fit.line.r_squared)};
    if (fit.is_broken()) {
      const stats::BrokenLineFit& b = *fit.broken;
      row.insert(row.end(),
                 {plain_range(b.at), with_range(b.slope_below, q->unit),
                  with_range(b.slope_above, q->unit), fmt::format("{:.3f}", b.r_squared)});
    } else if (any) {
      row.insert(row.end(), 4, "");
    }
    row.push_back(verdict(fit));
    finding.rows.push_back(std::move(row));
  }
  return finding;
}

Finding courses_finding(const StudyResults& results) {
  Finding finding{
      "warm-up",
      "Warm-up",
      "Where the iterations of a run become steady (MSER-5), medians over the runs of a cell. "
      "Nothing is left out of the results above for it. Outliers are those of the steady part "
      "(modified z beyond 3.5).",
      {"cell", "of", "iterations", "warm-up", "median of all", "median when steady", "outliers",
       "runs that settled"},
      {}};
  for (const CellCourse& course : results.courses) {
    std::string settled = fmt::format("{} of {}", course.settled, course.runs);
    if (course.drifting > 0) settled += fmt::format(", {} still drift", course.drifting);
    finding.rows.push_back(
        {cell_name(results.cells[course.cell]), course.of, std::to_string(course.iterations),
         course.warm_up ? std::to_string(*course.warm_up) : "not settled",
         format_figure(course.median, course.unit),
         course.steady_median ? format_figure(*course.steady_median, course.unit) : std::string(),
         fmt::format("{:.2g} %", course.outliers * 100), std::move(settled)});
  }
  return finding;
}

Finding odd_finding(const StudyResults& results) {
  Finding finding{"odd-runs",
                  "Runs that stand apart",
                  "Modified z beyond 3.5 among the runs of their cell. They are counted.",
                  {"cell", "repeat", "quantity", "value", "from the median", "modified z"},
                  {}};
  for (const OddRun& odd : results.odd_runs) {
    const ResultQuantity* q = quantity_of(results, odd.quantity);
    const ResultFigure* figure = figure_in(results.cells[odd.cell], odd.quantity);
    if (q == nullptr || figure == nullptr) continue;
    const double middle = figure->estimate.value;
    finding.rows.push_back(
        {cell_name(results.cells[odd.cell]), std::to_string(odd.repeat), q->label,
         format_figure(odd.value, q->unit),
         middle > 0 ? fmt::format("{:+.2g} %", (odd.value / middle - 1) * 100) : std::string(),
         fmt::format("{:.1f}", odd.z)});
  }
  return finding;
}

}  // namespace

std::string fit_name(const StudyResults& results, const AxisFit& fit) {
  const ResultQuantity* q = quantity_of(results, fit.quantity);
  std::string name = q != nullptr ? q->label : fit.quantity;
  if (!fit.series.empty()) name += ", " + fit.series;
  return name;
}

std::vector<Finding> findings_of(const StudyResults& results) {
  std::vector<Finding> all{fits_finding(results), courses_finding(results), odd_finding(results)};
  std::erase_if(all, [](const Finding& one) { return one.rows.empty(); });
  return all;
}

}  // namespace ergo::report
