#include "ergo/core/parse.hpp"
#include "store/import/build.hpp"
#include "store/import/results.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace ergo::importing {
namespace {

/// A unit that a field or the head of a column may name, and its size in ours.
struct Unit {
  std::string_view name;
  double factor;
};
/// The first one stands where none is named.
using Units = std::array<Unit, 4>;
constexpr Units of_power{{{"W", 1.0}, {"mW", 1e-3}, {"kW", 1e3}, {}}};
constexpr Units of_share{{{"%", 1.0}, {}, {}, {}}};
constexpr Units of_memory{{{"MiB", 1048576.0}, {"KiB", 1024.0}, {"GiB", 1073741824.0}, {"B", 1.0}}};
constexpr Units of_clock{{{"MHz", 1.0}, {"GHz", 1e3}, {"kHz", 1e-3}, {}}};
constexpr Units of_temperature{{{"C", 1.0}, {"°C", 1.0}, {}, {}}};

/// A column that is read: its names in nvidia-smi, what it becomes.
struct Column {
  std::array<const char*, 2> names;
  const char* suffix;  ///< of the metric; empty for power
  const char* unit;    ///< ours
  const Units& units;
};
constexpr std::array columns_known{
    Column{{"power.draw.instant", ""}, "", "W", of_power},
    Column{{"power.draw", "power.draw.average"}, "", "W", of_power},
    Column{{"utilization.gpu", ""}, ".sm_utilization", "%", of_share},
    Column{{"memory.used", ""}, ".memory_used", "B", of_memory},
    Column{{"clocks.current.sm", "clocks.sm"}, ".sm_clock", "MHz", of_clock},
    Column{{"temperature.gpu", ""}, ".temperature", "°C", of_temperature}};

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

/// "power.draw [W]" -> "W"; empty where the head names none.
std::string_view unit_in_head(std::string_view header) {
  const std::size_t open = header.find('[');
  const std::size_t close = header.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  return trim(header.substr(open + 1, close - open - 1));
}

std::optional<double> factor_of(const Units& units, std::string_view name) {
  if (name.empty()) return units.front().factor;
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const Unit& unit) { return unit.name == name; });
  return found == units.end() ? std::nullopt : std::optional(found->factor);
}

/// "88,14" as some spreadsheets save it -> "88.14".
std::string with_point(std::string_view number) {
  std::string text(number);
  if (text.find('.') == std::string::npos && std::count(text.begin(), text.end(), ',') == 1)
    text[text.find(',')] = '.';
  return text;
}

/// "88.14 W" -> 88.14; nothing for "[N/A]" and its like. None of these quantities is below zero.
Result<std::optional<double>> value_in(const CsvTable& table, const CsvRow& row, std::size_t column,
                                       const Units& units) {
  const std::string& field = row.fields[column];
  if (field.empty() || field.starts_with('[') || field == "N/A") return std::optional<double>();
  const auto bad = [&](std::string_view what) {
    return bad_line(table.file, row.line,
                    fmt::format("'{:.40}' in column '{}' {}", field, table.header[column], what));
  };
  const std::string_view text = field;
  const std::size_t space = text.find(' ');
  const auto number = parse_double(with_point(text.substr(0, space)));
  if (!number) return bad("is not a number");
  if (*number < 0) return bad("is below zero");
  const std::string_view own =
      space == std::string_view::npos ? std::string_view() : trim(text.substr(space));
  const auto factor = factor_of(units, own.empty() ? unit_in_head(table.header[column]) : own);
  if (!factor) return bad(fmt::format("has no unit that is known, as {}", units.front().name));
  return std::optional<double>(*number * *factor);
}

struct Log {
  std::map<std::string, int> numbers;      ///< what tells the boards apart -> number
  std::map<int, std::string> names;        ///< number -> model
  std::map<int, std::set<double>> limits;  ///< number -> enforced limits, W
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
      auto watts = value_in(table, row, *limit, of_power);
      if (!watts) return watts.error();
      if (*watts) log.limits[board].insert(**watts);
    }
    for (std::size_t k = 0; k < columns_known.size(); ++k) {
      const auto column = find(table, {columns_known[k].names[0], columns_known[k].names[1]});
      if (!column) continue;
      auto value = value_in(table, row, *column, columns_known[k].units);
      if (!value) return value.error();
      if (*value) log.series[{board, k}].emplace_back(date->ns, **value);
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

/// Boards whose power was never told, and limits that changed: what such a log cannot be used for.
void note_holes(const Log& log, ImportedExperiment& out) {
  std::set<int> boards;
  for (const auto& [key, series] : log.series)
    boards.insert(key.first);
  for (const auto& [board, name] : log.names)
    boards.insert(board);
  for (const int board : boards) {
    const bool told = std::any_of(log.series.begin(), log.series.end(), [&](const auto& entry) {
      return entry.first.first == board && *columns_known[entry.first.second].suffix == '\0';
    });
    if (!told) out.notes.push_back(fmt::format("gpu{}: its power is not told: no energy", board));
    const auto limits = log.limits.find(board);
    if (limits == log.limits.end() || limits->second.size() < 2) continue;
    out.notes.push_back(fmt::format(
        "gpu{}: its power limit changed between {:g} and {:g} W during the log, which is therefore "
        "of no limit",
        board, *limits->second.begin(), *limits->second.rbegin()));
  }
}

std::optional<double> only_limit(const Log& log, int board) {
  const auto limits = log.limits.find(board);
  if (limits == log.limits.end() || limits->second.size() != 1) return std::nullopt;
  return *limits->second.begin();
}

/// A log as nvidia-smi writes it: a spreadsheet may have saved it with semicolons and decimal
/// commas, and the last line of one that was stopped is cut off, perhaps within a number.
std::string as_written(std::string_view text, const std::string& file,
                       std::vector<std::string>& notes) {
  std::string log(text);
  const std::size_t end = log.rfind('\n');
  if (!log.empty() && end != log.size() - 1 && end != std::string::npos) {
    log.resize(end + 1);
    notes.push_back(file + ": its last line was cut off and is left out");
  }
  const std::string_view head = std::string_view(log).substr(0, log.find('\n'));
  if (head.find(';') != std::string_view::npos && head.find(',') == std::string_view::npos) {
    std::replace(log.begin(), log.end(), ',', '.');
    std::replace(log.begin(), log.end(), ';', ',');
  }
  return log;
}

}  // namespace

Result<ImportedExperiment> parse_nvidia_smi(std::string_view text, const std::string& file) {
  ImportedExperiment out;
  const std::string written = as_written(text, file, out.notes);
  auto table = parse_csv(written, file);
  if (!table) {
    Error error = table.error();
    if (error.remedy.empty())
      error.remedy =
          "delete a line that was cut off; numbers need decimal points (LC_ALL=C nvidia-smi …)";
    return error;
  }
  auto log = read_log(*table);
  if (!log) return log.error();
  if (log->last_ns <= log->first_ns)
    return bad_line(file, 1, "the log has no two readings: no energy can be computed");
  const bool powered = std::any_of(log->series.begin(), log->series.end(), [](const auto& entry) {
    return *columns_known[entry.first.second].suffix == '\0';
  });
  if (!powered)
    return bad_line(file, 1, "no line tells a power: no energy can be computed",
                    "a board that does not tell power.draw has to be measured otherwise");
  out.origin = "nvidia-smi";
  auto timeline = std::make_unique<Timeline>();
  fill(*timeline, *log);
  RunRecord run = run_from(*timeline, Window{Instant{log->first_ns}, Instant{log->last_ns}});
  run.started_unix_ns = local_to_unix_ns(log->first_ns);
  note_holes(*log, out);
  if (log->limits.size() == 1) {
    if (const auto limit = only_limit(*log, log->limits.begin()->first))
      set_power_limit(run, *limit);
  }
  for (const auto& [board, name] : log->names) {
    GpuIdentity gpu;
    gpu.index = board;
    gpu.name = name;
    if (const auto limit = only_limit(*log, board)) gpu.power_limit_w = *limit;
    out.record.host.gpus.push_back(std::move(gpu));
  }
  out.record.name = "nvidia-smi";
  out.record.started = iso_utc(run.started_unix_ns);
  out.record.runs.push_back(std::move(run));
  out.timelines.push_back(std::move(timeline));
  return out;
}

}  // namespace ergo::importing
