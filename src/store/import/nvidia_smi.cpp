#include "ergo/core/parse.hpp"
#include "store/import/build.hpp"
#include "store/import/results.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace ergo::importing {
namespace {

/// A column that is read: its names in nvidia-smi, what it becomes.
struct Column {
  std::array<const char*, 2> names;
  const char* suffix;  ///< of the metric; empty for power
  const char* unit;
  double factor;
};
constexpr std::array columns_known{
    Column{{"power.draw.instant", ""}, "", "W", 1.0},
    Column{{"power.draw", "power.draw.average"}, "", "W", 1.0},
    Column{{"utilization.gpu", ""}, ".sm_utilization", "%", 1.0},
    Column{{"memory.used", ""}, ".memory_used", "B", 1048576.0},
    Column{{"clocks.current.sm", "clocks.sm"}, ".sm_clock", "MHz", 1.0},
    Column{{"temperature.gpu", ""}, ".temperature", "°C", 1.0}};

/// "power.draw [W]" -> "power.draw".
std::string bare(const std::string& header) {
  return std::string(trim(header.substr(0, header.find('['))));
}

std::optional<std::size_t> find(const CsvTable& table, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (*name == '\0') continue;
    for (std::size_t i = 0; i < table.header.size(); ++i) {
      if (bare(table.header[i]) == name) return i;
    }
  }
  return std::nullopt;
}

/// "88.14 W" -> 88.14; nothing for "[N/A]" and its like.
Result<std::optional<double>> value_in(const CsvTable& table, const CsvRow& row,
                                       std::size_t column) {
  const std::string& field = row.fields[column];
  if (field.empty() || field.starts_with('[') || field == "N/A") return std::optional<double>();
  const auto number = parse_double(std::string_view(field).substr(0, field.find(' ')));
  if (number) return std::optional<double>(*number);
  return bad_line(
      table.file, row.line,
      fmt::format("'{:.40}' in column '{}' is not a number", field, table.header[column]));
}

struct Log {
  std::map<std::string, int> numbers;  ///< what tells the boards apart -> number
  std::map<int, std::string> names;    ///< number -> model
  std::map<int, double> limits;        ///< number -> enforced limit, W
  std::map<std::pair<int, std::size_t>, Series>
      series;  ///< (number, index in columns_known) -> readings
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
};

/// The board of a row: its index where the log has one, else boards are numbered as they appear.
int board_of(Log& log, const CsvRow& row, std::optional<std::size_t> index,
             std::optional<std::size_t> identity) {
  if (index) {
    const auto number = parse_uint(row.fields[*index]);
    if (number && *number < 1024) return static_cast<int>(*number);
  }
  const std::string key = identity ? row.fields[*identity] : std::string();
  return log.numbers.emplace(key, static_cast<int>(log.numbers.size())).first->second;
}

Result<Log> read_log(const CsvTable& table) {
  const auto time = find(table, {"timestamp"});
  const auto power = find(table, {"power.draw.instant", "power.draw", "power.draw.average"});
  if (!time || !power) {
    return bad_line(table.file, 1, "the columns timestamp and power.draw are missing",
                    "nvidia-smi --query-gpu=timestamp,index,name,power.draw,utilization.gpu "
                    "--format=csv -lms 100");
  }
  const auto index = find(table, {"index"});
  const auto identity =
      find(table, {"uuid", "gpu_uuid", "pci.bus_id", "gpu_bus_id", "name", "gpu_name"});
  const auto name = find(table, {"name", "gpu_name"});
  const auto limit = find(table, {"enforced.power.limit", "power.limit"});
  Log log;
  for (const auto& row : table.rows) {
    const auto date = parse_date(row.fields[*time]);
    if (!date)
      return bad_line(table.file, row.line,
                      fmt::format("'{:.40}' is not a date", row.fields[*time]));
    const int board = board_of(log, row, index, identity);
    if (log.last_ns == 0) log.first_ns = date->ns;
    if (auto near = check_span(table.file, row.line, log.first_ns, date->ns); !near)
      return near.error();
    log.last_ns = std::max(log.last_ns, date->ns);
    if (name) log.names[board] = row.fields[*name];
    if (limit) {
      auto watts = value_in(table, row, *limit);
      if (!watts) return watts.error();
      if (*watts) log.limits[board] = **watts;
    }
    for (std::size_t k = 0; k < columns_known.size(); ++k) {
      const auto column = find(table, {columns_known[k].names[0], columns_known[k].names[1]});
      if (!column) continue;
      auto value = value_in(table, row, *column);
      if (!value) return value.error();
      if (*value) log.series[{board, k}].emplace_back(date->ns, **value * columns_known[k].factor);
    }
  }
  return log;
}

void fill(Timeline& timeline, const Log& log) {
  for (const auto& [key, series] : log.series) {
    const auto& [board, k] = key;
    const std::string channel = "gpu" + std::to_string(board);
    const Column& column = columns_known[k];
    if (*column.suffix != '\0') {
      add_series(timeline, gauge_signal(channel + column.suffix, column.unit), series);
      continue;
    }
    auto info = channel_signal(SignalKind::power, channel, Domain::gpu,
                               std::string("nvidia-smi.") + column.names[0], true);
    info.rank = static_cast<int>(k);
    info.traits.update_period = Seconds(0.1);
    info.traits.gain_u95 = 0.05;
    info.traits.gain_kind = "nvml board sensor";
    info.traits.basis = "assumed: renewed each 100 ms, an instantaneous value";
    add_series(timeline, info, series);
  }
}

}  // namespace

Result<ImportedExperiment> parse_nvidia_smi(std::string_view text, const std::string& file) {
  auto table = parse_csv(text, file);
  if (!table) return table.error();
  auto log = read_log(*table);
  if (!log) return log.error();
  if (log->last_ns <= log->first_ns)
    return bad_line(file, 1, "the log has no two readings: no energy can be computed");
  ImportedExperiment out;
  out.origin = "nvidia-smi";
  auto timeline = std::make_unique<Timeline>();
  fill(*timeline, *log);
  RunRecord run = run_from(*timeline, Window{Instant{log->first_ns}, Instant{log->last_ns}});
  run.started_unix_ns = local_to_unix_ns(log->first_ns);
  if (log->limits.size() == 1) run.power_limit = Watts(log->limits.begin()->second);
  for (const auto& [board, name] : log->names) {
    GpuIdentity gpu;
    gpu.index = board;
    gpu.name = name;
    if (log->limits.contains(board)) gpu.power_limit_w = log->limits.at(board);
    out.record.host.gpus.push_back(std::move(gpu));
  }
  out.record.name = "nvidia-smi";
  out.record.started = iso_utc(run.started_unix_ns);
  out.record.runs.push_back(std::move(run));
  out.timelines.push_back(std::move(timeline));
  return out;
}

}  // namespace ergo::importing
