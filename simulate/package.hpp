#pragma once
// A simulated CPU package with its DRAM: every domain's power is base + slope * activity, so that
// one integral of the activity answers for all of them and the parts can never add up to more than
// the whole.

#include "gpu.hpp"
#include "load.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace ergo::sim {

enum class CpuDomain : std::int32_t { package, core, uncore, dram };
inline constexpr std::size_t kCpuDomains = 4;

struct Package {
  RunningLoad load;
  std::int64_t now_ns = 0;
  std::int64_t start_ns = 0;
  double activity_s = 0.0;  ///< integral of the activity since start_ns
  double gain = 1.0;
  std::uint64_t segments = 0;
  Segment segment;  ///< the last of them
};

/// True power of a domain at an activity of 0..1, W.
double cpu_power_w(CpuDomain domain, double activity);

/// True energy of a domain over `duration_s` with this integral of the activity, J.
double cpu_energy_j(CpuDomain domain, double duration_s, double activity_s);

void start_package(Package& package, const LoadSpec& load, std::int64_t start_ns, SegmentRing ring);

/// As for a GPU: at most `max_events` far, true when it arrived.
bool advance(Package& package, std::int64_t to_ns, SegmentRing ring, int max_events);

}  // namespace ergo::sim
