#include "store/import/aipowermeter_records.hpp"

#include "ergo/core/parse.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace ergo::importing {
namespace {

using nlohmann::json;

constexpr std::string_view end_of_segment = "END OF RECORDING SEGMENT";

/// One record's values by key.
using Values = std::map<std::string, double>;

/// A number, or the list of one number that a bug of 2021 wrote. Nothing for null and other things
/// without a value.
std::optional<double> number_of(const json& value) {
  if (value.is_array() && value.size() == 1) return number_of(value.front());
  if (!value.is_number()) return std::nullopt;
  const auto number = value.get<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

void take(Values& values, const json& object, const char* key, const std::string& as) {
  if (const auto found = object.find(key); found != object.end()) {
    if (const auto number = number_of(*found)) values[as] = *number;
  }
}

/// {"4242": 0.5, "4243": 0.25} -> the sum under one key.
void take_sum(Values& values, const json& object, const char* key, const std::string& as) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return;
  double sum = 0.0;
  bool any = false;
  for (const auto& item : *found) {
    const auto number = number_of(item);
    sum += number.value_or(0.0);
    any = any || number;
  }
  if (any) values[as] = sum;
}

/// {"0": 88.1, "1": 69.2} -> one key for each, when the names are numbers of GPUs.
void take_each(Values& values, const json& object, const char* key, const std::string& prefix) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return;
  for (const auto& [name, value] : found->items()) {
    const auto index = parse_uint(name);
    const auto number = number_of(value);
    if (index && *index < 1024 && number) values[prefix + "." + std::to_string(*index)] = *number;
  }
}

void take_cpu(Values& values, const json& cpu) {
  for (const char* key :
       {"intel_power", "uncore_power", "total_cpu_power", "total_dram_power", "psys_power"}) {
    take(values, cpu, key, key);
  }
  // -1 is the format's word for "there is none"; a power cannot be negative.
  if (const auto psys = values.find("psys_power"); psys != values.end() && psys->second < 0.0)
    values.erase(psys);
  take_sum(values, cpu, "per_process_cpu_uses", "cpu_use");
  take_sum(values, cpu, "per_process_mem_use_abs", "memory");
}

void take_gpu(Values& values, const json& gpu) {
  take(values, gpu, "nvidia_draw_absolute", "gpu");
  take(values, gpu, "nvidia_power", "gpu");
  take_each(values, gpu, "per_gpu_power_draw", "gpu");
  take_each(values, gpu, "per_gpu_nvidia_power", "gpu");
  take_each(values, gpu, "per_gpu_nvidia_use_rate", "gpu_use");
  take_each(values, gpu, "per_gpu_nvidia_memory", "gpu_memory");
  Values shares;
  take_each(shares, gpu, "per_gpu_absolute_percent_usage", "gpu_use");
  // Called per cent there, but a fraction.
  for (const auto& [key, share] : shares)
    values.emplace(key, share * 100.0);
  const auto memory = gpu.find("per_gpu_attributable_mem_use");
  if (memory == gpu.end() || !memory->is_object()) return;
  for (const auto& [name, per_process] : memory->items()) {
    if (const auto index = parse_uint(name); index && *index < 1024) {
      take_sum(values, *memory, name.c_str(), "gpu_memory." + std::to_string(*index));
    }
  }
}

PowerMetrics::Generation generation_of(const json& metrics) {
  using Generation = PowerMetrics::Generation;
  const auto has = [&](const char* part, std::initializer_list<const char*> keys) {
    const auto found = metrics.find(part);
    if (found == metrics.end()) return false;
    return std::any_of(keys.begin(), keys.end(),
                       [&](const char* key) { return found->contains(key); });
  };
  if (has("gpu", {"nvidia_power", "per_gpu_nvidia_power"}) ||
      has("cpu", {"absolute_cpu_time_per_pid", "rel_intel_power", "total_mem_use"})) {
    return Generation::main;
  }
  if (has("gpu", {"per_gpu_attributable_power", "per_gpu_attributable_mem_use"}) ||
      has("cpu", {"per_process_dram_power"})) {
    return Generation::y2023;
  }
  return Generation::y2021;
}

class Parser {
 public:
  explicit Parser(std::string file) : file_(std::move(file)) {}

  Result<void> line(std::string_view text, int number, bool cut) {
    const json parsed = json::parse(text, nullptr, false);
    if (parsed.is_discarded()) {
      return bad_line(file_, number, cut ? "not JSON: the file was cut off here" : "not JSON",
                      cut ? "delete its last line" : "");
    }
    if (parsed.is_string()) return end(parsed.get_ref<const std::string&>(), number);
    return record(parsed, number);
  }

  Result<PowerMetrics> finish(int lines) {
    close();
    if (metrics_.segments.empty())
      return bad_line(file_, std::max(1, lines), "there are no records in it");
    return std::move(metrics_);
  }

 private:
  Result<void> end(const std::string& text, int number) {
    if (text != end_of_segment)
      return bad_line(file_, number, fmt::format("unexpected text \"{:.40}\"", text));
    close();
    return {};
  }

  Result<void> record(const json& parsed, int number) {
    if (!parsed.is_object())
      return bad_line(file_, number, "not a record: an object with date and metrics is expected");
    const auto date = parsed.find("date");
    const auto metrics = parsed.find("metrics");
    if (date == parsed.end() || !date->is_string())
      return bad_line(file_, number, "the record has no date");
    if (metrics == parsed.end() || !metrics->is_object())
      return bad_line(file_, number, "the record has no metrics");
    const auto at = parse_date(date->get_ref<const std::string&>());
    if (!at)
      return bad_line(file_, number,
                      fmt::format("'{:.40}' is not a date", date->get<std::string>()));
    if (current_.records > 0) {
      if (auto near = check_span(file_, number, current_.first_ns, at->ns); !near) return near;
    }
    if (current_.records > 0 && at->ns < current_.last_ns) {
      ++metrics_.backwards;
      return {};
    }
    Values values;
    if (const auto cpu = metrics->find("cpu"); cpu != metrics->end() && cpu->is_object())
      take_cpu(values, *cpu);
    if (const auto gpu = metrics->find("gpu"); gpu != metrics->end() && gpu->is_object())
      take_gpu(values, *gpu);
    if (current_.records++ == 0) current_.first_ns = at->ns;
    current_.last_ns = at->ns;
    for (const auto& [key, value] : values)
      current_.series[key].emplace_back(at->ns, value);
    metrics_.generation = std::max(metrics_.generation, generation_of(*metrics));
    return {};
  }

  void close() {
    if (current_.records > 0) metrics_.segments.push_back(std::move(current_));
    current_ = Segment{};
  }

  std::string file_;
  PowerMetrics metrics_;
  Segment current_;
};

}  // namespace

Result<PowerMetrics> parse_power_metrics(std::string_view text, const std::string& file) {
  Parser parser(file);
  int number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty()) continue;
    if (auto done = parser.line(line, number, end == std::string_view::npos); !done)
      return done.error();
  }
  return parser.finish(number);
}

Result<std::map<std::string, Series>> parse_omegawatt(std::string_view text,
                                                      const std::string& file) {
  // The last row is half written more often than not: the recorder is killed.
  if (const auto end = text.rfind('\n'); end != std::string_view::npos)
    text = text.substr(0, end + 1);
  auto table = parse_csv(text, file, 1);
  if (!table) return table.error();
  const auto time = table->column("#timestamp");
  const auto good = table->column("#frame_is_ok");
  if (!time || !good) {
    return bad_line(file, 2, "the columns #timestamp and #frame_is_ok are missing");
  }
  std::map<std::string, Series> powers;
  for (std::size_t column = 0; column < table->header.size(); ++column) {
    const std::string& name = table->header[column];
    if (!name.starts_with("#activepow")) continue;
    Series series;
    for (const auto& row : table->rows) {
      if (row.fields[*good] != "true" && row.fields[*good] != "True") continue;
      auto seconds = table->number(row, *time);
      if (!seconds) return seconds.error();
      auto watts = table->number(row, column);
      if (!watts) return watts.error();
      if (!*seconds || !*watts) continue;
      if (**seconds < 0.0 || **seconds > 7e9)
        return bad_line(file, row.line, "the timestamp is not one in seconds");
      const auto ns = static_cast<std::int64_t>(std::llround(**seconds * 1e9));
      const auto first_ns = series.empty() ? ns : series.front().first;
      if (auto near = check_span(file, row.line, first_ns, ns); !near) return near.error();
      series.emplace_back(ns, **watts);
    }
    const bool used =
        std::any_of(series.begin(), series.end(), [](const auto& s) { return s.second != 0.0; });
    if (used) powers.emplace(name.substr(1), std::move(series));
  }
  return powers;
}

Result<std::vector<double>> parse_latencies(std::string_view text, const std::string& file,
                                            bool json_array) {
  std::vector<double> latencies;
  if (json_array) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_array()) return bad_line(file, 1, "not a JSON array of latencies");
    for (const auto& item : parsed) {
      const auto number = number_of(item);
      if (!number) return bad_line(file, 1, "an element of the array is not a number");
      latencies.push_back(*number);
    }
    return latencies;
  }
  int number = 0;
  for (const auto line : split(text, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    const auto value = parse_double(line);
    if (!value) return bad_line(file, number, fmt::format("'{:.40}' is not a number", trim(line)));
    latencies.push_back(*value);
  }
  return latencies;
}

}  // namespace ergo::importing
