#include "ergo/report/export_csv.hpp"

#include "ergo/core/csv.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/runner.hpp"
#include "ergo/experiment/sweep.hpp"
#include "ergo/report/format.hpp"
#include "ergo/store/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
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

std::string workload_of(const ExperimentRecord& record, const RunRecord& run) {
  if (const auto named = run.parameters.find("workload"); named != run.parameters.end())
    return named->second;
  if (!record.name.empty()) return record.name;
  return record.command.empty() ? std::string()
                                : std::filesystem::path(record.command.front()).filename().string();
}

/// "batch=8 size=112"; a parameter called config stands for itself.
std::string config_of(const RunRecord& run) {
  if (const auto named = run.parameters.find("config"); named != run.parameters.end())
    return named->second;
  std::string config;
  for (const auto& [name, value] : run.parameters) {
    if (name == "workload" || name == power_limit_axis) continue;
    config += fmt::format("{}{}={}", config.empty() ? "" : " ", name, value);
  }
  return config;
}

bool is_gpu(const ChannelEnergy& energy) {
  return energy.domain == Domain::gpu && energy.in_total &&
         energy.provenance != Provenance::estimated;
}

std::vector<const GpuIdentity*> gpus_of(const ExperimentRecord& record, const RunRecord& run) {
  std::vector<const GpuIdentity*> gpus;
  for (const auto& energy : run.energy) {
    if (energy.domain != Domain::gpu || !energy.in_total) continue;
    for (const auto& gpu : record.host.gpus) {
      if (energy.channel == "gpu" + std::to_string(gpu.index)) gpus.push_back(&gpu);
    }
  }
  return gpus;
}

/// "Tesla V100", "2x Tesla V100", "Tesla V100 + Tesla T4".
std::string gpu_name(const ExperimentRecord& record, const RunRecord& run) {
  std::map<std::string, int> counts;
  for (const auto* gpu : gpus_of(record, run))
    ++counts[gpu->name];
  std::string name;
  for (const auto& [model, count] : counts) {
    if (!name.empty()) name += " + ";
    name += count > 1 ? fmt::format("{}x {}", count, model) : model;
  }
  return name;
}

/// The limit of one GPU, the lowest where they differ: enforced during the run, else found when the
/// experiment began.
std::optional<Watts> limit_of(const ExperimentRecord& record, const RunRecord& run) {
  if (run.power_limit) return run.power_limit;
  std::optional<Watts> lowest;
  for (const auto* gpu : gpus_of(record, run)) {
    const Watts limit(gpu->power_limit_w);
    if (limit > Watts(0.0) && (!lowest || limit < *lowest)) lowest = limit;
  }
  return lowest;
}

/// What all GPUs of the run together may draw: models compare it with their summed power.
std::optional<Watts> joint_limit_of(const ExperimentRecord& record, const RunRecord& run) {
  Watts sum{0.0};
  const auto gpus = gpus_of(record, run);
  for (const auto* gpu : gpus) {
    if (!run.power_limit && gpu->power_limit_w <= 0.0) return std::nullopt;
    sum += run.power_limit.value_or(Watts(gpu->power_limit_w));
  }
  return gpus.empty() ? std::nullopt : std::optional(sum);
}

std::string_view status_of(const RunRecord& run) {
  if (run.invalid) return "invalid";
  return run.exit_code != 0 || run.signal ? "failed" : "done";
}

/// What one item, or the whole run where nothing was counted, cost.
struct PerItem {
  std::optional<std::int64_t> count;
  Seconds time{0.0};
  const std::vector<ChannelEnergy>* energy = nullptr;
  const EnergyTotal* total = nullptr;
  [[nodiscard]] double divisor() const { return count ? static_cast<double>(*count) : 1.0; }
};

PerItem per_item(const RunRecord& run) {
  if (run.items && run.items->count > 0) {
    const auto& items = *run.items;
    return {items.count, items.duration / static_cast<double>(items.count), &items.energy,
            &items.total};
  }
  return {std::nullopt, run.duration, &run.energy, &run.total};
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

std::optional<double> metric_mean(const RunRecord& run, const std::string& name) {
  for (const auto& metric : run.metrics) {
    if (metric.name == name) return metric.mean;
  }
  return std::nullopt;
}

/// Mean of a metric over the GPUs of the run.
std::optional<double> gpu_metric(const ExperimentRecord& record, const RunRecord& run,
                                 std::string_view suffix) {
  const auto gpus = gpus_of(record, run);
  double sum = 0.0;
  for (const auto* gpu : gpus) {
    const auto mean = metric_mean(run, fmt::format("gpu{}.{}", gpu->index, suffix));
    if (!mean) return std::nullopt;
    sum += *mean;
  }
  return gpus.empty() ? std::nullopt : std::optional(sum / static_cast<double>(gpus.size()));
}

/// Idle power of the run's GPUs, from its baseline.
std::optional<double> idle_power(const RunRecord& run) {
  double sum = 0.0;
  for (const auto& energy : run.energy) {
    if (!is_gpu(energy)) continue;
    if (!energy.idle || run.duration.value() <= 0.0) return std::nullopt;
    sum += (*energy.idle / run.duration).value();
  }
  return sum;
}

std::optional<SweepRow> model_row(const ExperimentRecord& record, const RunRecord& run) {
  if (run.warmup || status_of(run) != "done") return std::nullopt;
  const PerItem item = per_item(run);
  const auto limit = joint_limit_of(record, run);
  if (!limit || !std::any_of(item.energy->begin(), item.energy->end(), is_gpu)) return std::nullopt;
  SweepRow row;
  row.gpu = gpu_name(record, run);
  row.workload = workload_of(record, run);
  row.config = config_of(run);
  row.power_limit_w = limit->value();
  row.time_s = item.time.value();
  row.repeat = run.repeat;
  bool host = false;
  Joules host_energy{0.0};
  for (const auto& energy : *item.energy) {
    if (is_gpu(energy)) row.energy_j += energy.joules.value() / item.divisor();
    if (energy.domain == Domain::gpu || !energy.in_total) continue;
    if (energy.provenance == Provenance::estimated) continue;
    host = true;
    host_energy += energy.joules / item.divisor();
  }
  if (host) row.host_energy_j = host_energy.value();
  row.idle_w = idle_power(run);
  if (const auto percent = gpu_metric(record, run, "sm_utilization"))
    row.utilization = *percent / 100.0;
  row.clock_mhz = gpu_metric(record, run, "sm_clock");
  if (row.gpu.empty() || row.time_s <= 0.0 || row.energy_j <= 0.0) return std::nullopt;
  return row;
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

Result<std::string> model_csv(std::span<const ExperimentRecord> records) {
  SweepTable table;
  for (const auto& record : records) {
    for (const auto& run : record.runs) {
      if (auto row = model_row(record, run)) table.push_back(std::move(*row));
    }
  }
  if (table.empty()) {
    return Error{Errc::not_supported,
                 "no finished run has both measured GPU energy and a known power limit",
                 "record runs on a GPU, for example: ergo sweep --power-limits all -- COMMAND"};
  }
  return format_sweep_table(table);
}

namespace {

bool is_store(const std::filesystem::path& path) {
  constexpr std::string_view magic = "SQLite format 3";
  std::string start(magic.size(), '\0');
  std::ifstream(path, std::ios::binary)
      .read(start.data(), static_cast<std::streamsize>(start.size()));
  return start == magic;
}

}  // namespace

Result<SweepTable> load_model_table(const std::filesystem::path& path) {
  if (!is_store(path)) return read_sweep_table(path);
  const auto store = Store::open(path, Store::Mode::read);
  if (!store) return store.error();
  const auto experiments = store->experiments();
  if (!experiments) return experiments.error();
  std::vector<ExperimentRecord> records;
  for (const ExperimentInfo& info : *experiments) {
    auto record = store->load_experiment(info.id);
    if (!record) return record.error();
    records.push_back(std::move(record).value());
  }
  const auto csv = model_csv(records);
  if (!csv) return csv.error();
  return parse_sweep_table(*csv, path.string());
}

}  // namespace ergo::report
