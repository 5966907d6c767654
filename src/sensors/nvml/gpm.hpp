#pragma once
// GPU performance monitoring of Hopper and later: how busy the parts of the chip are.

#include "sensors/nvml/library.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string_view>

namespace ergo::nvml {

struct GpmMetricName {
  unsigned id;
  std::string_view name;  ///< after "gpuN."
};

/// All are percentages.
inline constexpr std::array gpm_metrics{
    GpmMetricName{abi::gpm::sm_util, "sm_activity"},
    GpmMetricName{abi::gpm::sm_occupancy, "sm_occupancy"},
    GpmMetricName{abi::gpm::any_tensor, "tensor_activity"},
    GpmMetricName{abi::gpm::dram_bw_util, "dram_activity"},
};

/// Differences between two snapshots of one device. Ask at most every 200 ms: the driver renews
/// them about every 100 ms.
class GpmReader {
 public:
  /// Nothing when the device or the driver has no GPM.
  static std::unique_ptr<GpmReader> open(std::shared_ptr<const Library> library,
                                         abi::Device device);
  GpmReader(const GpmReader&) = delete;
  GpmReader& operator=(const GpmReader&) = delete;
  ~GpmReader();

  /// The mean of each of `gpm_metrics` since the last call, where the driver gave one; nothing at
  /// the first call.
  std::array<std::optional<double>, gpm_metrics.size()> read();
  /// The last failure, to notice a lost device.
  [[nodiscard]] abi::Return status() const { return status_; }

 private:
  GpmReader(std::shared_ptr<const Library> library, abi::Device device);

  std::shared_ptr<const Library> library_;
  abi::Device device_;
  abi::GpmSample older_ = nullptr;
  abi::GpmSample newer_ = nullptr;
  bool have_older_ = false;
  abi::Return status_ = abi::success;
  abi::GpmMetricsGet request_{};
};

}  // namespace ergo::nvml
