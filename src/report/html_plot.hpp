#pragma once
// Plots of a page: SVG, coloured by the page's style sheet.

#include <optional>
#include <string>
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

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::string x_unit;  ///< "J", "B", "s", "1", or empty for a plain number
  std::string y_unit;
  std::vector<std::string> categories;  ///< x = 0, 1, 2 … are these; empty: numbers
  bool lines = true;                    ///< join the points
  std::vector<PlotSeries> series;
};

/// A <figure>; empty when no series has a point.
std::string plot_figure(const Plot& plot);

}  // namespace ergo::report
