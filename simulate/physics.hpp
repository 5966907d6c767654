#pragma once
// The physical model of a GPU as pure functions: what a demand draws and how fast it runs under a
// power limit. Formulas and their limits: docs/developer/simulated-node.md.

#include "preset.hpp"

namespace ergo::sim {

/// What a program wants from the GPU, as shares of what the card can do at its highest clock.
struct Demand {
  double compute = 0.0;       ///< activity of the arithmetic units, 0..1
  double memory = 0.0;        ///< share of the memory bandwidth, 0..1
  double memory_bound = 0.0;  ///< share of the time at full clock that does not shrink or grow with
                              ///< the core clock, 0..1

  [[nodiscard]] bool active() const { return compute > 0.0 || memory > 0.0; }
};

/// What the GPU does with it.
struct OperatingPoint {
  double power_w = 0.0;
  double clock_mhz = 0.0;  ///< as NVML reports it
  double effective_clock_mhz =
      0.0;                    ///< lower than `clock_mhz` beyond the cliff: pulses are skipped
  double duty = 1.0;          ///< effective / reported clock
  bool power_capped = false;  ///< the limit lowered the clock
  bool beyond_cliff = false;  ///< even the floor clock needs more than the limit
};

/// Relative voltage at a clock: 1 at the highest.
double voltage(const Preset& preset, double clock_mhz);

/// Relative switching power f*V^2 at a clock: 1 at the highest.
double switching(const Preset& preset, double clock_mhz);

/// Work per second at a clock, relative to the highest: 1 / ((1 - b) * f_max / f + b), b =
/// memory_bound.
double speed(const Preset& preset, double memory_bound, double effective_clock_mhz);

/// Memory traffic at a clock as a share of the bandwidth: what the demand moves at the highest
/// clock, at the pace at which the work goes on.
double traffic(const Preset& preset, const Demand& demand, double effective_clock_mhz);

/// Board power at a clock, without any limit. `idle_w` is the static power (it may drift with
/// temperature).
double power_at(const Preset& preset, const Demand& demand, double clock_mhz, double idle_w);

/// The operating point under a limit. `attached`: a program holds a context, so clocks stay up
/// between its bursts.
OperatingPoint operate(const Preset& preset, const Demand& demand, bool attached, double limit_w,
                       double idle_w);

}  // namespace ergo::sim
