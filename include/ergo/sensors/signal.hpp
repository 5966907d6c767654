#pragma once
// What a sensor yields: signals. A signal is one number that can be read again and again, with
// everything that is needed to judge it: the device it belongs to, the unit, where it comes from
// and how the hardware makes it.

#include "ergo/core/clock.hpp"
#include "ergo/core/units.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace ergo {

/// Which part of the machine a channel meters. `node` overlaps the others (whole machine, battery).
enum class Domain { gpu, cpu, dram, node };

/// How a number came to be. Measured and estimated joules are never added up.
enum class Provenance {
  measured,   ///< a device counter or a meter
  derived,    ///< computed from measured numbers (a share of a package, a difference)
  estimated,  ///< a model of utilisation
  simulated,  ///< the simulated node; everything that rests on it
};

std::string_view name_of(Domain domain);  ///< "gpu", "cpu", "dram", "node"
std::string_view name_of(
    Provenance provenance);  ///< "measured", "derived", "estimated", "simulated"

enum class SignalKind {
  energy,    ///< J, cumulative since the sensor was opened, never falls (the backend undoes wraps)
  power,     ///< W
  cpu_time,  ///< s, cumulative, never falls
  gauge,     ///< a level in `unit`: %, B, MHz, °C, or a share 0..1 with unit "1"
  counter,   ///< cumulative in `unit`, never falls (bytes read, nanoseconds throttled)
  flags,     ///< a bit mask below 2^53
};

/// How the hardware makes a power or energy value. Decides how the value is integrated and its
/// error budget.
struct PowerTraits {
  /// How often the hardware renews the value; 0 when each read gives a fresh one, or values that
  /// bear the time at which they were made.
  Seconds update_period{0.0};
  /// A power value at time t is the mean over [t - averaging_window, t]; 0 for an instantaneous
  /// value. An energy counter has 0.
  Seconds averaging_window{0.0};
  /// The value follows the power like a capacitor with a time constant of averaging_window / 2 (the
  /// same mean delay) in place of a mean over averaging_window.
  bool low_pass = false;
  /// Share of each update period that the sensor really looks at (A100, H100: 0.25). 1 = sees
  /// everything.
  double sampled_fraction = 1.0;
  /// The smallest step of an energy counter, J; 0 when unknown or irrelevant.
  Joules quantum{0.0};
  /// Half-width of the 95 % interval of the gain, relative (0.05 = ±5 %). The gain is a property of
  /// the device: it does not average out over time or repeats.
  double gain_u95 = 0.0;
  /// For a gain that errs more to one side (estimates): the ends of its 95 % interval relative to
  /// the value, as in -0.5 and +1.0. Both 0: symmetric, ±gain_u95.
  double gain_low = 0.0;
  double gain_high = 0.0;
  /// Sensors of one kind ("nvml board sensor", "rapl") err alike: their gain errors add linearly.
  /// Different kinds are independent.
  std::string gain_kind;
  /// Where update_period, averaging_window and gain come from ("table: Volta, driver 535",
  /// "probed", "assumed").
  std::string basis;
};

/// One signal. `name` is unique on a machine.
struct SignalInfo {
  /// "nvml.total_energy@gpu0" for energy and power (source@channel); "gpu0.sm_utilization" for
  /// metrics.
  std::string name;
  SignalKind kind = SignalKind::gauge;
  std::string unit;

  // Energy and power signals only.
  std::string channel;  ///< "gpu0", "cpu0", "dram0", "node", "battery", "core0", …
  Domain domain = Domain::node;
  std::string device;  ///< "gpu0"; for packages "cpu0"
  std::string source;  ///< "nvml.total_energy"
  Provenance provenance = Provenance::measured;
  /// The channel counts towards the total. False for channels that overlap another (core, psys,
  /// node, battery) and for metrics.
  bool in_total = false;
  /// Among the signals of one channel the lowest rank gives the joules, the others are
  /// alternatives; but see ergo/energy/measure.hpp.
  int rank = 0;
  PowerTraits traits;
};

/// One reading. `time` is the middle of the stamps taken before and after the read, `half_width`
/// half their distance.
struct Sample {
  Instant time;
  double value = 0.0;
  float half_width_s = 0.0F;
};

}  // namespace ergo
