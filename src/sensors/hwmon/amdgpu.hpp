#pragma once
// One AMD GPU: the energy accumulator of gpu_metrics, the power files of its hwmon folder, and
// metrics.

#include "sensors/hwmon/chip.hpp"
#include "sensors/hwmon/gpu_metrics.hpp"

#include <filesystem>
#include <string>

namespace ergo::hwmon {

class AmdGpuSensor final : public ChipSensor {
 public:
  using ChipSensor::ChipSensor;

  /// Reads the energy accumulator of this open gpu_metrics file as signal `info`. The accumulator
  /// and the clock beside it belong together, so a sample stands at the table's own time, carried
  /// over to CLOCK_MONOTONIC; a table that was already seen yields no sample.
  void add_energy(SignalInfo info, sysfs::Attribute gpu_metrics);

 private:
  Result<void> do_read(const Clock& clock, Batch& out) override;
  void read_energy(const Clock& clock, Batch& out);
  /// The table's time on CLOCK_MONOTONIC, from the read that began and ended at these instants.
  Instant place(std::int64_t table_ns, Instant after);

  std::optional<sysfs::Attribute> gpu_metrics_;
  std::size_t energy_signal_ = 0;
  WrapCounter energy_;
  std::optional<std::int64_t> last_table_ns_;
  std::int64_t offset_ns_ = 0;
  bool complained_ = false;
};

/// Reads one table from an open gpu_metrics file; absent when the file is empty at this instant.
Result<std::optional<GpuMetrics>> read_gpu_metrics(sysfs::Attribute& file);

/// Whether the accumulator counted between two tables what the power reading says, within a factor
/// of eight: some firmware freezes it or counts in another unit (ROCm/amdsmi issue 38). Tables that
/// did not move on, or a power under 5 W, prove nothing. Errors: not_supported with the reason.
Result<void> compare_tables(const GpuMetrics& earlier, const GpuMetrics& later);

/// The same for an open file, looking twice, 30 ms apart. Also not_supported: no accumulator.
Result<void> check_accumulator(sysfs::Attribute& file);

/// The sensor of the card whose PCI device folder is `device`, as gpu`index`; null when it offers
/// nothing to meter, with the reason in `missing`.
std::unique_ptr<Sensor> open_amdgpu(const std::filesystem::path& device,
                                    const std::filesystem::path& hwmon, int index,
                                    Provenance provenance, std::vector<Missing>& missing);

}  // namespace ergo::hwmon
