#pragma once
// How a board's power sensor and its energy counter see the true power. Plain data (it lives in the
// shared state file); fed with stretches of constant power, and exact for each of them however long
// they are.

#include "preset.hpp"
#include "sim_time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace ergo::sim {

/// One read-out of the sensor, before the device's gain.
struct Tick {
  std::int64_t t_ns = 0;
  double power_w = 0.0;
};

struct PowerSensor {
  static constexpr std::size_t kHistory = 128;

  std::int64_t period_ns = 0;
  std::int64_t window_ns = 0;
  double time_constant_s = 0.0;  ///< 0 = boxcar
  bool counter_exact =
      false;  ///< the counter integrates the true power instead of the sensor's samples

  std::int64_t next_tick_ns = 0;
  double window_j = 0.0;    ///< collected in the window that ends at next_tick_ns
  double period_j = 0.0;    ///< true energy since the last tick
  double filtered_w = 0.0;  ///< state of the low pass
  double counter_j = 0.0;   ///< what the counter counted up to the last tick
  std::uint64_t ticks = 0;
  std::array<Tick, kHistory> history{};

  /// The last read-out.
  [[nodiscard]] const Tick& last() const { return history[(ticks + kHistory - 1) % kHistory]; }
  /// Read-outs held, and the i-th of them, oldest first.
  [[nodiscard]] std::size_t held() const {
    return ticks < kHistory ? static_cast<std::size_t>(ticks) : kHistory;
  }
  [[nodiscard]] const Tick& tick(std::size_t i) const {
    return history[(ticks - held() + i) % kHistory];
  }
  /// Mean of the read-outs of the last `span_ns`.
  [[nodiscard]] double mean_w(std::int64_t span_ns) const;
};

/// A sensor that has seen `power_w` for ever and ticks first at start + phase * period, phase in
/// [0, 1).
PowerSensor start_sensor(const Preset& preset, std::int64_t start_ns, double phase, double power_w,
                         bool counter_exact);

/// The true power was `power_w` from `from_ns` to `to_ns`; stretches must follow each other without
/// a gap.
void observe(PowerSensor& sensor, std::int64_t from_ns, std::int64_t to_ns, double power_w);

/// Mean of a level over fixed, aligned intervals: utilisation as drivers report it.
struct IntervalMean {
  std::int64_t interval_ns = 200'000'000;
  std::int64_t next_ns = 0;
  double sum = 0.0;   ///< level * seconds in the current interval
  double last = 0.0;  ///< mean over the last complete interval

  void observe(std::int64_t from_ns, std::int64_t to_ns, double level);
};

}  // namespace ergo::sim
