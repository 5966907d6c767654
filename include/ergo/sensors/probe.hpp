#pragma once
// How often does a sensor really renew its values, and what does asking cost? Measured here and
// now, to be shown beside what the tables say (`ergo sensors`).

#include "ergo/core/clock.hpp"
#include "ergo/core/units.hpp"
#include "ergo/sensors/sensor.hpp"

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace ergo {

struct ProbeOptions {
  Seconds duration{2.0};       ///< at most this long
  Seconds poll_period{0.001};  ///< how often to read; shorter update periods cannot be told apart
  std::size_t changes =
      30;  ///< enough: the probe ends early when every signal has changed so often
  /// Largest share of the time to spend in reads: a sensor whose calls are slow is read less often.
  double max_load = 0.25;
};

/// One energy or power signal.
struct SignalProbe {
  std::string signal;
  std::size_t changes = 0;  ///< how often the value differed from the one before
  /// Median time between changes; absent after fewer than three.
  std::optional<Seconds> update_period;
  /// Changes came at a steady beat. If not, values that happen to be equal in a row (a constant
  /// load) hide updates, and `update_period` is only an upper bound.
  bool regular = false;
  /// The time between two reads, the resolution of `update_period`.
  Seconds resolution{0.0};
  /// What the signal's traits claim; 0 = fresh at each read.
  Seconds claimed{0.0};
  /// The claim is wrong: the value is renewed clearly more often, or at a steady beat clearly less
  /// often. The traits are left as they are: this is for people.
  bool disagrees = false;
};

struct SensorProbe {
  std::string sensor;
  std::vector<SignalProbe> signals;  ///< energy and power signals, in the sensor's order
  std::size_t reads = 0;
  std::size_t failures = 0;
  std::optional<Error> failure;  ///< the last one
  /// Cost of one read of all signals that were due; absent without a read that worked.
  std::optional<Seconds> call_median;
  std::optional<Seconds> call_max;
  Seconds duration{0.0};
};

/// Reads `sensor` quickly on the calling thread and watches when its energy and power signals
/// change. Ends after `options.duration`, with enough changes, when `stop` is requested, or when
/// the device is lost (`failure`). Example: probe_update_period(*sensor,
/// clock).signals[0].update_period -> 0.1 s.
SensorProbe probe_update_period(Sensor& sensor, Clock& clock, const ProbeOptions& options = {},
                                const std::stop_token& stop = {});

/// One line for people about a signal whose probe disagrees with its traits; empty otherwise.
std::string describe_disagreement(const SignalProbe& probe);

}  // namespace ergo
