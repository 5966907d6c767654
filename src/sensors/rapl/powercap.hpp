#pragma once
// RAPL through /sys/class/powercap/intel-rapl:* (AMD's counters stand there too).

#include "sensors/rapl/domain.hpp"

#include <filesystem>

namespace ergo::rapl {

/// Opens the counters of `sysfs`/class/powercap whose channel is not in `skip`.
/// intel-rapl-mmio shows package 0 a second time on client machines: such doubles are dropped.
Found open_powercap(const std::filesystem::path& sysfs, const Facts& facts,
                    const std::set<std::string>& skip);

}  // namespace ergo::rapl
