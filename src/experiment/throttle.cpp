#include "ergo/experiment/runner.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace ergo {
namespace {

struct Reason {
  std::uint64_t bit;
  std::string_view name;
};

constexpr std::array reasons{
    Reason{0x04, "sw_power_cap"},
    Reason{0x08, "hw_slowdown"},
    Reason{0x10, "sync_boost"},
    Reason{0x20, "sw_thermal_slowdown"},
    Reason{0x40, "hw_thermal_slowdown"},
    Reason{0x80, "hw_power_brake_slowdown"},
    Reason{0x100, "display_clock_setting"},
};

}  // namespace

std::vector<std::string> throttle_reasons(std::uint64_t mask) {
  std::vector<std::string> names;
  for (const Reason& reason : reasons) {
    if ((mask & reason.bit) != 0) names.emplace_back(reason.name);
  }
  return names;
}

std::optional<double> power_capped(const RunRecord& run) {
  std::optional<double> share;
  for (const GaugeSummary& metric : run.metrics) {
    if (metric.name.ends_with(power_capped_suffix))
      share = std::max(share.value_or(0), metric.mean);
  }
  return share;
}

}  // namespace ergo
