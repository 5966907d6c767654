#include "ergo/report/html.hpp"

#include "ergo/report/format.hpp"
#include "ergo/report/study_report.hpp"
#include "report/html_plot.hpp"
#include "report/study_findings.hpp"
#include "report_assets.hpp"  // generated: report.css, report.js and Chart.js

#include <fmt/format.h>

#include <cmath>

namespace ergo::report {
namespace {

std::string tag(Provenance provenance) {
  return fmt::format("<span class=\"tag {0}\">{0}</span>", name_of(provenance));
}

std::string head(const StudyResults& results) {
  const ResultTitles& t = results.titles;
  std::string html = fmt::format("<h1>{}</h1>\n", escape_html(t.title));
  if (!t.source.empty()) html += fmt::format("<p>After: {}</p>\n", escape_html(t.source));
  std::string command;
  for (const std::string& word : results.command)
    command += (command.empty() ? "" : " ") + word;
  html += "<dl>";
  if (!command.empty())
    html += fmt::format("<dt>Command</dt><dd><code>{}</code></dd>", escape_html(command));
  html += fmt::format("<dt>Started</dt><dd>{}</dd>", escape_html(results.started));
  if (const std::string machine = machine_text(results.host); !machine.empty())
    html += fmt::format("<dt>Machine</dt><dd>{}</dd>", escape_html(machine));
  for (const GpuIdentity& gpu : results.host.gpus)
    html += fmt::format("<dt>GPU {}</dt><dd>{} {}</dd>", gpu.index, escape_html(gpu.name),
                        gpu.simulated ? tag(Provenance::simulated) : std::string());
  return html + "</dl>\n";
}

std::string results_table(const StudyResults& results) {
  const auto quantities = quantities_shown(results);
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
    html += fmt::format("<tr><td>{}{}</td><td>{}</td>", escape_html(cell_name(cell)),
                        cell.reason ? fmt::format("<small>{} without result: {}</small>",
                                                  cell.failed, escape_html(*cell.reason))
                                    : std::string(),
                        cell.good);
    for (const ResultQuantity* q : quantities) {
      const ResultFigure* figure = figure_in(cell, q->id);
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

std::string plot_figures(const std::vector<Plot>& plots) {
  if (plots.empty()) return {};
  std::string html = "<h2>Plots</h2>\n<div class=\"plots\">\n";
  for (const Plot& plot : plots)
    html += fmt::format(
        "<figure><figcaption>{0}</figcaption><div class=\"canvas\"><canvas id=\"{1}\" role=\"img\" "
        "aria-label=\"{0}\"></canvas></div></figure>\n",
        escape_html(plot.title), escape_html(plot.id));
  return html +
         "</div>\n<p>Bars are 95 % intervals. A click on a name hides its points.</p>\n"
         "<noscript><p>Plots need JavaScript; the tables do not.</p></noscript>\n";
}

/// What people call a quantity or the axis.
std::string label_of(const StudyResults& results, const std::string& id) {
  for (const ResultQuantity& q : results.quantities) {
    if (q.id == id) return q.label;
  }
  return id == results.titles.axis ? results.titles.axis_label : id;
}

std::string correlation_table(const StudyResults& results) {
  const RankCorrelation& c = results.correlation;
  if (c.cells < 3) return {};
  std::string html = fmt::format(
      "<h2>Spearman's rank correlation</h2>\n<p>Over the medians of {} cells, with 95 % "
      "intervals.</p>\n"
      "<div class=\"scroll\"><table id=\"spearman\"><thead><tr><th></th>",
      c.cells);
  for (const std::string& id : c.ids)
    html += fmt::format("<th>{}</th>", escape_html(label_of(results, id)));
  html += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < c.ids.size(); ++i) {
    html += fmt::format("<tr><td>{}</td>", escape_html(label_of(results, c.ids[i])));
    for (const auto& rho : c.rho[i]) {
      html +=
          rho ? fmt::format(
                    "<td class=\"rho {}\" style=\"--share:{:.0f}%\">{:.2f}<small>{}</small></td>",
                    rho->value < 0 ? "neg" : "pos", std::abs(rho->value) * 60, rho->value,
                    rho->high > rho->low ? fmt::format("{:.2f} … {:.2f}", rho->low, rho->high)
                                         : std::string())
              : std::string("<td></td>");
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string findings_tables(const StudyResults& results) {
  std::string html;
  for (const Finding& finding : findings_of(results)) {
    html +=
        fmt::format("<h2>{}</h2>\n<p>{}</p>\n<div class=\"scroll\"><table id=\"{}\"><thead><tr>",
                    escape_html(finding.title), escape_html(finding.note), finding.id);
    for (const std::string& head : finding.head)
      html += fmt::format("<th>{}</th>", escape_html(head));
    html += "</tr></thead><tbody>\n";
    for (const auto& row : finding.rows) {
      html += "<tr>";
      for (const std::string& field : row)
        html += fmt::format("<td>{}</td>", escape_html(field));
      html += "</tr>\n";
    }
    html += "</tbody></table></div>\n";
  }
  return html;
}

std::string trace_section(const std::vector<RunTrace>& traces, std::size_t left_out) {
  std::string html;
  if (!traces.empty()) {
    html +=
        "<h2>Power over time</h2>\n<figure><div class=\"noprint\"><label>Run <select "
        "id=\"run\"></select></label> <button type=\"button\" id=\"whole\">Whole run</button> "
        "Drag to look closer.</div>\n<div class=\"canvas wide\"><canvas id=\"trace\" role=\"img\" "
        "aria-label=\"Power over time\"></canvas></div>\n<p id=\"trace-note\"></p></figure>\n"
        "<p>Bands are the windows that the program marked. Long runs are thinned so that every "
        "peak "
        "stays.</p>\n";
  }
  if (left_out > 0)
    html += fmt::format("<p>{} more runs are in the store and not drawn.</p>\n", left_out);
  return html;
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
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      // Nothing is ever loaded from elsewhere.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n";
  html += fmt::format("<title>{}</title>\n<style>\n{}</style></head><body>\n",
                      escape_html(results.titles.title), report_css);
  const std::vector<Plot> plots = plots_of(results);
  html += head(results) + results_table(results) + plot_figures(plots) + findings_tables(results) +
          correlation_table(results) + trace_section(traces, traces_left_out);
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
  return html + "<script type=\"application/json\" id=\"data\">" + page_data(plots, traces) +
         "</script>\n<script>\n" + chart_js + "</script>\n<script>\n" + report_js +
         "</script>\n</body></html>\n";
}

}  // namespace ergo::report
