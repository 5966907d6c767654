#pragma once
// Which GPUs are measured: `--gpus`, or what CUDA_VISIBLE_DEVICES shows.

#include "ergo/sensors/registry.hpp"
#include "sensors/nvml/library.hpp"

#include <string>
#include <vector>

namespace ergo::nvml {

/// A GPU that was chosen. The index is NVML's (the order of PCI addresses), as in "gpu0".
struct Board {
  unsigned index = 0;
  abi::Device device = nullptr;
  std::string uuid;
};

/// The chosen GPUs in order of index, each once. Choices that cannot be honoured go to
/// `so_far.missing`, doubts about what CUDA's indices mean to `so_far.warnings`. GPUs that are not
/// chosen are asked for their handle and UUID, and only when a UUID has to be found; indices touch
/// nothing else.
std::vector<Board> select_boards(const Library& library, const DiscoveryContext& context,
                                 Discovery& so_far);

/// CUDA_VISIBLE_DEVICES is set and shows nothing ("" or starting with an invalid entry such as "-1"
/// or "NoDevFiles").
bool cuda_shows_nothing(const Environment& environment);

/// PCI device ids ("0x1db1") of the NVIDIA display and compute devices on the bus, by sysfs, which
/// wakes none of them.
std::vector<std::string> nvidia_devices_on_bus(const Environment& environment);

}  // namespace ergo::nvml
