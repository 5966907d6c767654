// Any text in place of /proc/cpuinfo, of a CPU's model name and of /proc/stat.

#include "sensors/cpuinfo.hpp"
#include "sensors/estimate/estimate.hpp"
#include "sensors/estimate/tdp.hpp"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ergo::CpuInfo cpu = ergo::parse_cpuinfo(text);
  const double watts = ergo::estimate::busy_power(cpu).watts;
  if (!std::isfinite(watts) || watts <= 0) std::abort();
  if (const auto row = ergo::estimate::find_tdp(text);
      row && (row->watts <= 0 || row->threads <= 0))
    std::abort();
  if (const auto ticks = ergo::estimate::parse_stat(text);
      ticks && !(ticks->busy >= 0 && ticks->total >= ticks->busy)) {
    std::abort();
  }
  return 0;
}
