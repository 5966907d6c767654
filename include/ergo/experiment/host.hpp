#pragma once
// Who measured: the machine's name, processor and kernel.

#include "ergo/core/environment.hpp"
#include "ergo/store/records.hpp"

#include <vector>

namespace ergo {

HostRecord describe_host(const Environment& environment, std::vector<GpuIdentity> gpus);

}  // namespace ergo
