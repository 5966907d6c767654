#include "physics.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::sim {
namespace {

// Beyond the cliff: pulses are skipped down to a quarter, and skipping saves only half of what it
// costs in speed.
constexpr double kLeastDuty = 0.25;
constexpr double kSkippingSaves = 0.5;

double highest_clock_within(const Preset& preset, const Demand& demand, double limit_w,
                            double idle_w) {
  int low = 0;  // steps below the highest clock
  int high = static_cast<int>(std::lround((preset.max_mhz - preset.floor_mhz) / preset.step_mhz));
  while (low < high) {
    const int middle = (low + high) / 2;
    if (power_at(preset, demand, preset.max_mhz - middle * preset.step_mhz, idle_w) <= limit_w) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return preset.max_mhz - low * preset.step_mhz;
}

}  // namespace

double voltage(const Preset& preset, double clock_mhz) {
  const double knee = preset.voltage_knee * preset.max_mhz;
  if (clock_mhz <= knee) return preset.voltage_floor;
  return preset.voltage_floor +
         (1.0 - preset.voltage_floor) * (clock_mhz - knee) / (preset.max_mhz - knee);
}

double switching(const Preset& preset, double clock_mhz) {
  const double v = voltage(preset, clock_mhz);
  return clock_mhz / preset.max_mhz * v * v;
}

double speed(const Preset& preset, double memory_bound, double effective_clock_mhz) {
  const double b = std::clamp(memory_bound, 0.0, 1.0);
  return 1.0 / ((1.0 - b) * preset.max_mhz / effective_clock_mhz + b);
}

double traffic(const Preset& preset, const Demand& demand, double effective_clock_mhz) {
  return demand.memory * speed(preset, demand.memory_bound, effective_clock_mhz);
}

double power_at(const Preset& preset, const Demand& demand, double clock_mhz, double idle_w) {
  const double core =
      switching(preset, clock_mhz) * (preset.clocked_w + preset.compute_w * demand.compute);
  const double memory = preset.memory_w * traffic(preset, demand, clock_mhz);
  return idle_w + core + memory;
}

OperatingPoint operate(const Preset& preset, const Demand& demand, bool attached, double limit_w,
                       double idle_w) {
  OperatingPoint point;
  if (!demand.active()) {
    point.clock_mhz = attached ? preset.max_mhz : preset.idle_mhz;
    point.effective_clock_mhz = point.clock_mhz;
    point.power_w = attached ? idle_w + preset.clocked_w : idle_w;
    return point;
  }
  point.clock_mhz = highest_clock_within(preset, demand, limit_w, idle_w);
  point.power_w = power_at(preset, demand, point.clock_mhz, idle_w);
  point.power_capped = point.clock_mhz < preset.max_mhz;
  if (point.power_w > limit_w) {
    const double moving_w = point.power_w - idle_w;
    point.beyond_cliff = true;
    point.duty = std::clamp((limit_w - idle_w) / moving_w, kLeastDuty, 1.0);
    point.power_w = idle_w + moving_w * (1.0 - kSkippingSaves * (1.0 - point.duty));
  }
  point.effective_clock_mhz = point.clock_mhz * point.duty;
  return point;
}

}  // namespace ergo::sim
