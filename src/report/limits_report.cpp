#include "ergo/report/limits_report.hpp"

#include "ergo/report/format.hpp"
#include "ergo/report/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ergo::report {
namespace {

std::string percent(double share) {
  const double tenths = std::round(share * 1000);
  return fmt::format("{:.1f} %", tenths == 0 ? 0.0 : tenths / 10);
}

std::string percent(const std::optional<double>& share) {
  return share ? percent(*share) : std::string();
}

std::string name_of_curve(const LimitCurve& curve) {
  return curve.config.empty() ? curve.workload : curve.workload + " " + curve.config;
}

/// A table as rows of cells, the first one its head: the same for Markdown and HTML.
using Rows = std::vector<std::vector<std::string>>;

Rows savings_table(const LimitsResults& results) {
  Rows rows{{"GPU", "workload", "default", "least energy at", "saves", "slower", "least EDP at",
             "saves EDP", "slower"}};
  for (const LimitCurve& c : results.curves) {
    rows.push_back({c.gpu, name_of_curve(c), format_power(Watts(c.standard().limit_w)),
                    format_power(Watts(c.points[c.best_energy].limit_w)),
                    percent(c.energy_saving(c.best_energy)), percent(c.slowdown(c.best_energy)),
                    format_power(Watts(c.points[c.best_edp].limit_w)),
                    percent(c.edp_saving(c.best_edp)), percent(c.slowdown(c.best_edp))});
  }
  return rows;
}

Rows errors_table(const LimitsResults& results) {
  Rows rows{{"method", "GPU", "time", "energy", "EDP", "energy regret", "EDP regret"}};
  for (const LimitErrors& e : results.errors) {
    rows.push_back({e.method, e.gpu, percent(e.scores.time_mape), percent(e.scores.energy_mape),
                    percent(e.scores.edp_mape), percent(e.scores.energy_regret),
                    percent(e.scores.edp_regret)});
  }
  return rows;
}

Rows pareto_table(const LimitsResults& results) {
  Rows rows{{"workload", "GPU", "limit", "time", "energy", "EDP", ""}};
  std::vector<const LimitCurve*> curves;
  for (const LimitCurve& c : results.curves)
    curves.push_back(&c);
  std::stable_sort(curves.begin(), curves.end(), [](const LimitCurve* a, const LimitCurve* b) {
    return name_of_curve(*a) < name_of_curve(*b);
  });
  for (const LimitCurve* c : curves) {
    const LimitPoint& p = c->points[c->best_energy];
    rows.push_back({name_of_curve(*c), c->gpu, format_power(Watts(p.limit_w)),
                    format_duration(Seconds(p.time_s)), format_energy(Joules(p.energy_j)),
                    fmt::format("{:.4g} J s", p.energy_j * p.time_s),
                    c->on_front ? "on the front" : ""});
  }
  return rows;
}

std::string escape_cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("|\\`*_<>[]").find(c) != std::string_view::npos) out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string markdown_table(const Rows& rows) {
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const std::string& cell : rows[i])
      text += "| " + escape_cell(cell) + " ";
    text += "|\n";
    if (i > 0) continue;
    for (std::size_t k = 0; k < rows[0].size(); ++k)
      text += "|---";
    text += "|\n";
  }
  return text + "\n";
}

std::string html_table(const Rows& rows) {
  std::string text = "<table>\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const char* tag = i == 0 ? "th" : "td";
    text += "<tr>";
    for (const std::string& cell : rows[i])
      text += fmt::format("<{0}>{1}</{0}>", tag, escape_html(cell));
    text += "</tr>\n";
  }
  return text + "</table>\n";
}

constexpr std::string_view savings_head = "Saving at the best limit";
constexpr std::string_view errors_head = "Errors with the workload left out";
constexpr std::string_view pareto_head = "GPUs side by side, each at its limit of least energy";

std::string errors_note(const LimitsResults& results) {
  return fmt::format(
      "Each workload in turn is hidden but for {} limits (the default and a low one) "
      "and predicted from the others; mean errors over the limits not measured.",
      results.probes);
}

std::string subtitle(const LimitsTitles& t) {
  std::string text;
  for (const std::string& part : {t.machine, t.started})
    text += part.empty() ? "" : part + ", ";
  return fmt::format("{}numbers are {}; energy is the GPU's", text, t.provenance);
}

constexpr std::string_view page_style = R"(
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
td { white-space: nowrap; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
svg { width: 100%; max-width: 46rem; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: currentColor; } .axis, .grid { stroke: currentColor; stroke-width: 1; fill: none; }
.grid { opacity: .15; } @media print { body { max-width: none; } }
)";

std::vector<std::string> gpus_of(const LimitsResults& results) {
  std::vector<std::string> gpus;
  for (const LimitCurve& c : results.curves) {
    if (std::find(gpus.begin(), gpus.end(), c.gpu) == gpus.end()) gpus.push_back(c.gpu);
  }
  return gpus;
}

}  // namespace

std::string limits_markdown(const LimitsResults& results, const LimitsTitles& titles) {
  std::string text =
      fmt::format("# {}\n\n{}.\n\n", escape_cell(titles.title), escape_cell(subtitle(titles)));
  text += fmt::format("## {}\n\n{}", savings_head, markdown_table(savings_table(results)));
  if (!results.errors.empty()) {
    text += fmt::format("## {}\n\n{}\n\n{}", errors_head, errors_note(results),
                        markdown_table(errors_table(results)));
  }
  text += fmt::format("## {}\n\n{}", pareto_head, markdown_table(pareto_table(results)));
  return text;
}

std::string limits_html(const LimitsResults& results, const LimitsTitles& titles) {
  std::string text = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>{0}</title>\n<style>{1}</style></head>\n<body>\n"
      "<h1>{0}</h1>\n<p>{2}.</p>\n",
      escape_html(titles.title), page_style, escape_html(subtitle(titles)));
  text += fmt::format("<h2>{}</h2>\n{}", savings_head, html_table(savings_table(results)));
  for (const std::string& gpu : gpus_of(results))
    text += fmt::format("<h3>{}</h3>\n{}", escape_html(gpu), limit_curves_svg(results, gpu));
  text +=
      "<p>Points are what the runs gave; bands are 95 % intervals of what the default and one low "
      "limit "
      "predict with the workload left out.</p>\n";
  text += fmt::format("<h2>{}</h2>\n{}{}", pareto_head, pareto_svg(results),
                      html_table(pareto_table(results)));
  if (!results.errors.empty()) {
    text += fmt::format("<h2>{}</h2>\n<p>{}</p>\n{}", errors_head, errors_note(results),
                        html_table(errors_table(results)));
  }
  return text + "</body></html>\n";
}

}  // namespace ergo::report
