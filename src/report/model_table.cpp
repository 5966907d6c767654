#include "ergo/core/csv.hpp"
#include "ergo/report/export_csv.hpp"
#include "ergo/report/format.hpp"
#include "ergo/store/store.hpp"
#include "report/export_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

namespace ergo::report {
namespace {

constexpr std::string_view provenance_column = "provenance";

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

/// What the rest of the machine used per item: CPU and memory, and where a meter measures the whole
/// machine, all that it says beyond the GPUs. A meter that says less than the parts do not is one
/// of something else. Nothing that is estimated.
std::optional<double> host_energy(const PerItem& item, double gpu_j) {
  std::optional<double> parts;
  std::optional<double> machine;
  for (const auto& energy : *item.energy) {
    if (energy.domain == Domain::gpu || energy.provenance == Provenance::estimated) continue;
    const double joules = energy.joules.value() / item.divisor();
    if (energy.in_total) parts = parts.value_or(0.0) + joules;
    if (energy.channel == "node") machine = joules - gpu_j;
  }
  if (machine && *machine > parts.value_or(0.0)) return machine;
  return parts;
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
  for (const auto& energy : *item.energy) {
    if (is_gpu(energy)) row.energy_j += energy.joules.value() / item.divisor();
  }
  row.host_energy_j = host_energy(item, row.energy_j);
  row.idle_w = idle_power(run);
  if (const auto percent = gpu_metric(record, run, "sm_utilization"))
    row.utilization = *percent / 100.0;
  row.clock_mhz = gpu_metric(record, run, "sm_clock");
  if (row.gpu.empty() || row.time_s <= 0.0 || row.energy_j <= 0.0) return std::nullopt;
  return row;
}

/// Models do not read the column; people and `ergo advise` do.
std::string with_provenance(const std::string& csv,
                            const std::vector<std::string_view>& provenances) {
  const auto table = parse_csv(csv, "table");
  if (!table || table->rows.size() != provenances.size()) return csv;
  const auto line = [](const std::vector<std::string>& fields, std::string_view last) {
    std::string text;
    for (const std::string& field : fields)
      text += csv_field(field) + ",";
    return text + std::string(last) + "\n";
  };
  std::string text = line(table->header, provenance_column);
  for (std::size_t i = 0; i < provenances.size(); ++i)
    text += line(table->rows[i].fields, provenances[i]);
  return text;
}

std::ptrdiff_t simulated_rows(const std::string& csv) {
  const auto table = parse_csv(csv, "table");
  const auto column = table ? table->column(provenance_column) : std::nullopt;
  if (!column) return 0;
  return std::count_if(table->rows.begin(), table->rows.end(), [&](const CsvRow& row) {
    return row.fields[*column] == name_of(Provenance::simulated);
  });
}

}  // namespace

Result<std::string> model_csv(std::span<const ExperimentRecord> records) {
  SweepTable table;
  std::vector<std::string_view> provenances;
  for (const auto& record : records) {
    for (const auto& run : record.runs) {
      auto row = model_row(record, run);
      if (!row) continue;
      table.push_back(std::move(*row));
      provenances.push_back(name_of(provenance_of_total(*per_item(run).energy)));
    }
  }
  if (table.empty()) {
    return Error{Errc::not_supported,
                 "no finished run has both measured GPU energy and a known power limit",
                 "record runs on a GPU, for example: ergo sweep --power-limits all -- COMMAND"};
  }
  return with_provenance(format_sweep_table(table), provenances);
}

namespace {

/// Only a file can be a store, and only a file may be looked at before it is read.
bool is_store(const std::filesystem::path& path) {
  std::error_code unseen;
  if (!std::filesystem::is_regular_file(path, unseen)) return false;
  constexpr std::string_view magic = "SQLite format 3";
  std::string start(magic.size(), '\0');
  std::ifstream(path, std::ios::binary)
      .read(start.data(), static_cast<std::streamsize>(start.size()));
  return start == magic;
}

}  // namespace

Result<ModelData> load_model_data(const std::filesystem::path& path) {
  std::string csv;
  if (is_store(path)) {
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
    auto text = model_csv(records);
    if (!text) return text.error();
    csv = std::move(text).value();
  } else {
    auto text = read_sweep_text(path);
    if (!text) return text.error();
    csv = std::move(text).value();
  }
  auto table = parse_sweep_table(csv, path.string());
  if (!table) return table.error();
  return ModelData{std::move(table).value(), simulated_rows(csv) > 0};
}

}  // namespace ergo::report
