#include "ergo/report/sweep_table.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/experiment/runner.hpp"
#include "ergo/experiment/summary.hpp"
#include "ergo/experiment/sweep.hpp"
#include "ergo/stats/summary.hpp"
#include "report/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace ergo::report {
namespace {

struct Item {
  Seconds time{0.0};
  std::optional<Joules> energy;
  Joules low{0.0};
  Joules high{0.0};
  std::string_view provenance;
};

Item item_of(const RunRecord& run) {
  const double n = run.items && run.items->count > 0 ? static_cast<double>(run.items->count) : 1.0;
  const EnergyTotal& total = n > 1 || run.items ? run.items->total : run.total;
  Item item;
  item.time = (run.items ? run.items->duration : run.duration) / n;
  if (total.measured) {
    item.energy = *total.measured / n;
    item.low = total.low / n;
    item.high = total.high / n;
    item.provenance = name_of(provenance_of_total(run.energy));
  } else if (total.estimated) {
    item.energy = *total.estimated / n;
    item.low = total.estimated_low / n;
    item.high = total.estimated_high / n;
    item.provenance = "estimated";
  }
  return item;
}

bool good(const RunRecord& run) {
  return !run.warmup && run.exit_code == 0 && !run.invalid;
}

struct CellSums {
  std::vector<double> times;
  std::vector<double> energies;
  std::vector<double> below;  ///< from the energy to the ends of the run's own interval
  std::vector<double> above;
  std::vector<double> enforced_w;
  std::vector<double> capped;  ///< shares of time
  std::string_view provenance;
  int failed = 0;
  int invalid = 0;  ///< cut short, or under a power limit that did not hold

  /// "1 failed, 2 invalid"; empty where all went well.
  [[nodiscard]] std::string without_result() const {
    std::string text = failed > 0 ? fmt::format("{} failed", failed) : std::string();
    if (invalid > 0) text += fmt::format("{}{} invalid", text.empty() ? "" : ", ", invalid);
    return text;
  }
};

using Parameters = std::map<std::string, std::string>;

/// Numbers by their size: "size=8" before "size=112", "share=0.2" before "share=1".
bool stands_before(const Parameters& a, const Parameters& b) {
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end(); ++x, ++y) {
    if (x->first != y->first) return x->first < y->first;
    if (x->second == y->second) continue;
    const auto left = parse_double(x->second);
    const auto right = parse_double(y->second);
    if (left && right && *left != *right) return *left < *right;
    return x->second < y->second;
  }
  return a.size() < b.size();
}

std::string parameters_of(const RunRecord& run) {
  std::string text;
  for (const auto& [name, value] : run.parameters)
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  return text.empty() ? "command" : text;
}

/// Two columns: the limit enforced, and whether it was binding.
void add_limit(std::vector<std::string>& row, const CellSums& cell) {
  row.push_back(cell.enforced_w.empty() ? "" : format_power(Watts(stats::median(cell.enforced_w))));
  if (cell.capped.empty()) {
    row.emplace_back(cell.times.empty() ? "" : "unknown");
    return;
  }
  const double share = stats::median(cell.capped);
  row.push_back(share > 0 ? fmt::format("{:.0f} % of time", share * 100) : "no");
}

void add_cell(TextTable& table, const std::string& name, const CellSums& cell, bool limits) {
  std::vector<std::string> row{name, fmt::format("{}", cell.times.size())};
  if (limits) add_limit(row, cell);
  if (cell.times.empty()) {
    row.insert(row.end(), {"", "", "", cell.without_result()});
    table.row(std::move(row));
    return;
  }
  row.push_back(format_duration(Seconds(stats::median(cell.times))));
  if (cell.energies.size() == cell.times.size()) {
    const Estimate e = stats::median_interval(cell.energies);
    // What repeats show and what one run does not know about itself are independent.
    const Joules low(e.value - std::hypot(e.value - e.low, stats::median(cell.below)));
    const Joules high(e.value + std::hypot(e.high - e.value, stats::median(cell.above)));
    row.push_back(format_energy(Joules(e.value)));
    row.push_back(high > low ? format_range(std::max(low, Joules(0)), high) : std::string());
    const std::string missing = cell.without_result();
    row.push_back(std::string(cell.provenance) + (missing.empty() ? "" : ", " + missing));
  } else {
    row.insert(row.end(), {"", "", "not measured"});
  }
  table.row(std::move(row));
}

}  // namespace

std::string run_line(const RunRecord& record) {
  if (record.invalid) return "invalid: " + *record.invalid;
  if (record.exit_code != 0) return fmt::format("exit code {}", record.exit_code);
  const Item item = item_of(record);
  std::string line = format_duration(item.time);
  if (item.energy) line += fmt::format(", {}", format_energy(*item.energy));
  if (item.energy && item.high > item.low)
    line += fmt::format(" ({})", format_range(item.low, item.high));
  if (record.items) line += fmt::format(" per item of '{}'", record.items->window);
  if (item.energy && item.provenance != "measured") line += fmt::format(", {}", item.provenance);
  return line;
}

std::string sweep_table(const ExperimentRecord& record) {
  std::map<std::string, CellSums> cells;
  std::vector<std::pair<Parameters, std::string>> order;
  bool items = false;
  bool limits = false;
  for (std::size_t i = 0; i < record.runs.size(); ++i) {
    const RunRecord& run = record.runs[i];
    if (run.warmup || made_again(record.runs, i)) continue;
    const std::string name = parameters_of(run);
    if (!cells.contains(name)) order.emplace_back(run.parameters, name);
    CellSums& cell = cells[name];
    if (!good(run)) {
      ++(run.invalid ? cell.invalid : cell.failed);
      continue;
    }
    const Item item = item_of(run);
    items = items || run.items.has_value();
    if (run.parameters.contains(std::string(power_limit_axis))) {
      limits = true;
      if (run.power_limit) cell.enforced_w.push_back(run.power_limit->value());
      if (const auto share = power_capped(run)) cell.capped.push_back(*share);
    }
    cell.times.push_back(item.time.value());
    if (!item.energy) continue;
    cell.energies.push_back(item.energy->value());
    cell.provenance = item.provenance;
    cell.below.push_back((*item.energy - item.low).value());
    cell.above.push_back((item.high - *item.energy).value());
  }
  std::vector<TextTable::Column> columns{{"cell"}, {"runs", true}};
  if (limits) columns.insert(columns.end(), {{"enforced", true}, {"at the limit", true}});
  columns.insert(columns.end(), {{items ? "time per item" : "time", true},
                                 {items ? "energy per item" : "energy", true},
                                 {"95 % interval"},
                                 {""}});
  TextTable table(std::move(columns));
  std::sort(order.begin(), order.end(),
            [](const auto& a, const auto& b) { return stands_before(a.first, b.first); });
  for (const auto& [parameters, name] : order)
    add_cell(table, name, cells[name], limits);
  return "\n" + table.text(2, [](const std::string& head) { return head; });
}

}  // namespace ergo::report
