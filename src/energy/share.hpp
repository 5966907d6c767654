#pragma once
// The measured program's share of a device. Internal to energy/.

#include "ergo/energy/measure.hpp"

#include <optional>
#include <string>

namespace ergo::energy_detail {

/// CPU time of the process tree over that of the whole machine in the window; absent when either
/// was not read.
std::optional<double> cpu_share(const Timeline& timeline, Window window,
                                const MeasureOptions& options);

/// Mean of the gauge `device` + suffix over the window. The whole when it was not read, since then
/// nobody else is known to compute there; absent when processes are told apart, none was ever seen
/// on the device, and it was at rest.
std::optional<double> gpu_share(const Timeline& timeline, Window window,
                                const MeasureOptions& options, const std::string& device);

}  // namespace ergo::energy_detail
