#pragma once
// What the kernel's drivers show under /sys: AMD and Intel GPUs, power meters of boards, and the
// battery.
//
//   | device                     | channel              | source                   | in the total |
//   |----------------------------|----------------------|--------------------------|--------------|
//   | AMD GPU                    | gpuN                 | amdgpu.energy,           | yes          |
//   |                            |                      | .power_average, .power   |              |
//   | Intel GPU (i915, xe)       | gpuN                 | i915.energy, xe.energy   | yes          |
//   | ACPI power meter           | node                 | acpi.power_meter         | no           |
//   |   on Grace: by its label   | cpuN, moduleN, …     | acpi.power_meter         | cpuN only    |
//   | amd_energy, package        | cpuN, unless metered | hwmon.amd_energy         | yes          |
//   | INA2xx, INA3221, any other | CHIP.LABEL, node (*) | hwmon.energy, .power     | no           |
//   | laptop battery             | battery              | battery.power            | no           |
//
// (*) when the label says that it is the whole machine (VDD_IN, "power total", "system").
// GPU numbers go on after NVIDIA's. `--gpus` selects by number, or by the start of
// "GPU-<unique_id>"; the variable CUDA_VISIBLE_DEVICES speaks of NVIDIA GPUs only. A GPU that
// sleeps is not read, because reading would wake it. The battery is a channel only while it
// discharges: on mains its flow is not the machine's.

#include "ergo/sensors/registry.hpp"

namespace ergo::hwmon {

void discover(const DiscoveryContext& context, Discovery& so_far);

}  // namespace ergo::hwmon
