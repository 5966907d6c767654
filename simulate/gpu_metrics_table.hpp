#pragma once
// amdgpu's binary file gpu_metrics, as linux/drivers/gpu/drm/amd/include/kgd_pp_interface.h lays it
// out.

#include <cstdint>
#include <string>

namespace ergo::sim {

/// A table of format 1 and the given content revision: 3 (discrete cards) or 4 (MI300). Fields that
/// the simulation does not know are all ones, which means "not available".
std::string gpu_metrics_table(int revision, double energy_j, double power_w, std::int64_t clock_ns);

}  // namespace ergo::sim
