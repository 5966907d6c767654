#include "ergo/report/study_report.hpp"

#include "ergo/core/csv.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/model/table.hpp"
#include "ergo/report/format.hpp"
#include "report/html_plot.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <set>

namespace ergo::report {
namespace {

using StudyJson = nlohmann::ordered_json;

/// Parameters other than the axis, over all cells.
std::vector<std::string> other_parameters(const StudyResults& results) {
  std::set<std::string> names;
  for (const ResultCell& cell : results.cells) {
    for (const auto& [name, value] : cell.parameters) {
      if (name != results.titles.axis) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

bool has_provenance(const StudyResults& results, const std::string& id) {
  return std::any_of(results.cells.begin(), results.cells.end(), [&](const ResultCell& cell) {
    const ResultFigure* figure = figure_in(cell, id);
    return figure != nullptr && figure->provenance.has_value();
  });
}

StudyJson estimate_object(const ResultFigure& figure) {
  StudyJson json{{"median", figure.estimate.value},
                 {"low", figure.estimate.low},
                 {"high", figure.estimate.high},
                 {"runs", figure.runs}};
  if (figure.provenance) json["provenance"] = name_of(*figure.provenance);
  return json;
}

StudyJson matrix(const RankCorrelation& correlation, double Estimate::*member) {
  StudyJson rows = StudyJson::array();
  for (const auto& row : correlation.rho) {
    StudyJson one = StudyJson::array();
    for (const auto& rho : row)
      one.push_back(rho ? StudyJson((*rho).*member) : StudyJson());
    rows.push_back(std::move(one));
  }
  return rows;
}

StudyJson correlation_object(const RankCorrelation& correlation) {
  return {{"method", "spearman"},
          {"over", "medians of cells"},
          {"cells", correlation.cells},
          {"ids", correlation.ids},
          {"rho", matrix(correlation, &Estimate::value)},
          {"low", matrix(correlation, &Estimate::low)},
          {"high", matrix(correlation, &Estimate::high)}};
}

/// What follows from sums of squares is the same on every machine up to its last digits only.
double ten_digits(double value) {
  return std::strtod(fmt::format("{:.10g}", value).c_str(), nullptr);
}

StudyJson fit_object(const AxisFit& fit) {
  const auto ends = [](const Estimate& e) {
    return StudyJson{
        {"value", ten_digits(e.value)}, {"low", ten_digits(e.low)}, {"high", ten_digits(e.high)}};
  };
  StudyJson json{{"quantity", fit.quantity},
                 {"series", fit.series},
                 {"points", fit.line.points},
                 {"line",
                  {{"intercept", ends(fit.line.intercept)},
                   {"slope", ends(fit.line.slope)},
                   {"residual_deviation", ten_digits(fit.line.residual_deviation)},
                   {"r_squared", ten_digits(fit.line.r_squared)}}}};
  if (!fit.broken) return json;
  const stats::BrokenLineFit& b = *fit.broken;
  json["broken_line"] = {{"break", ends(b.at)},
                         {"level", ten_digits(b.level)},
                         {"slope_below", ends(b.slope_below)},
                         {"slope_above", ends(b.slope_above)},
                         {"residual_deviation", ten_digits(b.residual_deviation)},
                         {"r_squared", ten_digits(b.r_squared)},
                         {"p_straight", b.p_straight},
                         {"better", fit.is_broken()},
                         {"bounded", fit.bounds_break()}};
  return json;
}

StudyJson course_object(const CellCourse& course, const StudyResults& results) {
  StudyJson json{{"parameters", results.cells[course.cell].parameters},
                 {"of", course.of},
                 {"unit", course.unit},
                 {"iterations", course.iterations},
                 {"runs", course.runs},
                 {"settled", course.settled},
                 {"drifting", course.drifting},
                 {"median", course.median},
                 {"outliers", course.outliers}};
  if (course.warm_up) json["warm_up"] = *course.warm_up;
  if (course.steady_median) json["steady_median"] = *course.steady_median;
  return json;
}

void add_findings(StudyJson& json, const StudyResults& results) {
  json["fits"] = StudyJson::array();
  for (const AxisFit& fit : results.fits)
    json["fits"].push_back(fit_object(fit));
  json["warm_up"] = StudyJson::array();
  for (const CellCourse& course : results.courses)
    json["warm_up"].push_back(course_object(course, results));
  json["odd_runs"] = StudyJson::array();
  for (const OddRun& odd : results.odd_runs)
    json["odd_runs"].push_back({{"parameters", results.cells[odd.cell].parameters},
                                {"repeat", odd.repeat},
                                {"quantity", odd.quantity},
                                {"value", odd.value},
                                {"modified_z", ten_digits(odd.z)}});
}

}  // namespace

std::string format_figure(double value, std::string_view unit) {
  if (unit == "J") return format_energy(Joules(value));
  if (unit == "s") return format_duration(Seconds(value));
  if (unit == "B") return format_bytes(value);
  if (unit == "1") return fmt::format("{:.1f} %", value * 100);
  return fmt::format("{:.4g} {}", value, unit);
}

std::string format_interval(const Estimate& e, std::string_view unit) {
  // Equal runs differ by rounding alone.
  constexpr double rounding = 1e-9;
  if (!(e.high - e.low > rounding * std::max(std::abs(e.low), std::abs(e.high)))) return {};
  if (unit == "J") return format_range(Joules(e.low), Joules(e.high));
  return format_figure(e.low, unit) + " … " + format_figure(e.high, unit);
}

std::string study_csv(const StudyResults& results) {
  const auto others = other_parameters(results);
  const auto& axis = results.titles.axis;
  std::string text = csv_field(axis.empty() ? "cell" : axis);
  for (const std::string& name : others)
    text += "," + csv_field(name);
  for (const ResultQuantity& q : results.quantities)
    text += "," + q.id;
  for (const ResultQuantity& q : results.quantities)
    text += fmt::format(",{0}_low,{0}_high", q.id);
  for (const ResultQuantity& q : results.quantities)
    text += has_provenance(results, q.id) ? "," + q.id + "_provenance" : "";
  text += ",runs,failed,reason\n";
  for (const ResultCell& cell : results.cells) {
    text += csv_field(cell.axis);
    for (const std::string& name : others) {
      const auto value = cell.parameters.find(name);
      text += "," + (value == cell.parameters.end() ? std::string() : csv_field(value->second));
    }
    for (const ResultQuantity& q : results.quantities) {
      const ResultFigure* figure = figure_in(cell, q.id);
      text += "," + (figure != nullptr ? shortest(figure->estimate.value) : std::string());
    }
    for (const ResultQuantity& q : results.quantities) {
      const ResultFigure* figure = figure_in(cell, q.id);
      text += figure == nullptr ? ",,"
                                : fmt::format(",{},{}", shortest(figure->estimate.low),
                                              shortest(figure->estimate.high));
    }
    for (const ResultQuantity& q : results.quantities) {
      if (!has_provenance(results, q.id)) continue;
      const ResultFigure* figure = figure_in(cell, q.id);
      text += ",";
      if (figure != nullptr && figure->provenance) text += name_of(*figure->provenance);
    }
    text += fmt::format(",{},{},{}\n", cell.good, cell.failed, csv_field(cell.reason.value_or("")));
  }
  return text;
}

std::string study_json(const StudyResults& results) {
  StudyJson json{{"schema", "ergo.study/1"},
                 {"title", results.titles.title},
                 {"source", results.titles.source},
                 {"axis", {{"name", results.titles.axis}, {"label", results.titles.axis_label}}},
                 {"item", results.titles.item},
                 {"command", results.command},
                 {"started", results.started}};
  StudyJson gpus = StudyJson::array();
  for (const GpuIdentity& gpu : results.host.gpus)
    gpus.push_back({{"name", gpu.name}, {"uuid", gpu.uuid}, {"simulated", gpu.simulated}});
  json["host"] = {{"name", results.host.name},
                  {"cpu", results.host.cpu},
                  {"kernel", results.host.kernel},
                  {"gpus", std::move(gpus)}};
  StudyJson quantities = StudyJson::array();
  for (const ResultQuantity& q : results.quantities)
    quantities.push_back({{"id", q.id}, {"label", q.label}, {"unit", q.unit}});
  json["quantities"] = std::move(quantities);
  StudyJson cells = StudyJson::array();
  for (const ResultCell& cell : results.cells) {
    StudyJson one{{"parameters", cell.parameters}, {"runs", cell.good}, {"failed", cell.failed}};
    if (cell.reason) one["reason"] = *cell.reason;
    StudyJson figures = StudyJson::object();
    for (const ResultQuantity& q : results.quantities) {
      if (const ResultFigure* figure = figure_in(cell, q.id))
        figures[q.id] = estimate_object(*figure);
    }
    one["figures"] = std::move(figures);
    cells.push_back(std::move(one));
  }
  json["cells"] = std::move(cells);
  json["correlation"] = correlation_object(results.correlation);
  add_findings(json, results);
  json["warnings"] = results.warnings;
  return json.dump(2, ' ', false, StudyJson::error_handler_t::replace) + "\n";
}

}  // namespace ergo::report
