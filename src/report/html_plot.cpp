#include "report/html_plot.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/report/html.hpp"
#include "ergo/report/study_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ergo::report {
namespace {

constexpr double plot_width = 560;
constexpr double plot_height = 300;
constexpr double left = 74;
constexpr double right = 14;
constexpr double top = 14;
constexpr double bottom = 44;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

/// Steps of 1, 2 or 5 times a power of ten, about `wanted` of them.
std::vector<double> ticks(double low, double high, int wanted) {
  const double raw = (high - low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double factor = raw / power;
  const double step = power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
  std::vector<double> out;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i)
    out.push_back(i * step);
  return out;
}

/// A value to a place along one side of the plot.
struct Scale {
  double low = 0.0;
  double high = 1.0;
  double from = 0.0;
  double to = 1.0;
  bool logarithmic = false;
  [[nodiscard]] double place(double value) const {
    const double share =
        logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + share * (to - from);
  }
};

Scale x_scale(const Plot& plot, const Range& range) {
  Scale x{range.low, range.high, left, plot_width - right};
  if (!plot.categories.empty()) {
    x.low = -0.5;
    x.high = static_cast<double>(plot.categories.size()) - 0.5;
    return x;
  }
  constexpr double wide = 50;
  x.logarithmic = range.low > 0 && range.high / range.low >= wide;
  if (range.high <= range.low) {
    const double half = range.low != 0 ? std::abs(range.low) / 2 : 1.0;
    x.low -= half;
    x.high += half;
  }
  if (x.logarithmic) {
    x.low /= 1.15;
    x.high *= 1.15;
  } else {
    const double margin = (x.high - x.low) * 0.03;
    x.low -= margin;
    x.high += margin;
  }
  return x;
}

std::string axis_text(double value, const std::string& unit) {
  return unit.empty() ? fmt::format("{:.4g}", value) : format_figure(value, unit);
}

std::string x_axis(const Plot& plot, const Scale& x) {
  std::vector<std::pair<double, std::string>> marks;
  if (!plot.categories.empty()) {
    for (std::size_t i = 0; i < plot.categories.size(); ++i)
      marks.emplace_back(static_cast<double>(i), plot.categories[i]);
  } else if (x.logarithmic) {
    for (double tick = std::pow(2.0, std::ceil(std::log2(x.low))); tick <= x.high; tick *= 2)
      marks.emplace_back(tick, axis_text(tick, plot.x_unit));
  } else {
    for (const double tick : ticks(x.low, x.high, 6))
      marks.emplace_back(tick, axis_text(tick, plot.x_unit));
  }
  constexpr std::size_t most_marks = 12;
  const std::size_t stride = (marks.size() + most_marks - 1) / most_marks;
  std::string svg;
  for (std::size_t i = 0; i < marks.size(); i += std::max<std::size_t>(1, stride)) {
    constexpr std::size_t longest = 14;
    std::string name = marks[i].second;
    if (name.size() > longest + 3) name = name.substr(0, longest) + "...";
    svg += fmt::format(
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
        x.place(marks[i].first), plot_height - bottom + 16, escape_html(name));
  }
  return svg +
         fmt::format(
             "<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
             (left + plot_width - right) / 2, plot_height - 8, escape_html(plot.x_label));
}

std::string y_axis(const Plot& plot, const Scale& y) {
  std::string svg;
  for (const double tick : ticks(y.low, y.high, 5)) {
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text class=\"tick\" x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        left, plot_width - right, y.place(tick), left - 6, y.place(tick) + 4,
        escape_html(axis_text(tick, plot.y_unit)));
  }
  return svg;
}

std::string series_svg(const PlotSeries& series, std::size_t number, const Scale& x, const Scale& y,
                       bool lines) {
  std::string path;
  std::string bars;
  std::string dots;
  for (const PlotPoint& p : series.points) {
    const double px = x.place(p.x);
    const double py = y.place(p.y);
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", px, py);
    if (p.high > p.low) {
      bars +=
          fmt::format("M{0:.1f} {1:.1f}V{2:.1f}M{3:.1f} {1:.1f}H{4:.1f}M{3:.1f} {2:.1f}H{4:.1f}",
                      px, y.place(p.low), y.place(p.high), px - 3, px + 3);
    }
    dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}</title></circle>",
                        px, py, escape_html(p.text));
  }
  std::string svg = fmt::format("<g class=\"series s{}\" data-series=\"{}\">", number % 6, number);
  if (lines) svg += fmt::format("<path class=\"line\" d=\"{}\"/>", path);
  if (!bars.empty()) svg += fmt::format("<path class=\"bar\" d=\"{}\"/>", bars);
  return svg + dots + "</g>\n";
}

}  // namespace

std::string plot_figure(const Plot& plot) {
  Range xs;
  Range ys;
  ys.take(0.0);
  bool any = false;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& p : series.points) {
      any = true;
      xs.take(p.x);
      ys.take(p.low);
      ys.take(p.high);
    }
  }
  if (!any) return {};
  const Scale x = x_scale(plot, xs);
  const Scale y{ys.low, ys.high > ys.low ? ys.high * 1.05 : ys.low + 1, plot_height - bottom, top};
  std::string html = fmt::format("<figure><figcaption>{}</figcaption>\n<div class=\"legend\">",
                                 escape_html(plot.title));
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    if (plot.series[i].points.empty()) continue;
    html += fmt::format("<button type=\"button\" class=\"key s{}\" data-series=\"{}\">{}</button>",
                        i % 6, i, escape_html(plot.series[i].label));
  }
  html += fmt::format("</div>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                      plot_width, plot_height, escape_html(plot.title));
  html += y_axis(plot, y) + x_axis(plot, x);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    if (!plot.series[i].points.empty()) html += series_svg(plot.series[i], i, x, y, plot.lines);
  }
  html += fmt::format(
      "<text class=\"name\" transform=\"translate(14 {:.1f}) rotate(-90)\" "
      "text-anchor=\"middle\">{}</text>\n",
      (top + plot_height - bottom) / 2, escape_html(plot.y_label));
  return html + "</svg></figure>\n";
}

}  // namespace ergo::report
