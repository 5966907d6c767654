#pragma once

#include "ergo/sensors/registry.hpp"

namespace ergo::estimate {

void discover(const DiscoveryContext& context, Discovery& so_far);

}  // namespace ergo::estimate
