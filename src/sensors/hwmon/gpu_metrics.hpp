#pragma once
// amdgpu's binary file gpu_metrics (linux, drivers/gpu/drm/amd/include/kgd_pp_interface.h).

#include "ergo/core/result.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace ergo::hwmon {

struct GpuMetrics {
  int format = 0;   ///< 1: discrete GPUs
  int content = 0;  ///< revision
  /// Units of 2^-16 J since driver load.
  std::optional<std::uint64_t> energy_accumulator;
  /// Nanoseconds on the driver's clock (CLOCK_BOOTTIME) at which the table was taken.
  std::optional<std::uint64_t> system_clock_ns;
  std::optional<double> socket_power_w;
};

inline constexpr double joules_per_accumulator_step = 1.0 / 65536;

/// Little-endian fields; all-ones fields are absent. Errors: corrupt (truncated, sizes that
/// contradict each other), not_supported (APU formats 2.x and later, which carry no energy).
Result<GpuMetrics> parse_gpu_metrics(std::span<const unsigned char> bytes);

}  // namespace ergo::hwmon
