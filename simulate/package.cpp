#include "package.hpp"

#include <algorithm>

namespace ergo::sim {
namespace {

struct Line {
  double base_w;
  double slope_w;
};

// A server package of about 125 W. core + uncore < package: the rest is the fabric nobody meters on
// its own.
constexpr std::array<Line, kCpuDomains> kLines{{{18.0, 95.0}, {4.0, 85.0}, {6.0, 2.0}, {3.0, 9.0}}};

const Line& line(CpuDomain domain) {
  return kLines[static_cast<std::size_t>(domain)];
}

}  // namespace

double cpu_power_w(CpuDomain domain, double activity) {
  return line(domain).base_w + line(domain).slope_w * activity;
}

double cpu_energy_j(CpuDomain domain, double duration_s, double activity_s) {
  return line(domain).base_w * duration_s + line(domain).slope_w * activity_s;
}

void start_package(Package& package, const LoadSpec& load, std::int64_t start_ns,
                   SegmentRing ring) {
  package.now_ns = package.start_ns = start_ns;
  package.load = start_load(load, start_ns);
  package.segment = {start_ns, package.load.now.compute, 0.0};
  append_segment(ring, package.segments, package.segment);
}

bool advance(Package& package, std::int64_t to_ns, SegmentRing ring, int max_events) {
  while (package.now_ns < to_ns) {
    if (max_events-- <= 0) return false;
    package.now_ns = std::min(to_ns, package.load.next_edge_ns);
    const Segment& last = package.segment;
    package.activity_s =
        last.before + last.level * static_cast<double>(package.now_ns - last.start_ns) * 1e-9;
    if (package.now_ns < package.load.next_edge_ns) break;
    pass_edge(package.load);
    if (package.load.now.compute == last.level) continue;
    package.segment = {package.now_ns, package.load.now.compute, package.activity_s};
    append_segment(ring, package.segments, package.segment);
  }
  return true;
}

}  // namespace ergo::sim
