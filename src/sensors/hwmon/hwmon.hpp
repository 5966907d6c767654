#pragma once

#include "ergo/sensors/registry.hpp"

namespace ergo::hwmon {

void discover(const DiscoveryContext& context, Discovery& so_far);

}  // namespace ergo::hwmon
