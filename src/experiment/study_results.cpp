#include "ergo/experiment/study_results.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/experiment/summary.hpp"
#include "ergo/stats/correlation.hpp"
#include "ergo/stats/summary.hpp"
#include "experiment/study_analysis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

namespace ergo {
namespace {

/// One run's value of a quantity, with the ends of its own interval where it has one.
struct RunFigure {
  double value = 0.0;
  double low = 0.0;
  double high = 0.0;
  std::optional<Provenance> provenance;
};

using Read = std::function<std::optional<RunFigure>(const RunRecord&)>;

struct Column {
  ResultQuantity quantity;
  Read read;
  bool always = false;  ///< AIPowerMeter's columns are there even when empty
};

double items_in(const RunRecord& run) {
  return run.items && run.items->count > 0 ? static_cast<double>(run.items->count) : 1.0;
}

const std::vector<ChannelEnergy>& channels_of(const RunRecord& run) {
  return run.items && run.items->count > 0 ? run.items->energy : run.energy;
}

/// simulated outweighs estimated outweighs derived outweighs measured.
Provenance worse(Provenance a, Provenance b) {
  return std::max(
      a, b, [](Provenance x, Provenance y) { return static_cast<int>(x) < static_cast<int>(y); });
}

/// Joules per item of the channels that `wanted` accepts. Their gains err alike: intervals add up.
template <class Wanted>
std::optional<RunFigure> joules(const RunRecord& run, Wanted wanted) {
  std::optional<RunFigure> sum;
  for (const ChannelEnergy& e : channels_of(run)) {
    if (!wanted(e)) continue;
    if (!sum) sum = RunFigure{0, 0, 0, e.provenance};
    sum->value += e.joules.value() / items_in(run);
    sum->low += e.low.value() / items_in(run);
    sum->high += e.high.value() / items_in(run);
    sum->provenance = worse(*sum->provenance, e.provenance);
  }
  return sum;
}

bool metered(const ChannelEnergy& e, Domain domain) {
  return e.domain == domain && e.in_total && e.provenance != Provenance::estimated;
}

Read domain_energy(Domain domain) {
  return [domain](const RunRecord& run) {
    return joules(run, [domain](const ChannelEnergy& e) { return metered(e, domain); });
  };
}

/// The part of the GPUs' energy that the measured processes are charged.
std::optional<RunFigure> attributed(const RunRecord& run) {
  std::optional<RunFigure> sum;
  for (const ChannelEnergy& e : channels_of(run)) {
    if (!metered(e, Domain::gpu)) continue;
    if (!e.process) return std::nullopt;
    const double share = e.joules.value() > 0 ? *e.process / e.joules : 0.0;
    if (!sum) sum = RunFigure{0, 0, 0, Provenance::derived};
    sum->value += e.process->value() / items_in(run);
    sum->low += share * e.low.value() / items_in(run);
    sum->high += share * e.high.value() / items_in(run);
    sum->provenance = worse(*sum->provenance, e.provenance);
  }
  return sum;
}

std::optional<RunFigure> total(const RunRecord& run) {
  const EnergyTotal& sum = run.items && run.items->count > 0 ? run.items->total : run.total;
  if (!sum.measured)
    return joules(run, [](const ChannelEnergy& e) {
      return e.in_total && e.provenance == Provenance::estimated;
    });
  RunFigure figure{sum.measured->value() / items_in(run), sum.low.value() / items_in(run),
                   sum.high.value() / items_in(run), Provenance::measured};
  for (const ChannelEnergy& e : channels_of(run)) {
    if (e.in_total && e.provenance != Provenance::estimated)
      figure.provenance = worse(*figure.provenance, e.provenance);
  }
  return figure;
}

std::optional<RunFigure> plain(std::optional<double> value) {
  if (!value) return std::nullopt;
  return RunFigure{*value, *value, *value, std::nullopt};
}

std::optional<double> metric(const RunRecord& run, std::string_view name) {
  for (const GaugeSummary& one : run.metrics) {
    if (one.name == name) return one.mean;
  }
  return std::nullopt;
}

/// Over the GPUs that have the metric: sum, or mean of levels in percent as a share.
Read gpu_metric(std::string suffix, bool share) {
  return [suffix = "." + std::move(suffix), share](const RunRecord& run) {
    double sum = 0;
    int gpus = 0;
    for (const GaugeSummary& one : run.metrics) {
      if (!one.name.starts_with("gpu") || !one.name.ends_with(suffix)) continue;
      sum += one.mean;
      ++gpus;
    }
    if (gpus == 0) return plain(std::nullopt);
    return plain(share ? sum / gpus / 100.0 : sum);
  };
}

std::optional<RunFigure> process_memory(const RunRecord& run) {
  const auto shared_out = metric(run, "process.memory_pss");
  return plain(shared_out ? shared_out : metric(run, "process.memory_rss"));
}

Read latency(Seconds LatencySummary::*member) {
  return [member](const RunRecord& run) {
    return plain(run.latency ? std::optional(((*run.latency).*member).value()) : std::nullopt);
  };
}

std::vector<Column> all_columns() {
  const auto core = [](const RunRecord& run) {
    return joules(run, [](const ChannelEnergy& e) { return e.channel.starts_with("core"); });
  };
  const auto estimated_cpu = [](const RunRecord& run) {
    return joules(run, [](const ChannelEnergy& e) {
      return e.domain == Domain::cpu && e.in_total && e.provenance == Provenance::estimated;
    });
  };
  const auto time = [](const RunRecord& run) {
    return plain((run.items ? run.items->duration : run.duration).value() / items_in(run));
  };
  return {
      {{"intel_power", "CPU energy", "J"}, domain_energy(Domain::cpu), true},
      {{"total_cpu_power", "CPU cores energy", "J"}, core, true},
      {{"mem_use_abs", "process memory", "B"}, process_memory, true},
      {{"nvidia_draw_absolute", "GPU energy", "J"}, domain_energy(Domain::gpu), true},
      {{"nvidia_estimated_attributable_power_draw", "GPU energy of the process", "J"},
       attributed,
       true},
      {{"per_gpu_attributable_mem_use", "GPU memory of the process", "B"},
       gpu_metric("process_memory", false),
       true},
      {{"sm", "SM utilisation", "1"}, gpu_metric("sm_utilization", true), true},
      {{"latency", "latency, median", "s"}, latency(&LatencySummary::median), true},
      {{"latency_p95_s", "latency, 95 %", "s"}, latency(&LatencySummary::p95)},
      {{"latency_p99_s", "latency, 99 %", "s"}, latency(&LatencySummary::p99)},
      {{"time_s", "time", "s"}, time},
      {{"energy_j", "total energy", "J"}, total},
      {{"cpu_estimated_j", "CPU energy, estimated", "J"}, estimated_cpu},
      {{"dram_j", "DRAM energy", "J"}, domain_energy(Domain::dram)},
      {{"gpu_memory_used", "GPU memory of all", "B"}, gpu_metric("memory_used", false)},
  };
}

bool good(const RunRecord& run) {
  return run.exit_code == 0 && !run.invalid;
}

/// Odd ones of the quantities that say most: one run that stands apart would else be told for each.
void find_odd_runs(StudyResults& results, std::size_t cell,
                   const std::vector<const RunRecord*>& runs, const std::vector<Column>& columns) {
  for (const Column& column : columns) {
    if (column.quantity.id != "energy_j" && column.quantity.id != "time_s") continue;
    std::vector<double> values;
    for (const RunRecord* run : runs) {
      if (const auto one = column.read(*run)) values.push_back(one->value);
    }
    if (values.size() == runs.size())
      experiment_detail::add_odd_runs(results.odd_runs, cell, column.quantity.id, runs, values);
  }
}

/// Nothing unless every good run has the quantity: a median over some would mislead.
std::optional<ResultFigure> figure_of(const std::vector<const RunRecord*>& runs,
                                      const Column& column) {
  std::vector<double> values;
  std::vector<double> below;
  std::vector<double> above;
  ResultFigure figure;
  for (const RunRecord* run : runs) {
    const auto one = column.read(*run);
    if (!one) return std::nullopt;
    values.push_back(one->value);
    below.push_back(one->value - one->low);
    above.push_back(one->high - one->value);
    if (one->provenance)
      figure.provenance =
          figure.provenance ? worse(*figure.provenance, *one->provenance) : one->provenance;
  }
  if (values.empty()) return std::nullopt;
  const Estimate repeats = stats::median_interval(values);
  figure.runs = static_cast<int>(values.size());
  // Joules, seconds, bytes and shares are never negative, and no share is beyond 1, whatever few
  // repeats would allow.
  const double low = repeats.value - std::hypot(repeats.value - repeats.low, stats::median(below));
  const double high =
      repeats.value + std::hypot(repeats.high - repeats.value, stats::median(above));
  const double most = column.quantity.unit == "1" ? 1.0 : std::numeric_limits<double>::infinity();
  figure.estimate = {repeats.value, std::max(0.0, low), std::min(most, high)};
  return figure;
}

std::string choose_axis(const ExperimentRecord& record) {
  std::map<std::string, std::set<std::string>> values;
  for (const RunRecord& run : record.runs) {
    for (const auto& [name, value] : run.parameters)
      values[name].insert(value);
  }
  std::string axis;
  for (const auto& [name, distinct] : values) {
    if (axis.empty() || distinct.size() > values[axis].size()) axis = name;
  }
  return axis;
}

std::optional<double> value_of(const ResultCell& cell, const std::string& id) {
  if (id.empty()) return cell.position;
  const auto found = cell.figures.find(id);
  return found == cell.figures.end() ? std::nullopt : std::optional(found->second.estimate.value);
}

RankCorrelation correlate(const StudyResults& results) {
  RankCorrelation out;
  std::vector<std::string> ids;
  for (const ResultQuantity& quantity : results.quantities) {
    const auto has = [&](const ResultCell& cell) { return cell.figures.contains(quantity.id); };
    if (std::any_of(results.cells.begin(), results.cells.end(), has)) ids.push_back(quantity.id);
  }
  const auto numeric = [](const ResultCell& cell) { return cell.position.has_value(); };
  const bool with_axis = std::all_of(results.cells.begin(), results.cells.end(), numeric);
  out.ids = ids;
  if (with_axis && !results.titles.axis.empty()) {
    ids.emplace_back();
    out.ids.push_back(results.titles.axis);
  }
  for (const ResultCell& cell : results.cells)
    out.cells += cell.figures.empty() ? 0 : 1;
  for (const std::string& a : ids) {
    auto& row = out.rho.emplace_back();
    for (const std::string& b : ids) {
      std::vector<double> x;
      std::vector<double> y;
      for (const ResultCell& cell : results.cells) {
        const auto left = value_of(cell, a);
        const auto right = value_of(cell, b);
        if (cell.figures.empty() || !left || !right) continue;
        x.push_back(*left);
        y.push_back(*right);
      }
      auto rho = stats::spearman(x, y);
      if (rho && a == b) rho = Estimate{1.0, 1.0, 1.0};
      row.push_back(rho);
    }
  }
  return out;
}

ResultCell start_cell(const RunRecord& run, const std::string& axis) {
  ResultCell cell;
  cell.parameters = run.parameters;
  GridCell others = run.parameters;
  if (const auto value = others.find(axis); value != others.end()) {
    cell.axis = value->second;
    if (const auto number = parse_double(cell.axis)) cell.position = *number;
    others.erase(value);
  }
  cell.series = key_of(others);
  return cell;
}

void sort_cells(std::vector<ResultCell>& cells) {
  std::stable_sort(cells.begin(), cells.end(), [](const ResultCell& a, const ResultCell& b) {
    if (a.series != b.series) return a.series < b.series;
    if (a.position && b.position) return *a.position < *b.position;
    if (a.position.has_value() != b.position.has_value()) return a.position.has_value();
    return a.axis < b.axis;
  });
}

std::vector<std::string> frequent_warnings(const ExperimentRecord& record) {
  std::map<std::string, int> counts;
  for (std::size_t i = 0; i < record.runs.size(); ++i) {
    if (made_again(record.runs, i)) continue;
    for (const std::string& text : record.runs[i].warnings)
      ++counts[text];
  }
  std::vector<std::string> texts;
  texts.reserve(counts.size());
  for (const auto& [text, count] : counts)
    texts.push_back(text);
  std::stable_sort(texts.begin(), texts.end(), [&](const std::string& a, const std::string& b) {
    return counts[a] > counts[b];
  });
  return texts;
}

}  // namespace

StudyResults study_results(const ExperimentRecord& record, ResultTitles titles) {
  StudyResults results;
  results.titles = std::move(titles);
  ResultTitles& t = results.titles;
  if (t.title.empty()) t.title = record.name.empty() ? "Energy report" : record.name;
  if (t.axis.empty()) t.axis = choose_axis(record);
  if (t.axis_label.empty()) t.axis_label = t.axis;
  results.command = record.command;
  results.started = record.started;
  results.host = record.host;
  std::map<std::string, std::vector<const RunRecord*>> runs;
  for (std::size_t i = 0; i < record.runs.size(); ++i) {
    const RunRecord& run = record.runs[i];
    if (run.warmup || made_again(record.runs, i)) continue;
    if (t.item.empty() && run.items) t.item = run.items->window;
    const std::string key = key_of(run.parameters);
    if (!runs.contains(key)) results.cells.push_back(start_cell(run, t.axis));
    auto& mine = runs[key];
    const auto cell =
        std::find_if(results.cells.begin(), results.cells.end(),
                     [&](const ResultCell& c) { return c.parameters == run.parameters; });
    if (good(run)) {
      mine.push_back(&run);
      ++cell->good;
      continue;
    }
    ++cell->failed;
    cell->reason = run.invalid            ? *run.invalid
                   : run.warnings.empty() ? fmt::format("exit code {}", run.exit_code)
                                          : run.warnings.back();
  }
  sort_cells(results.cells);
  const std::vector<Column> columns = all_columns();
  for (const Column& column : columns) {
    bool present = column.always;
    for (ResultCell& cell : results.cells) {
      if (auto figure = figure_of(runs[key_of(cell.parameters)], column)) {
        cell.figures.emplace(column.quantity.id, *figure);
        present = true;
      }
    }
    if (present) results.quantities.push_back(column.quantity);
  }
  results.correlation = correlate(results);
  results.fits = experiment_detail::axis_fits(results);
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    const auto& mine = runs[key_of(results.cells[i].parameters)];
    for (CellCourse& course : experiment_detail::cell_courses(i, mine))
      results.courses.push_back(std::move(course));
    find_odd_runs(results, i, mine, columns);
  }
  results.warnings = frequent_warnings(record);
  return results;
}

}  // namespace ergo
