#include "ergo/report/export_csv.hpp"

#include "ergo/core/csv.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/runner.hpp"
#include "ergo/experiment/sweep.hpp"
#include "ergo/report/format.hpp"
#include "report/export_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace ergo::report {
namespace {

/// One line of a table, field by field.
class Row {
 public:
  Row& operator<<(std::string_view text) {
    if (!first_) line_ += ',';
    first_ = false;
    line_ += csv_field(text);
    return *this;
  }
  Row& operator<<(const std::string& text) { return *this << std::string_view(text); }
  Row& operator<<(const char* text) { return *this << std::string_view(text); }
  Row& operator<<(double value) { return *this << std::string_view(shortest(value)); }
  Row& operator<<(std::int64_t value) { return *this << std::string_view(std::to_string(value)); }
  Row& operator<<(int value) { return *this << static_cast<std::int64_t>(value); }
  template <class D>
  Row& operator<<(Quantity<D> value) {
    return *this << value.value();
  }
  template <class T>
  Row& operator<<(const std::optional<T>& value) {
    return value ? *this << *value : *this << std::string_view();
  }
  [[nodiscard]] std::string line() const { return line_ + "\n"; }

 private:
  std::string line_;
  bool first_ = true;
};

constexpr std::array sweep_columns{
    "experiment", "run",    "repeat",           "gpu",           "workload",    "power_limit_w",
    "duration_s", "count",  "time_s",           "energy_j",      "low_j",       "high_j",
    "provenance", "status", "latency_median_s", "latency_p95_s", "power_capped"};

/// A parameter's column; one that would clash with a column of ours gets a prefix.
std::string column_of(const std::string& parameter) {
  const bool clash =
      std::find(sweep_columns.begin(), sweep_columns.end(), parameter) != sweep_columns.end();
  return clash ? "param." + parameter : parameter;
}

struct Figure {
  std::optional<double> joules;
  std::optional<double> low;
  std::optional<double> high;
  std::string_view provenance;
};

Figure figure_of(const PerItem& item) {
  Figure figure;
  if (item.total->measured) {
    figure.joules = item.total->measured->value() / item.divisor();
    figure.low = item.total->low.value() / item.divisor();
    figure.high = item.total->high.value() / item.divisor();
    figure.provenance = name_of(provenance_of_total(*item.energy));
  } else if (item.total->estimated) {
    figure.joules = item.total->estimated->value() / item.divisor();
    figure.provenance = name_of(Provenance::estimated);
    figure.low = item.total->estimated_low.value() / item.divisor();
    figure.high = item.total->estimated_high.value() / item.divisor();
  }
  return figure;
}

void write_energies(std::string& text, const ExperimentRecord& record, const RunRecord& run,
                    const WindowRecord& window) {
  for (const auto& e : window.energy) {
    Row row;
    row << record.name << run.index << run.repeat << (run.warmup ? 1 : 0) << run.exit_code
        << window.name << window.index << window.start << window.duration << window.count
        << e.channel << name_of(e.domain) << name_of(e.provenance) << e.source << e.joules << e.low
        << e.high << e.mean << e.max << e.idle << e.net << e.process << e.net_low << e.net_high;
    text += row.line();
  }
}

void write_sweep_row(std::string& text, const ExperimentRecord& record, const RunRecord& run,
                     const std::set<std::string>& parameters,
                     const std::set<std::string>& channels) {
  Row row;
  row << record.name << run.index << run.repeat;
  for (const auto& parameter : parameters) {
    const auto value = run.parameters.find(parameter);
    row << (value != run.parameters.end() ? value->second : std::string());
  }
  const PerItem item = per_item(run);
  const bool done = status_of(run) == "done";
  const Figure figure = done ? figure_of(item) : Figure{};
  row << gpu_name(record, run) << workload_of(record, run) << limit_of(record, run) << run.duration
      << item.count << (done ? std::optional(item.time) : std::nullopt) << figure.joules
      << figure.low << figure.high << figure.provenance << status_of(run);
  const auto latency = run.latency.value_or(LatencySummary{});
  row << (run.latency ? std::optional(latency.median) : std::nullopt)
      << (run.latency ? std::optional(latency.p95) : std::nullopt)
      << (done ? power_capped(run) : std::nullopt);
  for (const auto& channel : channels) {
    const auto found = std::find_if(item.energy->begin(), item.energy->end(),
                                    [&](const auto& e) { return e.channel == channel; });
    const bool known = done && found != item.energy->end();
    row << (known ? std::optional(found->joules / item.divisor()) : std::nullopt);
  }
  for (const auto& channel : channels) {
    const auto found = std::find_if(item.energy->begin(), item.energy->end(),
                                    [&](const auto& e) { return e.channel == channel; });
    const bool known = done && found != item.energy->end();
    row << (known ? std::optional(found->low / item.divisor()) : std::nullopt)
        << (known ? std::optional(found->high / item.divisor()) : std::nullopt);
  }
  text += row.line();
}

}  // namespace

std::string run_csv(const ExperimentRecord& record) {
  std::string text =
      "experiment,run,repeat,warmup,exit_code,window,window_index,start_s,duration_s,count,channel,"
      "domain,provenance,source,joules,low_j,high_j,mean_w,max_w,idle_j,net_j,process_j,net_low_j,"
      "net_high_j\n";
  for (const auto& run : record.runs) {
    WindowRecord whole;
    whole.duration = run.duration;
    if (run.items) whole.count = run.items->count;
    whole.energy = run.energy;
    write_energies(text, record, run, whole);
    for (const auto& window : run.windows)
      write_energies(text, record, run, window);
  }
  return text;
}

std::string sweep_csv(std::span<const ExperimentRecord> records) {
  std::set<std::string> parameters;
  std::set<std::string> channels;
  for (const auto& record : records) {
    for (const auto& run : record.runs) {
      for (const auto& [name, value] : run.parameters) {
        // The limit has a column of ours, for what was enforced.
        if (name != "workload" && name != power_limit_axis) parameters.insert(name);
      }
      for (const auto& energy : *per_item(run).energy)
        channels.insert(energy.channel);
    }
  }
  Row header;
  header << "experiment"
         << "run"
         << "repeat";
  for (const auto& parameter : parameters)
    header << column_of(parameter);
  for (std::size_t i = 3; i < sweep_columns.size(); ++i)
    header << sweep_columns[i];
  for (const auto& channel : channels)
    header << channel + "_j";
  for (const auto& channel : channels)
    header << channel + "_low_j" << channel + "_high_j";
  std::string text = header.line();
  for (const auto& record : records) {
    for (const auto& run : record.runs) {
      if (!run.warmup) write_sweep_row(text, record, run, parameters, channels);
    }
  }
  return text;
}

}  // namespace ergo::report
