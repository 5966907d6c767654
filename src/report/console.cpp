#include "ergo/report/console.hpp"

#include "ergo/report/format.hpp"
#include "report/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace ergo::report {
namespace {

constexpr std::size_t most_window_lines = 12;

class Style {
 public:
  explicit Style(bool color) : color_(color) {}
  [[nodiscard]] std::string bold(std::string_view text) const { return paint("1", text); }
  [[nodiscard]] std::string faint(std::string_view text) const { return paint("2", text); }
  [[nodiscard]] std::string warn(std::string_view text) const { return paint("33", text); }

 private:
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const {
    return color_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  bool color_;
};

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words)
    line += (line.empty() ? "" : " ") + word;
  return line;
}

std::string provenance_note(const ChannelEnergy& e) {
  return e.provenance == Provenance::measured
             ? e.source
             : fmt::format("{} ({})", e.source, name_of(e.provenance));
}

void add_channel_row(TextTable& table, const ChannelEnergy& e) {
  table.row({e.channel, format_energy(e.joules), format_range(e.low, e.high),
             format_uncertainty(e.joules, e.low, e.high), format_power(e.mean),
             provenance_note(e) + (e.in_total ? "" : ", overlaps others")});
}

void add_total_rows(TextTable& table, const EnergyTotal& total,
                    const std::vector<ChannelEnergy>& channels, Seconds duration) {
  const auto counted = std::count_if(channels.begin(), channels.end(),
                                     [](const ChannelEnergy& e) { return e.in_total; });
  if (counted < 2) return;
  if (total.measured) {
    table.row({"total", format_energy(*total.measured), format_range(total.low, total.high),
               format_uncertainty(*total.measured, total.low, total.high),
               format_power(*total.measured / duration),
               fmt::format("sum of {} channels", name_of(provenance_of_total(channels)))});
  }
  if (total.estimated && total.measured) {
    table.row({"", "+ " + format_energy(*total.estimated), "", "", "",
               "estimated, not added to the total"});
  }
}

void append_process_lines(std::string& out, const RunRecord& run) {
  for (const ChannelEnergy& e : run.energy) {
    if (!e.process && !e.net) continue;
    std::string line = fmt::format("  {}:", e.channel);
    if (e.process)
      line += fmt::format(" {} by this program's processes", format_energy(*e.process));
    if (e.idle && e.net) {
      line += fmt::format("{} {} above the idle machine's {}", e.process ? ";" : "",
                          format_energy(*e.net), format_energy(*e.idle));
    }
    out += line + "\n";
  }
}

std::optional<Joules> energy_of(const WindowRecord& w) {
  if (w.total.measured) return w.total.measured;
  return w.total.estimated;
}

void append_windows(std::string& out, const RunRecord& run, const Style& style) {
  if (run.windows.empty()) return;
  std::map<std::string, std::size_t> sizes;
  for (const WindowRecord& w : run.windows)
    ++sizes[w.name];
  TextTable table({{"window"},
                   {"start", true},
                   {"time", true},
                   {"energy", true},
                   {"items", true},
                   {"per item", true}});
  std::map<std::string, std::size_t> shown;
  for (const WindowRecord& w : run.windows) {
    if (++shown[w.name] > most_window_lines) continue;
    const auto energy = energy_of(w);
    const bool per_item = energy && w.count && *w.count > 0;
    table.row({sizes[w.name] > 1 ? fmt::format("{} {}", w.name, w.index) : w.name,
               format_duration(w.start), format_duration(w.duration),
               energy ? format_energy(*energy) + (w.total.measured ? "" : " est.") : "not measured",
               w.count ? format_count(static_cast<double>(*w.count)) : "",
               per_item ? format_energy(*energy / static_cast<double>(*w.count)) : ""});
  }
  out += "\n" + table.text(2, [&](const std::string& head) { return style.faint(head); });
  for (const auto& [name, size] : sizes) {
    if (size > most_window_lines) {
      out += fmt::format("  … and {} more windows '{}'; all are in --json and --csv\n",
                         size - most_window_lines, name);
    }
  }
}

void append_items(std::string& out, const RunRecord& run) {
  if (!run.items || run.items->count <= 0) return;
  const ItemsRecord& items = *run.items;
  const double n = static_cast<double>(items.count);
  out += fmt::format("\n  per item of '{}' ({} items): {}", items.window, format_count(n),
                     format_duration(items.duration / n));
  if (items.total.measured) {
    out += fmt::format(", {} ({})", format_energy(*items.total.measured / n),
                       format_range(items.total.low / n, items.total.high / n));
    if (provenance_of_total(items.energy) == Provenance::simulated) out += " simulated";
  }
  if (items.total.estimated) {
    out += fmt::format(", {}{} estimated", items.total.measured ? "and " : "",
                       format_energy(*items.total.estimated / n));
  }
  out += "\n";
}

void append_latency(std::string& out, const RunRecord& run) {
  if (!run.latency) return;
  out += fmt::format("  latency: median {}, 95 % below {}, 99 % below {} ({} values)\n",
                     format_duration(run.latency->median), format_duration(run.latency->p95),
                     format_duration(run.latency->p99), run.latency->count);
}

void append_metrics(std::string& out, const RunRecord& run) {
  std::vector<std::string> parts;
  for (const GaugeSummary& m : run.metrics) {
    if (m.unit == "%")
      parts.push_back(fmt::format("{} {:.0f} % (max {:.0f} %)", m.name, m.mean, m.max));
    if (m.unit == "B") parts.push_back(fmt::format("{} max {}", m.name, format_bytes(m.max)));
  }
  if (parts.empty()) return;
  out += "  ";
  for (std::size_t i = 0; i < parts.size(); ++i)
    out += (i == 0 ? "" : (i % 3 == 0 ? ",\n  " : ", ")) + parts[i];
  out += "\n";
}

void append_budget(std::string& out, const RunRecord& run) {
  out += "\n  where the intervals come from (half-widths, 95 %):\n";
  for (const ChannelEnergy& e : run.energy) {
    out += fmt::format("    {} from {}:\n", e.channel, e.source);
    for (const BudgetPart& part : e.budget) {
      const double share = e.joules.value() > 0 ? part.half_width / e.joules * 100 : 0;
      out += fmt::format("      {:<22} ±{} ({:.2f} %)\n", part.name, format_energy(part.half_width),
                         share);
    }
    for (const Alternative& other : e.alternatives) {
      const double apart = e.joules.value() > 0 ? (other.joules - e.joules) / e.joules * 100 : 0;
      out += fmt::format("      {} says {} ({:+.2f} %)\n", other.source,
                         format_energy(other.joules), apart);
    }
  }
}

void append_run(std::string& out, const RunRecord& run, const ConsoleOptions& options,
                const Style& style) {
  TextTable table(
      {{"channel"}, {"energy", true}, {"95 % interval"}, {"", true}, {"power", true}, {"source"}});
  for (const ChannelEnergy& e : run.energy)
    add_channel_row(table, e);
  add_total_rows(table, run.total, run.energy, run.duration);
  if (run.energy.empty()) {
    out += "  " + style.warn("no energy was measured") +
           (run.samples == 0 ? "; `ergo sensors` says why and how to change it\n"
                             : "; the notes below say why\n");
  } else {
    out += table.text(2, [&](const std::string& head) { return style.faint(head); });
  }
  append_process_lines(out, run);
  out += fmt::format("\n  time {}", style.bold(format_duration(run.duration)));
  if (run.signal) out += fmt::format(", ended by signal {}", *run.signal);
  if (!run.signal && run.exit_code != 0) out += fmt::format(", exit code {}", run.exit_code);
  if (run.power_limit) out += fmt::format(", GPU power limit {:g} W", run.power_limit->value());
  out += "\n";
  if (run.invalid)
    out += "  " + style.warn("this run is invalid, and left out of medians and advice") + "\n";
  append_latency(out, run);
  append_metrics(out, run);
  for (const auto& [device, reasons] : run.throttled) {
    out += fmt::format("  {} was slowed down by: {}\n", device, joined(reasons));
  }
  append_windows(out, run, style);
  append_items(out, run);
  if (options.explain) append_budget(out, run);
}

void append_summary(std::string& out, const ExperimentRecord& record, const Style& style) {
  const SummaryRecord& s = record.summary;
  out +=
      fmt::format("\n{}: {} runs, medians with 95 % intervals\n", style.bold("summary"), s.repeats);
  TextTable table({{""}, {"median", true}, {"95 % interval"}});
  table.row({"time", format_duration(Seconds(s.duration_s.value)),
             fmt::format("{} … {}", format_duration(Seconds(s.duration_s.low)),
                         format_duration(Seconds(s.duration_s.high)))});
  for (const auto& [channel, e] : s.energy_j) {
    table.row(
        {channel, format_energy(Joules(e.value)), format_range(Joules(e.low), Joules(e.high))});
  }
  out += table.text(2, [&](const std::string& head) { return style.faint(head); });
}

void append_warnings(std::string& out, const ExperimentRecord& record, const Style& style) {
  std::set<std::string> said;
  for (const RunRecord& run : record.runs) {
    for (const std::string& warning : run.warnings) {
      if (said.insert(warning).second)
        out += fmt::format("  {} {}\n", style.warn("note:"), warning);
    }
  }
}

void append_own_cost(std::string& out, const RunRecord& run, const ConsoleOptions& options,
                     const Style& style) {
  std::string cost = format_duration(run.self_cpu) + " of CPU time";
  // In a shorter run the share would tell of starting and ending alone.
  if (run.duration >= Seconds(1))
    cost += fmt::format(" ({:.2f} % of a core)", run.self_cpu / run.duration * 100);
  out += style.faint(fmt::format("  {} samples, one set each {}, {} gaps; ergo itself used {}",
                                 run.samples, format_duration(options.period), run.gaps, cost)) +
         "\n";
}

}  // namespace

std::string console_report(const ExperimentRecord& record, const ConsoleOptions& options) {
  const Style style(options.color);
  std::string out =
      "\n" + style.bold(record.name.empty() ? joined(record.command) : record.name) + "\n";
  for (const RunRecord& run : record.runs) {
    if (record.runs.size() > 1) {
      out += fmt::format("\n{} {}{}\n", style.bold("run"), run.index,
                         run.warmup ? " (warm-up, not counted)" : "");
    } else {
      out += "\n";
    }
    append_run(out, run, options, style);
  }
  if (record.summary.repeats > 1) append_summary(out, record, style);
  out += "\n";
  append_warnings(out, record, style);
  if (!record.runs.empty()) append_own_cost(out, record.runs.back(), options, style);
  return out;
}

}  // namespace ergo::report
