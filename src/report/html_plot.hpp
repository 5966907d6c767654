#pragma once
// What the page's script draws (html/report.js): plots of results and traces of runs, as JSON.

#include "ergo/experiment/study_results.hpp"
#include "ergo/report/html.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace ergo::report {

struct PlotPoint {
  double x = 0.0;
  double y = 0.0;
  double low = 0.0;
  double high = 0.0;
  std::string text;  ///< shown over the point
};

struct PlotSeries {
  std::string label;
  std::vector<PlotPoint> points;
};

/// One line, or two that meet, from end to end.
struct PlotFit {
  std::string label;
  std::vector<std::pair<double, double>> points;
  std::size_t series = 0;  ///< index of the series that it goes through
};

struct Plot {
  std::string id;  ///< of its canvas
  std::string title;
  std::string x_label;
  std::string x_unit;  ///< "J", "B", "s", "1", or empty for a plain number
  std::string y_unit;
  std::vector<std::string> categories;  ///< x = 0, 1, 2 … are these; empty: numbers
  bool lines = true;                    ///< join the points
  std::vector<PlotSeries> series;       ///< none without points
  std::vector<PlotFit> fits;
};

/// Energy, latency, memory and utilisation against the axis, and energy against latency; those for
/// which there is something to draw.
std::vector<Plot> plots_of(const StudyResults& results);

/// {"plots": […], "traces": […]}, safe inside of a script element.
std::string page_data(const std::vector<Plot>& plots, const std::vector<RunTrace>& traces);

/// "node1, AMD EPYC, Linux 6.1.0": what is known of it.
std::string machine_text(const HostRecord& host);
/// "112, batch=8"; "command" for a cell without parameters.
std::string cell_name(const ResultCell& cell);
/// The cell's value of a quantity; null where it was not measured.
const ResultFigure* figure_in(const ResultCell& cell, const std::string& id);
/// The quantities that some cell has.
std::vector<const ResultQuantity*> quantities_shown(const StudyResults& results);

}  // namespace ergo::report
