#include "sensors/hwmon/gpu_metrics.hpp"

#include <fmt/format.h>

namespace ergo::hwmon {
namespace {

constexpr std::size_t header_size = 4;
constexpr std::size_t energy_offset = 24;
constexpr std::size_t clock_offset = 32;
constexpr std::size_t needed = 40;

std::uint64_t little_endian(std::span<const unsigned char> bytes, std::size_t offset,
                            std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = (value << 8U) | bytes[offset + i];
  return value;
}

std::optional<std::uint64_t> field64(std::span<const unsigned char> bytes, std::size_t offset) {
  const std::uint64_t value = little_endian(bytes, offset, 8);
  if (value == ~std::uint64_t{0}) return std::nullopt;
  return value;
}

}  // namespace

Result<GpuMetrics> parse_gpu_metrics(std::span<const unsigned char> bytes) {
  if (bytes.size() < header_size) {
    return Error{Errc::corrupt, fmt::format("gpu_metrics has only {} bytes", bytes.size()), {}};
  }
  GpuMetrics metrics;
  const std::size_t stated = little_endian(bytes, 0, 2);
  metrics.format = bytes[2];
  metrics.content = bytes[3];
  // Revision 1.0 has its fields elsewhere; 1.4 to 1.8 differ from 1.1 to 1.3 only in where the
  // power is.
  if (metrics.format != 1 || metrics.content < 1 || metrics.content > 8) {
    return Error{Errc::not_supported,
                 fmt::format("gpu_metrics {}.{} carries no energy that is known here",
                             metrics.format, metrics.content),
                 {}};
  }
  if (stated < needed || stated > bytes.size()) {
    return Error{Errc::corrupt,
                 fmt::format("gpu_metrics states {} bytes and has {}", stated, bytes.size()),
                 {}};
  }
  const std::uint64_t power = little_endian(bytes, metrics.content <= 3 ? 22 : 10, 2);
  if (power != 0xffff) metrics.socket_power_w = static_cast<double>(power);
  metrics.energy_accumulator = field64(bytes, energy_offset);
  metrics.system_clock_ns = field64(bytes, clock_offset);
  return metrics;
}

}  // namespace ergo::hwmon
