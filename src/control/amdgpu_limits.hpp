#pragma once
// Power caps of AMD's cards: the files power1_cap, _min, _max and _default of amdgpu's hwmon
// folder, in microwatts (kernel documentation, gpu/amdgpu/thermal).

#include "control/card.hpp"

#include <vector>

namespace ergo::control {

/// Every AMD card that the kernel shows. Numbers go on after NVIDIA's, of which NVML shows
/// `nvidia_gpus`.
std::vector<Card> find_amd_cards(const Environment& environment, unsigned nvidia_gpus);

}  // namespace ergo::control
