#include "report/export_fields.hpp"

#include "ergo/experiment/sweep.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>

namespace ergo::report {

std::string workload_of(const ExperimentRecord& record, const RunRecord& run) {
  if (const auto named = run.parameters.find("workload"); named != run.parameters.end())
    return named->second;
  if (!record.name.empty()) return record.name;
  return record.command.empty() ? std::string()
                                : std::filesystem::path(record.command.front()).filename().string();
}

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

std::optional<Watts> limit_of(const ExperimentRecord& record, const RunRecord& run) {
  if (run.power_limit) return run.power_limit;
  std::optional<Watts> lowest;
  for (const auto* gpu : gpus_of(record, run)) {
    const Watts limit(gpu->power_limit_w);
    if (limit > Watts(0.0) && (!lowest || limit < *lowest)) lowest = limit;
  }
  return lowest;
}

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

PerItem per_item(const RunRecord& run) {
  if (run.items && run.items->count > 0) {
    const auto& items = *run.items;
    return {items.count, items.duration / static_cast<double>(items.count), &items.energy,
            &items.total};
  }
  return {std::nullopt, run.duration, &run.energy, &run.total};
}

}  // namespace ergo::report
