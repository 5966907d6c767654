#pragma once
// What the tables of export_csv.cpp and model_table.cpp tell of a run.

#include "ergo/store/records.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::report {

std::string workload_of(const ExperimentRecord& record, const RunRecord& run);
/// "batch=8 size=112"; a parameter called config stands for itself.
std::string config_of(const RunRecord& run);
bool is_gpu(const ChannelEnergy& energy);
std::vector<const GpuIdentity*> gpus_of(const ExperimentRecord& record, const RunRecord& run);
/// "Tesla V100", "2x Tesla V100", "Tesla V100 + Tesla T4".
std::string gpu_name(const ExperimentRecord& record, const RunRecord& run);
/// The limit of one GPU, the lowest where they differ: enforced during the run, else found when the
/// experiment began.
std::optional<Watts> limit_of(const ExperimentRecord& record, const RunRecord& run);
/// What all GPUs of the run together may draw: models compare it with their summed power.
std::optional<Watts> joint_limit_of(const ExperimentRecord& record, const RunRecord& run);
std::string_view status_of(const RunRecord& run);

/// What one item, or the whole run where nothing was counted, cost.
struct PerItem {
  std::optional<std::int64_t> count;
  Seconds time{0.0};
  const std::vector<ChannelEnergy>* energy = nullptr;
  const EnergyTotal* total = nullptr;
  [[nodiscard]] double divisor() const { return count ? static_cast<double>(*count) : 1.0; }
};
PerItem per_item(const RunRecord& run);

}  // namespace ergo::report
