#include "ergo/report/html.hpp"

#include "ergo/report/format.hpp"
#include "ergo/report/study_report.hpp"
#include "report/html_plot.hpp"
#include "report_assets.hpp"  // generated: report.css and report.js

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace ergo::report {
namespace {

const ResultFigure* shown_figure(const ResultCell& cell, const std::string& id) {
  const auto found = cell.figures.find(id);
  return found == cell.figures.end() ? nullptr : &found->second;
}

std::string tag(Provenance provenance) {
  return fmt::format("<span class=\"tag {0}\">{0}</span>", name_of(provenance));
}

std::string name_of_cell(const ResultCell& cell) {
  std::string name = cell.axis;
  if (!cell.series.empty()) name += (name.empty() ? "" : ", ") + cell.series;
  return name.empty() ? "command" : name;
}

std::vector<const ResultQuantity*> present(const StudyResults& results) {
  std::vector<const ResultQuantity*> list;
  for (const ResultQuantity& q : results.quantities) {
    const auto has = [&](const ResultCell& cell) { return cell.figures.contains(q.id); };
    if (std::any_of(results.cells.begin(), results.cells.end(), has)) list.push_back(&q);
  }
  return list;
}

std::string head(const StudyResults& results) {
  const ResultTitles& t = results.titles;
  std::string html = fmt::format("<h1>{}</h1>\n", escape_html(t.title));
  if (!t.source.empty()) html += fmt::format("<p>After: {}</p>\n", escape_html(t.source));
  std::string command;
  for (const std::string& word : results.command)
    command += (command.empty() ? "" : " ") + word;
  html += fmt::format(
      "<dl><dt>Command</dt><dd><code>{}</code></dd><dt>Started</dt><dd>{}</dd>"
      "<dt>Machine</dt><dd>{}, {}, {}</dd>",
      escape_html(command), escape_html(results.started), escape_html(results.host.name),
      escape_html(results.host.cpu), escape_html(results.host.kernel));
  for (const GpuIdentity& gpu : results.host.gpus)
    html += fmt::format("<dt>GPU {}</dt><dd>{} {}</dd>", gpu.index, escape_html(gpu.name),
                        gpu.simulated ? tag(Provenance::simulated) : std::string());
  return html + "</dl>\n";
}

std::string results_table(const StudyResults& results) {
  const auto quantities = present(results);
  const std::string& label = results.titles.axis_label;
  const std::string item = results.titles.item.empty() ? "run" : results.titles.item;
  std::string html = fmt::format(
      "<h2>Results</h2>\n<p>Medians over the runs of a cell; energies and times are per {}. Below "
      "each the 95 % interval: "
      "the spread over runs, joined with what the sensors do not know about themselves.</p>\n"
      "<div class=\"scroll\"><table id=\"results\"><thead><tr><th>{}</th><th>runs</th>",
      escape_html(item), escape_html(label.empty() ? "cell" : label));
  for (const ResultQuantity* q : quantities)
    html += fmt::format("<th>{}</th>", escape_html(q->label));
  html += "</tr></thead><tbody>\n";
  for (const ResultCell& cell : results.cells) {
    html += fmt::format("<tr><td>{}{}</td><td>{}</td>", escape_html(name_of_cell(cell)),
                        cell.reason ? fmt::format("<small>{} without result: {}</small>",
                                                  cell.failed, escape_html(*cell.reason))
                                    : std::string(),
                        cell.good);
    for (const ResultQuantity* q : quantities) {
      const ResultFigure* figure = shown_figure(cell, q->id);
      if (figure == nullptr) {
        html += "<td></td>";
        continue;
      }
      html += fmt::format("<td>{}{}<small>{}</small></td>",
                          escape_html(format_figure(figure->estimate.value, q->unit)),
                          figure->provenance ? " " + tag(*figure->provenance) : std::string(),
                          escape_html(format_interval(figure->estimate, q->unit)));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

/// Builds the plots against the axis, and the one of energy against latency.
class Plots {
 public:
  explicit Plots(const StudyResults& results) : results_(results) {
    const auto numeric = [](const ResultCell& cell) { return cell.position.has_value(); };
    if (std::all_of(results.cells.begin(), results.cells.end(), numeric)) return;
    for (const ResultCell& cell : results.cells) {
      const std::string& name = cell.axis.empty() ? results.titles.title : cell.axis;
      if (std::find(categories_.begin(), categories_.end(), name) == categories_.end())
        categories_.push_back(name);
    }
  }

  [[nodiscard]] std::string against_axis(std::string title,
                                         const std::vector<std::string>& ids) const {
    Plot plot;
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
        plot.series.push_back({std::move(label), std::move(points)});
      }
    }
    return plot_figure(plot);
  }

  [[nodiscard]] std::string energy_against_latency() const {
    Plot plot;
    plot.title = "Total energy against latency" + origins("energy_j");
    plot.x_label = "latency, median";
    plot.x_unit = "s";
    plot.y_unit = "J";
    plot.lines = false;
    std::map<std::string, std::vector<PlotPoint>> series;
    for (const ResultCell& cell : results_.cells) {
      const ResultFigure* energy = shown_figure(cell, "energy_j");
      const ResultFigure* latency = shown_figure(cell, "latency");
      if (energy == nullptr || latency == nullptr) continue;
      series[cell.series].push_back(point(cell, latency->estimate.value, *energy, "J"));
    }
    for (auto& [name, points] : series)
      plot.series.push_back({name.empty() ? "cells" : name, std::move(points)});
    return plot_figure(plot);
  }

 private:
  static PlotPoint point(const ResultCell& cell, double x, const ResultFigure& figure,
                         const std::string& unit) {
    std::string text =
        fmt::format("{}: {}", name_of_cell(cell), format_figure(figure.estimate.value, unit));
    if (const std::string range = format_interval(figure.estimate, unit); !range.empty())
      text += " (" + range + ")";
    if (figure.provenance) text += fmt::format(", {}", name_of(*figure.provenance));
    return {x, figure.estimate.value, figure.estimate.low, figure.estimate.high, std::move(text)};
  }

  [[nodiscard]] std::map<std::string, std::vector<PlotPoint>> points_of(
      const ResultQuantity& q) const {
    std::map<std::string, std::vector<PlotPoint>> series;
    for (const ResultCell& cell : results_.cells) {
      const ResultFigure* figure = shown_figure(cell, q.id);
      if (figure != nullptr)
        series[cell.series].push_back(point(cell, place(cell), *figure, q.unit));
    }
    return series;
  }

  [[nodiscard]] double place(const ResultCell& cell) const {
    if (categories_.empty()) return *cell.position;
    const std::string& name = cell.axis.empty() ? results_.titles.title : cell.axis;
    return static_cast<double>(std::find(categories_.begin(), categories_.end(), name) -
                               categories_.begin());
  }

  /// " (simulated)": every kind that a quantity has over the cells.
  [[nodiscard]] std::string origins(const std::string& id) const {
    std::string text;
    for (const Provenance one : {Provenance::measured, Provenance::derived, Provenance::estimated,
                                 Provenance::simulated}) {
      const auto has = [&](const ResultCell& cell) {
        const ResultFigure* figure = shown_figure(cell, id);
        return figure != nullptr && figure->provenance == one;
      };
      if (std::any_of(results_.cells.begin(), results_.cells.end(), has))
        text += (text.empty() ? "" : ", ") + std::string(name_of(one));
    }
    return text.empty() ? text : " (" + text + ")";
  }

  const StudyResults& results_;
  std::vector<std::string> categories_;
};

std::string plots(const StudyResults& results) {
  const Plots p(results);
  return "<h2>Plots</h2>\n<div class=\"plots\">\n" +
         p.against_axis("GPU and CPU energy",
                        {"nvidia_draw_absolute", "intel_power", "cpu_estimated_j"}) +
         p.energy_against_latency() +
         p.against_axis("Latency", {"latency", "latency_p95_s", "latency_p99_s"}) +
         p.against_axis("Memory",
                        {"mem_use_abs", "per_gpu_attributable_mem_use", "gpu_memory_used"}) +
         p.against_axis("SM utilisation", {"sm"}) + "</div>\n";
}

std::string correlation_table(const RankCorrelation& c) {
  if (c.cells < 3) return {};
  std::string html = fmt::format(
      "<h2>Spearman's rank correlation</h2>\n<p>Over the medians of {} cells.</p>\n"
      "<div class=\"scroll\"><table id=\"spearman\"><thead><tr><th></th>",
      c.cells);
  for (const std::string& id : c.ids)
    html += fmt::format("<th>{}</th>", escape_html(id));
  html += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < c.ids.size(); ++i) {
    html += fmt::format("<tr><td>{}</td>", escape_html(c.ids[i]));
    for (const auto& rho : c.rho[i]) {
      html += rho ? fmt::format("<td class=\"rho s{}\" style=\"--share:{:.0f}%\">{:.2f}</td>",
                                *rho < 0 ? 1 : 0, std::abs(*rho) * 60, *rho)
                  : std::string("<td></td>");
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

/// Names through the library, numbers by hand: five digits are what a plot shows.
std::string traces_json(const std::vector<RunTrace>& traces) {
  const auto quoted = [](const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  };
  std::string json = "[";
  for (const RunTrace& trace : traces) {
    json += fmt::format("{}{{\"label\":{},\"duration\":{:.7g},\"left_out\":{},\"channels\":[",
                        json.size() > 1 ? ",\n" : "", quoted(trace.label), trace.duration_s,
                        trace.windows_left_out);
    for (std::size_t c = 0; c < trace.channels.size(); ++c) {
      const PowerTrace& power = trace.channels[c];
      std::string times;
      std::string watts;
      for (const auto& [time, value] : power.points) {
        times += fmt::format("{}{:.7g}", times.empty() ? "" : ",", time);
        watts += fmt::format("{}{:.5g}", watts.empty() ? "" : ",", value);
      }
      json +=
          fmt::format("{}{{\"name\":{},\"source\":{},\"provenance\":\"{}\",\"t\":[{}],\"w\":[{}]}}",
                      c > 0 ? "," : "", quoted(power.channel), quoted(power.source),
                      name_of(power.provenance), times, watts);
    }
    json += "],\"windows\":[";
    for (std::size_t w = 0; w < trace.windows.size(); ++w) {
      const WindowRecord& window = trace.windows[w];
      json += fmt::format("{}{{\"n\":{},\"i\":{},\"s\":{:.7g},\"d\":{:.7g}", w > 0 ? "," : "",
                          quoted(window.name), window.index, window.start.value(),
                          window.duration.value());
      if (window.count) json += fmt::format(",\"c\":{}", *window.count);
      json += "}";
    }
    json += "]}";
  }
  json += "]";
  // "</script>" in a name must not end the element.
  std::string safe;
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string trace_section(const std::vector<RunTrace>& traces, std::size_t left_out) {
  std::string html;
  if (!traces.empty()) {
    html +=
        "<h2>Power over time</h2>\n<figure><div class=\"noprint\"><label>Run <select "
        "id=\"run\"></select></label> "
        "Drag to look closer, double click for the whole run.</div>\n<div class=\"legend\" "
        "id=\"trace-legend\"></div>\n"
        "<svg id=\"trace\" viewBox=\"0 0 1160 320\" role=\"img\" aria-label=\"Power over "
        "time\"></svg>\n"
        "<p id=\"trace-note\"></p><noscript><p>This plot needs "
        "JavaScript.</p></noscript></figure>\n"
        "<p>Long runs are thinned so that every peak stays.</p>\n";
  }
  if (left_out > 0)
    html += fmt::format("<p>{} more runs are in the store and not drawn.</p>\n", left_out);
  return html + "<script type=\"application/json\" id=\"traces\">" + traces_json(traces) +
         "</script>\n";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string study_html(const StudyResults& results, const std::vector<RunTrace>& traces,
                       std::size_t traces_left_out) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  html += fmt::format("<title>{}</title>\n<style>\n{}</style></head><body>\n",
                      escape_html(results.titles.title), report_css);
  html += head(results) + results_table(results) + plots(results) +
          correlation_table(results.correlation);
  html += trace_section(traces, traces_left_out);
  if (!results.warnings.empty()) {
    html += "<h2>Warnings</h2>\n<ul>\n";
    for (const std::string& warning : results.warnings)
      html += fmt::format("<li>{}</li>\n", escape_html(warning));
    html += "</ul>\n";
  }
  html +=
      "<p><span class=\"tag measured\">measured</span> by a counter or meter, <span class=\"tag "
      "derived\">derived</span> from "
      "measured numbers, <span class=\"tag estimated\">estimated</span> from utilisation, <span "
      "class=\"tag "
      "simulated\">simulated</span> by the simulated node. Measured and estimated joules are never "
      "added.</p>\n";
  return html + fmt::format("<script>\n{}</script>\n</body></html>\n", report_js);
}

}  // namespace ergo::report
