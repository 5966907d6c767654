#pragma once

#include "ergo/sensors/registry.hpp"

namespace ergo::rapl {

void discover(const DiscoveryContext& context, Discovery& so_far);

}  // namespace ergo::rapl
