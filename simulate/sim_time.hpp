#pragma once
// Times of the simulation: nanoseconds of its clock.

#include <cstdint>
#include <limits>

namespace ergo::sim {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

constexpr double seconds(std::int64_t ns) {
  return static_cast<double>(ns) * 1e-9;
}

}  // namespace ergo::sim
