// Results of a study as Markdown.

#include "ergo/report/format.hpp"
#include "ergo/report/study_report.hpp"
#include "report/html_plot.hpp"
#include "report/study_findings.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo::report {
namespace {

/// Text in a cell of a table: a name may hold anything.
std::string escape_markdown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      out += ' ';
      continue;
    }
    if (std::string_view("|\\`*_<>[]").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// A name as code: a backtick in it would end the span.
std::string code(std::string text) {
  std::replace(text.begin(), text.end(), '`', '\'');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return "`" + text + "`";
}

std::string figure_text(const ResultFigure& figure, const std::string& unit) {
  std::string text = format_figure(figure.estimate.value, unit);
  if (const std::string range = format_interval(figure.estimate, unit); !range.empty())
    text += " (" + range + ")";
  if (figure.provenance && *figure.provenance != Provenance::measured)
    text += fmt::format(", {}", name_of(*figure.provenance));
  return text;
}

void add_head(std::string& text, const StudyResults& results) {
  text += fmt::format("# {}\n\n", escape_markdown(results.titles.title));
  if (!results.titles.source.empty())
    text += fmt::format("After: {}\n\n", escape_markdown(results.titles.source));
  std::string command;
  for (const std::string& word : results.command)
    command += (command.empty() ? "" : " ") + word;
  if (!command.empty()) text += fmt::format("- command: {}\n", code(command));
  text += fmt::format("- started: {}\n", results.started);
  if (const std::string machine = machine_text(results.host); !machine.empty())
    text += fmt::format("- machine: {}\n", escape_markdown(machine));
  for (const GpuIdentity& gpu : results.host.gpus)
    text += fmt::format("- GPU {}: {}{}\n", gpu.index, escape_markdown(gpu.name),
                        gpu.simulated ? " (simulated)" : "");
  const std::string item = results.titles.item.empty() ? "run" : results.titles.item;
  text += fmt::format(
      "\nMedians over the runs of a cell; energies and times are per {}. In brackets the 95 % "
      "interval, which "
      "joins the spread over runs with what the sensors do not know about themselves. Numbers "
      "without a "
      "word behind them are measured.\n",
      escape_markdown(item));
}

void add_correlation(std::string& text, const RankCorrelation& c) {
  if (c.cells < 3) return;
  text += fmt::format(
      "\n## Spearman's rank correlation\n\nOver the medians of {} cells, with 95 % intervals.\n\n| "
      " |",
      c.cells);
  for (std::size_t i = 0; i < c.ids.size(); ++i)
    text += fmt::format(" {} |", i + 1);
  text += "\n|---|" + [&] {
    std::string line;
    for (std::size_t i = 0; i < c.ids.size(); ++i)
      line += "---|";
    return line;
  }() + "\n";
  for (std::size_t i = 0; i < c.ids.size(); ++i) {
    text += fmt::format("| {} {} |", i + 1, escape_markdown(c.ids[i]));
    for (const auto& rho : c.rho[i]) {
      if (!rho) {
        text += "  |";
        continue;
      }
      text += fmt::format(" {:.2f}", rho->value);
      if (rho->high > rho->low) text += fmt::format(" ({:.2f} … {:.2f})", rho->low, rho->high);
      text += " |";
    }
    text += "\n";
  }
}

void add_findings(std::string& text, const StudyResults& results) {
  for (const Finding& finding : findings_of(results)) {
    text += fmt::format("\n## {}\n\n{}\n\n|", finding.title, escape_markdown(finding.note));
    for (const std::string& head : finding.head)
      text += fmt::format(" {} |", head);
    text += "\n|---|";
    for (std::size_t i = 1; i < finding.head.size(); ++i)
      text += "---:|";
    text += "\n";
    for (const auto& row : finding.rows) {
      text += "|";
      for (const std::string& field : row)
        text += field.empty() ? "  |" : fmt::format(" {} |", escape_markdown(field));
      text += "\n";
    }
  }
}

}  // namespace

std::string study_markdown(const StudyResults& results) {
  std::string text;
  add_head(text, results);
  const auto quantities = quantities_shown(results);
  text += fmt::format(
      "\n## Results\n\n| {} | runs |",
      escape_markdown(results.titles.axis_label.empty() ? "cell" : results.titles.axis_label));
  for (const ResultQuantity* q : quantities)
    text += fmt::format(" {} |", q->label);
  text += "\n|---|---:|";
  for (std::size_t i = 0; i < quantities.size(); ++i)
    text += "---:|";
  text += "\n";
  std::string reasons;
  for (const ResultCell& cell : results.cells) {
    text += fmt::format("| {} | {}{} |", escape_markdown(cell_name(cell)), cell.good,
                        cell.failed > 0 ? fmt::format(" ({} without result)", cell.failed) : "");
    for (const ResultQuantity* q : quantities) {
      const auto found = cell.figures.find(q->id);
      text += found == cell.figures.end()
                  ? "  |"
                  : fmt::format(" {} |", figure_text(found->second, q->unit));
    }
    text += "\n";
    if (cell.reason)
      reasons += fmt::format("- {}: {}\n", escape_markdown(cell_name(cell)),
                             escape_markdown(*cell.reason));
  }
  if (!reasons.empty()) text += "\n## Runs without result\n\n" + reasons;
  add_findings(text, results);
  add_correlation(text, results.correlation);
  if (!results.warnings.empty()) {
    text += "\n## Warnings\n\n";
    for (const std::string& warning : results.warnings)
      text += "- " + escape_markdown(warning) + "\n";
  }
  return text;
}

}  // namespace ergo::report
