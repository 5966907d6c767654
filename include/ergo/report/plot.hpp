#pragma once
// Figures for papers: results of a store as gnuplot scripts with their data inside
// (docs/user/plot.md). Running gnuplot is left to the caller.

#include "ergo/core/result.hpp"
#include "ergo/experiment/study_results.hpp"
#include "ergo/report/html.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ergo::report {

struct FigurePoint {
  double x = 0.0;
  double y = 0.0;
  double low = 0.0;  ///< of the error bar; low = high = y: none
  double high = 0.0;
};

struct FigureSeries {
  std::string label;
  std::vector<FigurePoint> points;
};

/// A stretch of x that is shaded.
struct FigureBand {
  std::string name;
  double from = 0.0;
  double to = 0.0;
};

/// Values are in the units that the labels name.
struct Figure {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<std::string> categories;  ///< x = 0, 1, 2 … are these; empty: numbers
  bool markers = true;                  ///< a symbol at each point (else lines alone)
  std::vector<FigureSeries> series;
  std::vector<FigureBand> bands;
};

/// Energies (or `quantities`, by ResultQuantity::id) of each cell against the axis, with their 95 %
/// intervals. Errors: not_found for a quantity that no cell has, with those that there are;
/// invalid_argument for quantities of different units.
Result<Figure> axis_figure(const StudyResults& results, const std::vector<std::string>& quantities);

/// Energy (or one quantity) of each cell against its latency: the median of single latencies, else
/// the time per item. not_found when no cell has both.
Result<Figure> latency_figure(const StudyResults& results,
                              const std::vector<std::string>& quantities);

/// Power of each channel over a run, its windows shaded. not_found when the run has no readings.
Result<Figure> power_figure(const RunTrace& trace);

enum class FigureFormat {
  svg,     ///< 720 x 432
  png,     ///< 1440 x 864
  script,  ///< no terminal and no output: for gnuplot's own settings
};

/// The script. `output` is where gnuplot writes; not used for FigureFormat::script. Needs
/// gnuplot 5.
std::string gnuplot_script(const Figure& figure, FigureFormat format, std::string_view output = {});

}  // namespace ergo::report
