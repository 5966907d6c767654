// Any bytes in place of amdgpu's gpu_metrics table.

#include "sensors/hwmon/gpu_metrics.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto metrics = ergo::hwmon::parse_gpu_metrics({data, size});
  if (!metrics) return 0;
  // What is accepted lies within the table and is no "not available".
  if (size < 40 || metrics->format != 1) std::abort();
  if (metrics->energy_accumulator == ~std::uint64_t{0}) std::abort();
  if (metrics->socket_power_w &&
      (*metrics->socket_power_w < 0 || *metrics->socket_power_w >= 65535))
    std::abort();
  return 0;
}
