#include "ergo/report/format.hpp"
#include "report/html_plot.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace ergo::report {
namespace {

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

/// Numbers by hand: so many digits are what a plot shows, and the page stays small.
std::string list_of(const std::vector<std::pair<double, double>>& points, bool times) {
  std::string text;
  for (const auto& [time, value] : points) {
    if (!text.empty()) text += ',';
    text += times ? fmt::format("{:.7g}", time) : fmt::format("{:.5g}", value);
  }
  return "[" + text + "]";
}

std::string channel_json(const PowerTrace& power) {
  return fmt::format("{{\"name\":{},\"source\":{},\"provenance\":\"{}\",\"t\":{},\"w\":{}}}",
                     quoted(power.channel), quoted(power.source), name_of(power.provenance),
                     list_of(power.points, true), list_of(power.points, false));
}

std::string window_json(const WindowRecord& window) {
  std::string json =
      fmt::format("{{\"name\":{},\"index\":{},\"start\":{:.7g},\"duration\":{:.7g}",
                  quoted(window.name), window.index, window.start.value(), window.duration.value());
  if (window.count) json += fmt::format(",\"count\":{}", *window.count);
  return json + "}";
}

template <class List, class One>
std::string array_json(const List& list, One one) {
  std::string json = "[";
  for (const auto& element : list) {
    if (json.size() > 1) json += ",\n";
    json += one(element);
  }
  return json + "]";
}

std::string trace_json(const RunTrace& trace) {
  return fmt::format(
      "{{\"label\":{},\"duration\":{:.7g},\"leftOut\":{},\"channels\":{},\"windows\":{}}}",
      quoted(trace.label), trace.duration_s, trace.windows_left_out,
      array_json(trace.channels, channel_json), array_json(trace.windows, window_json));
}

std::string series_json(const PlotSeries& series) {
  return fmt::format("{{\"label\":{},\"points\":{}}}", quoted(series.label),
                     array_json(series.points, [](const PlotPoint& p) {
                       return fmt::format("[{:.12g},{:.6g},{:.6g},{:.6g},{}]", p.x, p.y, p.low,
                                          p.high, quoted(p.text));
                     }));
}

std::string fit_json(const PlotFit& fit) {
  return fmt::format("{{\"label\":{},\"series\":{},\"points\":{}}}", quoted(fit.label), fit.series,
                     array_json(fit.points, [](const std::pair<double, double>& p) {
                       return fmt::format("[{:.7g},{:.6g}]", p.first, p.second);
                     }));
}

std::string plot_json(const Plot& plot) {
  return fmt::format(
      "{{\"id\":{},\"x\":{},\"xUnit\":{},\"yUnit\":{},\"lines\":{},\"categories\":{},\"series\":{},"
      "\"fits\":{}}}",
      quoted(plot.id), quoted(plot.x_label), quoted(plot.x_unit), quoted(plot.y_unit), plot.lines,
      array_json(plot.categories, quoted), array_json(plot.series, series_json),
      array_json(plot.fits, fit_json));
}

}  // namespace

std::string page_data(const std::vector<Plot>& plots, const std::vector<RunTrace>& traces) {
  const std::string json =
      fmt::format("{{\"plots\":{},\"traces\":{}}}", array_json(plots, plot_json),
                  array_json(traces, trace_json));
  // "</script>" in a name must not end the element.
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace ergo::report
