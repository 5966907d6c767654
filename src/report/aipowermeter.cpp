#include "ergo/report/aipowermeter.hpp"

#include "ergo/core/files.hpp"
#include "ergo/energy/measure.hpp"
#include "ergo/report/format.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

namespace ergo::report {
namespace {

using Json = nlohmann::ordered_json;

/// The parts of the machine that the format has a place for.
enum class Part { none, gpu, package, core, uncore, dram, psys };

Part part_of(const ChannelEnergy& energy) {
  if (energy.provenance == Provenance::estimated) return Part::none;
  if (energy.domain == Domain::gpu && energy.in_total) return Part::gpu;
  if (energy.domain == Domain::dram && energy.in_total) return Part::dram;
  if (energy.domain == Domain::cpu && energy.in_total) return Part::package;
  const std::string_view channel = energy.channel;
  if (channel.starts_with("core")) return Part::core;
  if (channel.starts_with("uncore")) return Part::uncore;
  if (channel.starts_with("psys")) return Part::psys;
  return Part::none;
}

/// "2026-03-06 10:00:02.100000": local time, as Python's str(datetime.now()).
std::string local_date(std::int64_t unix_ns) {
  const auto us = unix_ns / 1000;
  const auto seconds = static_cast<std::time_t>(us / 1'000'000);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     us % 1'000'000);
}

/// A gauge as it stood at `t`: the last reading, or the first one when there was none before.
std::optional<double> gauge_at(const Timeline& timeline, const std::string& name, Instant t) {
  const auto id = timeline.find(name);
  if (!id) return std::nullopt;
  std::optional<double> value;
  timeline.visit(*id, t, t, [&](const Sample& sample) {
    if (!value || sample.time <= t) value = sample.value;
  });
  return value;
}

/// A cumulative signal at `t`, between readings in proportion to time.
std::optional<double> counter_at(const Timeline& timeline, const std::string& name, Instant t) {
  const auto id = timeline.find(name);
  if (!id) return std::nullopt;
  std::optional<Sample> before;
  std::optional<Sample> after;
  timeline.visit(*id, t, t, [&](const Sample& sample) {
    if (sample.time <= t) before = sample;
    if (sample.time >= t && !after) after = sample;
  });
  if (!before || !after) return before ? std::optional(before->value) : std::nullopt;
  if (before->time == after->time) return before->value;
  const double share = (t - before->time) / (after->time - before->time);
  return before->value + share * (after->value - before->value);
}

std::optional<double> counted(const Timeline& timeline, const std::string& name, Window window) {
  const auto from = counter_at(timeline, name, window.begin);
  const auto to = counter_at(timeline, name, window.end);
  if (!from || !to) return std::nullopt;
  return *to - *from;
}

/// Their rule for levels: the mean of the two ends of an interval.
std::optional<double> level(const Timeline& timeline, const std::string& name, Window window) {
  const auto from = gauge_at(timeline, name, window.begin);
  const auto to = gauge_at(timeline, name, window.end);
  if (!from || !to) return std::nullopt;
  return (*from + *to) / 2.0;
}

/// 2 s as theirs, less for short runs.
Seconds period_for(Seconds duration) {
  constexpr Seconds theirs{2.0};
  constexpr Seconds shortest{0.1};
  constexpr double records = 10;
  return std::clamp(duration / records, shortest, theirs);
}

class Writer {
 public:
  Writer(const RunRecord& run, const Timeline& timeline, const AipowermeterOptions& options)
      : run_(run),
        timeline_(timeline),
        options_(options),
        period_(options.period.value_or(period_for(run.duration))) {
    const Window whole{run.begin, run.begin + run.duration};
    for (const auto& energy : measure(timeline, whole).channels) {
      if (const Part part = part_of(energy); part != Part::none)
        channels_[part].insert(energy.channel);
    }
  }

  [[nodiscard]] bool has_anything() const {
    return channels_.contains(Part::package) || channels_.contains(Part::gpu);
  }

  /// All records and the line that closes them.
  [[nodiscard]] std::string lines() const {
    std::string text;
    // A rest of less than half a period belongs to the record before it: no joule is left out.
    const auto records = std::max(1LL, std::llround(run_.duration.value() / period_.value()));
    for (long long i = 0; i < records; ++i) {
      const Instant from = run_.begin + period_ * static_cast<double>(i);
      const Instant to = i + 1 == records ? run_.begin + run_.duration
                                          : run_.begin + period_ * static_cast<double>(i + 1);
      text += record({from, to}).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
    return text + "\"END OF RECORDING SEGMENT\"\n";
  }

 private:
  [[nodiscard]] Json record(Window window) const {
    std::map<Part, std::map<std::string, double>> power;
    for (const auto& energy : measure(timeline_, window).channels) {
      const Part part = part_of(energy);
      if (part != Part::none) power[part][energy.channel] = energy.mean.value();
    }
    // A sum with a missing part would be a wrong number: then it is absent.
    std::erase_if(power, [&](const auto& entry) {
      const auto all = channels_.find(entry.first);
      return all == channels_.end() || all->second.size() != entry.second.size();
    });
    Json metrics;
    metrics["temperature"] = Json::object();
    if (power.contains(Part::package)) metrics["cpu"] = cpu(power, window);
    if (power.contains(Part::gpu)) metrics["gpu"] = gpu(power[Part::gpu], window);
    const std::int64_t date = run_.started_unix_ns + (window.end.ns - run_.begin.ns);
    return Json{{"date", local_date(date)}, {"metrics", std::move(metrics)}};
  }

  static double sum(const std::map<std::string, double>& values) {
    double total = 0.0;
    for (const auto& [name, value] : values)
      total += value;
    return total;
  }

  [[nodiscard]] Json cpu(const std::map<Part, std::map<std::string, double>>& power,
                         Window window) const {
    const std::string pid = std::to_string(options_.pid);
    const auto own = counted(timeline_, "process.cpu_time", window);
    const auto all = counted(timeline_, "machine.cpu_time", window);
    std::optional<double> share;
    if (own && all) share = *all > 0.0 ? std::clamp(*own / *all, 0.0, 1.0) : 0.0;
    Json cpu;
    if (share) cpu["per_process_cpu_uses"][pid] = *share;
    if (own) cpu["absolute_cpu_time_per_pid"][pid] = *own;
    auto memory = level(timeline_, "process.memory_pss", window);
    if (!memory) memory = level(timeline_, "process.memory_rss", window);
    const auto machine_memory = level(timeline_, "machine.memory_used", window);
    if (memory) cpu["per_process_mem_use_abs"][pid] = std::llround(*memory);
    if (memory && machine_memory && *machine_memory > 0.0)
      cpu["per_process_mem_use_percent"][pid] = *memory / *machine_memory;
    if (machine_memory) cpu["total_mem_use"] = std::llround(*machine_memory);
    const auto watts = [&](Part part) -> std::optional<double> {
      const auto found = power.find(part);
      return found == power.end() ? std::nullopt : std::optional(sum(found->second));
    };
    const auto package = watts(Part::package);
    const auto core = watts(Part::core);
    cpu["intel_power"] = package.value_or(0.0);
    // The format's own word for "there is none".
    cpu["psys_power"] = watts(Part::psys) ? Json(*watts(Part::psys)) : Json(-1);
    if (const auto dram = watts(Part::dram)) cpu["total_dram_power"] = *dram;
    if (core) cpu["total_cpu_power"] = *core;
    if (const auto uncore = watts(Part::uncore)) cpu["uncore_power"] = *uncore;
    if (share) cpu["rel_intel_power"][pid] = *share * package.value_or(0.0);
    if (share && core) cpu["per_process_cpu_power"][pid] = *share * *core;
    if (const auto uss = level(timeline_, "process.memory_uss", window))
      cpu["per_process_mem_use_uss"][pid] = std::llround(*uss);
    return cpu;
  }

  [[nodiscard]] Json gpu(const std::map<std::string, double>& power, Window window) const {
    std::map<int, std::string> numbered;
    for (const auto& [channel, watts] : power) {
      const int number = std::atoi(channel.c_str() + std::min<std::size_t>(3, channel.size()));
      numbered.emplace(number, channel);
    }
    Json watts = Json::object();
    for (const auto& [number, channel] : numbered)
      watts[std::to_string(number)] = power.at(channel);
    const auto memory = levels(numbered, ".memory_used", window);
    const auto use = levels(numbered, ".sm_utilization", window);
    Json gpu;
    gpu["nvidia_power"] = sum(power);
    // Their reader wants these keys. Null and boards that are left out are unknown to it, too.
    gpu["nvidia_memory"] = memory.sum ? Json(*memory.sum) : Json();
    gpu["per_gpu_nvidia_power"] = std::move(watts);
    gpu["per_gpu_nvidia_use_rate"] = use.boards;
    gpu["per_gpu_nvidia_memory"] = memory.boards;
    gpu["nvidia_use_rate"] =
        use.sum ? Json(*use.sum / static_cast<double>(numbered.size())) : Json();
    return gpu;
  }

  struct Levels {
    Json boards = Json::object();
    std::optional<double> sum;  ///< absent when one board does not tell
  };

  [[nodiscard]] Levels levels(const std::map<int, std::string>& numbered, const char* gauge,
                              Window window) const {
    Levels levels;
    double sum = 0.0;
    for (const auto& [number, channel] : numbered) {
      const auto value = level(timeline_, channel + gauge, window);
      if (!value) continue;
      levels.boards[std::to_string(number)] = *value;
      sum += *value;
    }
    if (levels.boards.size() == numbered.size()) levels.sum = sum;
    return levels;
  }

  const RunRecord& run_;
  const Timeline& timeline_;
  const AipowermeterOptions& options_;
  Seconds period_;
  std::map<Part, std::set<std::string>> channels_;
};

Result<void> write_side_files(const std::filesystem::path& folder, const RunRecord& run,
                              const AipowermeterOptions& options) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return system_error("cannot make the folder " + folder.string(), failed.value());
  Json metadata{{"description", options.description}, {"date", local_date(run.started_unix_ns)}};
  // A key that their reader does not look at, so that ergo import keeps the label.
  if (provenance_of_total(run.energy) == Provenance::simulated)
    metadata["provenance"] = "simulated";
  auto done =
      write_text_atomically(folder / "metadata.json",
                            metadata.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (!done) return done;
  if (run.latencies_s.empty()) {
    std::filesystem::remove(folder / "latency.csv", failed);
    return {};
  }
  std::string latencies;
  for (const double latency : run.latencies_s)
    latencies += fmt::format("{:.18e}\n", latency);
  return write_text_atomically(folder / "latency.csv", latencies);
}

}  // namespace

std::filesystem::path aipowermeter_folder(const std::filesystem::path& base, const RunRecord& run) {
  if (run.parameters.empty()) return base;
  std::string values;
  for (const auto& [name, value] : run.parameters) {
    if (!values.empty()) values += '-';
    for (const char c : value) {
      const bool unsafe = c == '/' || c == '_' || static_cast<unsigned char>(c) < ' ';
      values += unsafe ? '-' : c;
    }
  }
  return base / ("input_" + values) / ("run_" + std::to_string(run.repeat));
}

Result<void> write_aipowermeter(const std::filesystem::path& folder, const RunRecord& run,
                                const Timeline& timeline, const AipowermeterOptions& options) {
  if (options.period && !(options.period->value() > 0.0))
    return Error{Errc::invalid_argument, "the period of AIPowerMeter records must be positive", {}};
  if (auto done = write_side_files(folder, run, options); !done) return done;
  const Writer writer(run, timeline, options);
  if (!writer.has_anything()) {
    std::error_code ignored;
    std::filesystem::remove(folder / "power_metrics.json", ignored);
    return Error{Errc::not_supported,
                 "no CPU or GPU power was measured, and AIPowerMeter's format has no place for "
                 "estimates: power_metrics.json is not written",
                 "ergo sensors tells what can be unlocked here"};
  }
  return write_text_atomically(folder / "power_metrics.json", writer.lines());
}

}  // namespace ergo::report
