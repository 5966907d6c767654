#pragma once

#include "ergo/sensors/registry.hpp"

namespace ergo::nvml {

void discover(const DiscoveryContext& context, Discovery& so_far);

}  // namespace ergo::nvml
