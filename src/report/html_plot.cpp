#include "report/html_plot.hpp"

#include "ergo/report/format.hpp"
#include "ergo/report/study_report.hpp"
#include "report/study_findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace ergo::report {
namespace {

bool has_quantity(const StudyResults& results, const std::string& id) {
  return std::any_of(results.cells.begin(), results.cells.end(),
                     [&](const ResultCell& cell) { return cell.figures.contains(id); });
}

PlotPoint plot_point(const ResultCell& cell, double x, const ResultFigure& figure,
                     const std::string& unit) {
  std::string text =
      fmt::format("{}: {}", cell_name(cell), format_figure(figure.estimate.value, unit));
  if (const std::string range = format_interval(figure.estimate, unit); !range.empty())
    text += " (" + range + ")";
  if (figure.provenance) text += fmt::format(", {}", name_of(*figure.provenance));
  return {x, figure.estimate.value, figure.estimate.low, figure.estimate.high, std::move(text)};
}

/// Enough points that a straight line stays one on an axis that the page makes logarithmic.
std::vector<std::pair<double, double>> fit_points(const AxisFit& fit) {
  constexpr int steps = 40;
  std::vector<std::pair<double, double>> points;
  const auto add = [&](double from, double to, auto&& y) {
    for (int i = 0; i <= steps; ++i) {
      const double x = from + (to - from) * i / steps;
      points.emplace_back(x, y(x));
    }
  };
  if (!fit.is_broken()) {
    add(fit.from, fit.to,
        [&](double x) { return fit.line.intercept.value + fit.line.slope.value * x; });
    return points;
  }
  const stats::BrokenLineFit& b = *fit.broken;
  add(fit.from, b.at.value,
      [&](double x) { return b.level + b.slope_below.value * (x - b.at.value); });
  add(b.at.value, fit.to,
      [&](double x) { return b.level + b.slope_above.value * (x - b.at.value); });
  return points;
}

class PlotMaker {
 public:
  explicit PlotMaker(const StudyResults& results) : results_(results) {
    const auto numeric = [](const ResultCell& cell) { return cell.position.has_value(); };
    if (std::all_of(results.cells.begin(), results.cells.end(), numeric)) return;
    for (const ResultCell& cell : results.cells) {
      const std::string& name = category(cell);
      if (std::find(categories_.begin(), categories_.end(), name) == categories_.end())
        categories_.push_back(name);
    }
  }

  void against_axis(std::string id, std::string title, const std::vector<std::string>& ids) {
    Plot plot;
    plot.id = std::move(id);
    plot.title = std::move(title);
    plot.x_label = results_.titles.axis_label;
    plot.categories = categories_;
    plot.lines = categories_.empty();
    for (const ResultQuantity& q : results_.quantities) {
      if (std::find(ids.begin(), ids.end(), q.id) == ids.end()) continue;
      plot.y_unit = q.unit;
      for (auto& [series, points] : points_of(q)) {
        std::string label = q.label + origins(q.id);
        if (!series.empty()) label += ", " + series;
        add_fit(plot, q.id, series);
        plot.series.push_back({std::move(label), std::move(points)});
      }
    }
    keep(std::move(plot));
  }

  void energy_against_latency() {
    Plot plot;
    plot.id = "plot-energy-latency";
    plot.title = "Total energy against latency" + origins("energy_j");
    plot.x_label = "latency, median";
    plot.x_unit = "s";
    plot.y_unit = "J";
    plot.lines = false;
    std::map<std::string, std::vector<PlotPoint>> series;
    for (const ResultCell& cell : results_.cells) {
      const ResultFigure* energy = figure_in(cell, "energy_j");
      const ResultFigure* latency = figure_in(cell, "latency");
      if (energy == nullptr || latency == nullptr) continue;
      series[cell.series].push_back(plot_point(cell, latency->estimate.value, *energy, "J"));
    }
    for (auto& [name, points] : series)
      plot.series.push_back({name.empty() ? "cells" : name, std::move(points)});
    keep(std::move(plot));
  }

  std::vector<Plot> take() { return std::move(plots_); }

 private:
  void keep(Plot plot) {
    if (!plot.series.empty()) plots_.push_back(std::move(plot));
  }

  /// The fit of the series that comes next.
  void add_fit(Plot& plot, const std::string& quantity, const std::string& series) const {
    if (!categories_.empty()) return;
    for (const AxisFit& fit : results_.fits) {
      if (fit.quantity != quantity || fit.series != series) continue;
      const char* kind = fit.is_broken() ? ", two lines" : ", line";
      plot.fits.push_back({fit_name(results_, fit) + kind, fit_points(fit), plot.series.size()});
    }
  }

  [[nodiscard]] const std::string& category(const ResultCell& cell) const {
    return cell.axis.empty() ? results_.titles.title : cell.axis;
  }

  [[nodiscard]] std::map<std::string, std::vector<PlotPoint>> points_of(
      const ResultQuantity& q) const {
    std::map<std::string, std::vector<PlotPoint>> series;
    for (const ResultCell& cell : results_.cells) {
      if (const ResultFigure* figure = figure_in(cell, q.id))
        series[cell.series].push_back(plot_point(cell, place(cell), *figure, q.unit));
    }
    return series;
  }

  [[nodiscard]] double place(const ResultCell& cell) const {
    if (categories_.empty()) return *cell.position;
    return static_cast<double>(std::find(categories_.begin(), categories_.end(), category(cell)) -
                               categories_.begin());
  }

  /// " (simulated)": every kind that a quantity has over the cells.
  [[nodiscard]] std::string origins(const std::string& id) const {
    std::string text;
    for (const Provenance one : {Provenance::measured, Provenance::derived, Provenance::estimated,
                                 Provenance::simulated}) {
      const auto has = [&](const ResultCell& cell) {
        const ResultFigure* figure = figure_in(cell, id);
        return figure != nullptr && figure->provenance == one;
      };
      if (std::any_of(results_.cells.begin(), results_.cells.end(), has))
        text += (text.empty() ? "" : ", ") + std::string(name_of(one));
    }
    return text.empty() ? text : " (" + text + ")";
  }

  const StudyResults& results_;
  std::vector<std::string> categories_;
  std::vector<Plot> plots_;
};

}  // namespace

std::string machine_text(const HostRecord& host) {
  std::string text;
  for (const std::string& part : {host.name, host.cpu, host.kernel}) {
    if (!part.empty()) text += (text.empty() ? "" : ", ") + part;
  }
  return text;
}

std::string cell_name(const ResultCell& cell) {
  std::string name = cell.axis;
  if (!cell.series.empty()) name += (name.empty() ? "" : ", ") + cell.series;
  return name.empty() ? "command" : name;
}

const ResultFigure* figure_in(const ResultCell& cell, const std::string& id) {
  const auto found = cell.figures.find(id);
  return found == cell.figures.end() ? nullptr : &found->second;
}

std::vector<const ResultQuantity*> quantities_shown(const StudyResults& results) {
  std::vector<const ResultQuantity*> list;
  for (const ResultQuantity& q : results.quantities) {
    if (has_quantity(results, q.id)) list.push_back(&q);
  }
  return list;
}

std::vector<Plot> plots_of(const StudyResults& results) {
  PlotMaker plots(results);
  plots.against_axis("plot-energy", "GPU and CPU energy",
                     {"nvidia_draw_absolute", "intel_power", "cpu_estimated_j"});
  plots.energy_against_latency();
  plots.against_axis("plot-latency", "Latency", {"latency", "latency_p95_s", "latency_p99_s"});
  plots.against_axis("plot-memory", "Memory",
                     {"mem_use_abs", "per_gpu_attributable_mem_use", "gpu_memory_used"});
  plots.against_axis("plot-sm", "SM utilisation", {"sm"});
  return plots.take();
}

}  // namespace ergo::report
