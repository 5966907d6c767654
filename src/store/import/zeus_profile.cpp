// What Zeus's own profiling leaves: the windows of a ZeusMonitor (`log_file=…`), and the profile of
// a GlobalPowerLimitOptimizer (`profile_path=…`).
#include "ergo/core/parse.hpp"
#include "store/import/build.hpp"
#include "store/import/results.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace ergo::importing {
namespace {

constexpr double gain_u95 = 0.05;
/// The optimizer names its windows so; watts follow.
constexpr std::string_view profiled = "__GlobalPowerLimitOptimizer_";
constexpr const char* profiled_work = "zeus-profile";

/// "gpu12_energy" -> 12.
std::optional<unsigned> gpu_of_column(std::string_view name) {
  constexpr std::string_view prefix = "gpu";
  constexpr std::string_view suffix = "_energy";
  if (!name.starts_with(prefix) || !name.ends_with(suffix) ||
      name.size() <= prefix.size() + suffix.size())
    return std::nullopt;
  const auto index =
      parse_uint(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
  if (!index || *index >= 1024) return std::nullopt;
  return static_cast<unsigned>(*index);
}

ImportedExperiment begin_import() {
  ImportedExperiment out;
  out.origin = "zeus";
  out.record.name = "zeus";
  return out;
}

void add_gpu(ImportedExperiment& out, unsigned index) {
  GpuIdentity gpu;
  gpu.index = static_cast<int>(index);
  gpu.name = unnamed_gpu;
  out.record.host.gpus.push_back(std::move(gpu));
}

void add_run(ImportedExperiment& out, RunRecord run) {
  run.index = static_cast<int>(out.record.runs.size());
  run.total = total_of(run.energy);
  out.record.runs.push_back(std::move(run));
  out.timelines.emplace_back();
}

/// A window of the optimizer is of work under a limit; any other is what its name says.
void name_window(RunRecord& run, const std::string& name) {
  run.parameters["workload"] = name;
  if (!name.starts_with(profiled)) return;
  const auto watts = parse_double(std::string_view(name).substr(profiled.size()));
  if (!watts || !(*watts > 0) || *watts > highest_limit_w) return;
  run.parameters["workload"] = profiled_work;
  set_power_limit(run, *watts);
}

/// Seconds since 1970, as Python's time() has them.
std::int64_t unix_ns(double seconds) {
  constexpr double latest = 7e9;
  return seconds > 0 && seconds < latest ? static_cast<std::int64_t>(std::llround(seconds * 1e9))
                                         : 0;
}

struct WindowColumns {
  std::size_t name = 0;
  std::size_t start = 0;
  std::size_t seconds = 0;
  std::map<unsigned, std::size_t> joules;  ///< by GPU
};

Result<WindowColumns> window_columns(const CsvTable& table) {
  WindowColumns columns;
  for (const auto& [name, column] :
       {std::pair{"window_name", &columns.name}, std::pair{"start_time", &columns.start},
        std::pair{"elapsed_time", &columns.seconds}}) {
    const auto found = table.column(name);
    if (!found) return bad_line(table.file, 1, fmt::format("the column '{}' is missing", name));
    *column = *found;
  }
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    if (const auto gpu = gpu_of_column(table.header[i])) columns.joules[*gpu] = i;
  }
  if (columns.joules.empty())
    return bad_line(table.file, 1, "there is no column gpu0_energy, gpu1_energy …");
  return columns;
}

}  // namespace

Result<ImportedExperiment> parse_zeus_windows(std::string_view text, const std::string& file) {
  auto table = parse_csv(text, file);
  if (!table) return table.error();
  const auto columns = window_columns(*table);
  if (!columns) return columns.error();
  ImportedExperiment out = begin_import();
  for (const auto& [gpu, column] : columns->joules)
    add_gpu(out, gpu);
  std::map<std::string, int> seen;
  int without_energy = 0;
  for (const auto& row : table->rows) {
    const auto start = table->number(row, columns->start);
    if (!start) return start.error();
    const auto seconds = table->number(row, columns->seconds);
    if (!seconds) return seconds.error();
    if (!*seconds || !(**seconds > 0))
      return bad_line(file, row.line, "'elapsed_time' must be a positive number");
    RunRecord run;
    run.duration = Seconds(**seconds);
    run.started_unix_ns = unix_ns(start->value_or(0));
    const std::string& name = row.fields[columns->name];
    name_window(run, name);
    run.repeat = seen[name]++;
    for (const auto& [gpu, column] : columns->joules) {
      const auto joules = table->number(row, column);
      if (!joules) return joules.error();
      if (*joules && **joules < 0)
        return bad_line(file, row.line,
                        fmt::format("'{}' must not be negative", table->header[column]));
      // A window shorter than the driver's counter needs to move shows 0 J: nothing was measured.
      if (!*joules || **joules == 0) continue;
      run.energy.push_back(channel_result("gpu" + std::to_string(gpu), "zeus.window", **joules,
                                          **seconds, gain_u95));
    }
    without_energy += run.energy.empty() ? 1 : 0;
    add_run(out, std::move(run));
  }
  if (out.record.runs.empty()) return bad_line(file, 1, "the table has no rows");
  if (const auto first = out.record.runs.front().started_unix_ns; first != 0)
    out.record.started = iso_utc(first);
  out.notes.emplace_back("each window is a run of its own; windows may lie inside each other");
  if (without_energy > 0) {
    out.notes.push_back(fmt::format(
        "windows that show 0 J or nothing, shorter than the driver's counter needs to move: {}",
        without_energy));
  }
  return out;
}

Result<ImportedExperiment> parse_zeus_profile(std::string_view text, const std::string& file) {
  const auto profile = nlohmann::json::parse(text, nullptr, false);
  if (profile.is_discarded())
    return bad_line(file, 1, "not JSON: Zeus writes a profile only when it is complete");
  if (!profile.is_object() || !profile.contains("measurements") ||
      !profile["measurements"].is_array())
    return bad_line(file, 1, "not a profile of Zeus: there is no list 'measurements'");
  ImportedExperiment out = begin_import();
  add_gpu(out, 0);
  for (const auto& entry : profile["measurements"]) {
    std::map<std::string, double> values;
    for (const char* key : {"power_limit", "energy", "time"}) {
      const bool number = entry.is_object() && entry.contains(key) && entry[key].is_number();
      const double value = number ? entry[key].get<double>() : 0;
      if (!(value > 0) || !std::isfinite(value)) {
        return bad_line(file, 1,
                        fmt::format("measurement {}: '{}' must be a positive number",
                                    out.record.runs.size() + 1, key));
      }
      values[key] = value;
    }
    if (values["power_limit"] > highest_limit_w) {
      return bad_line(file, 1,
                      fmt::format("measurement {}: 'power_limit' {:g} is no number of watts",
                                  out.record.runs.size() + 1, values["power_limit"]),
                      "limits are in watts, not in milliwatts");
    }
    RunRecord run;
    run.duration = Seconds(values["time"]);
    run.parameters["workload"] = profiled_work;
    set_power_limit(run, values["power_limit"]);
    run.energy = {
        channel_result("gpu0", "zeus.profile", values["energy"], values["time"], gain_u95)};
    add_run(out, std::move(run));
  }
  if (out.record.runs.empty()) return bad_line(file, 1, "the profile has no measurements");
  out.notes.emplace_back(
      "time and energy are of the steps that Zeus profiled under each limit; with several GPUs "
      "energy is their sum");
  return out;
}

}  // namespace ergo::importing
