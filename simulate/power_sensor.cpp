#include "power_sensor.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::sim {
namespace {

void push(PowerSensor& sensor, double power_w) {
  sensor.history[sensor.ticks % PowerSensor::kHistory] = {sensor.next_tick_ns, power_w};
  ++sensor.ticks;
}

// Moves the inside of the sensor over a stretch that contains no tick except perhaps at its end.
void collect(PowerSensor& sensor, std::int64_t from_ns, std::int64_t to_ns, double power_w) {
  sensor.period_j += power_w * seconds(to_ns - from_ns);
  const std::int64_t opens = sensor.next_tick_ns - sensor.window_ns;
  const std::int64_t seen = to_ns - std::max(from_ns, opens);
  if (seen > 0) sensor.window_j += power_w * seconds(seen);
  if (sensor.time_constant_s > 0.0) {
    const double decay = std::exp(-seconds(to_ns - from_ns) / sensor.time_constant_s);
    sensor.filtered_w = power_w + (sensor.filtered_w - power_w) * decay;
  }
}

void read_out(PowerSensor& sensor) {
  const double boxcar_w = sensor.window_j / seconds(sensor.window_ns);
  const double value_w = sensor.time_constant_s > 0.0 ? sensor.filtered_w : boxcar_w;
  sensor.counter_j += sensor.counter_exact ? sensor.period_j : value_w * seconds(sensor.period_ns);
  push(sensor, value_w);
  sensor.window_j = 0.0;
  sensor.period_j = 0.0;
  sensor.next_tick_ns += sensor.period_ns;
}

// Whole periods of constant power need no loop, save for the read-outs that stay visible.
void skip_periods(PowerSensor& sensor, std::int64_t periods, double power_w) {
  sensor.counter_j += power_w * seconds(periods * sensor.period_ns);
  sensor.ticks += static_cast<std::uint64_t>(periods);
  const auto visible = std::min<std::int64_t>(periods, PowerSensor::kHistory);
  for (std::int64_t i = 0; i < visible; ++i) {
    const auto back = static_cast<std::uint64_t>(visible - i);
    sensor.history[(sensor.ticks - back) % PowerSensor::kHistory] = {
        sensor.next_tick_ns + (periods - visible + i) * sensor.period_ns, power_w};
  }
  sensor.next_tick_ns += periods * sensor.period_ns;
}

}  // namespace

double PowerSensor::mean_w(std::int64_t span_ns) const {
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(1, span_ns / period_ns));
  const std::size_t n = std::min(wanted, held());
  double sum = 0.0;
  for (std::size_t i = held() - n; i < held(); ++i)
    sum += tick(i).power_w;
  return n == 0 ? 0.0 : sum / static_cast<double>(n);
}

PowerSensor start_sensor(const Preset& preset, std::int64_t start_ns, double phase, double power_w,
                         bool counter_exact) {
  PowerSensor sensor;
  sensor.period_ns = std::llround(preset.period_s * 1e9);
  sensor.window_ns = std::llround(preset.window_s * 1e9);
  sensor.time_constant_s =
      preset.smoothing == Smoothing::exponential ? preset.time_constant_s : 0.0;
  sensor.counter_exact = counter_exact;
  sensor.filtered_w = power_w;
  sensor.next_tick_ns =
      start_ns + static_cast<std::int64_t>(phase * static_cast<double>(sensor.period_ns));
  // A full history of the same power, so that a mean over one second has its second.
  constexpr auto past = static_cast<std::int64_t>(PowerSensor::kHistory);
  sensor.next_tick_ns -= past * sensor.period_ns;
  skip_periods(sensor, past, power_w);
  sensor.counter_j = 0.0;
  // The running period began before the start.
  collect(sensor, sensor.next_tick_ns - sensor.period_ns, start_ns, power_w);
  return sensor;
}

void observe(PowerSensor& sensor, std::int64_t from_ns, std::int64_t to_ns, double power_w) {
  while (from_ns < to_ns) {
    const std::int64_t upto = std::min(to_ns, sensor.next_tick_ns);
    collect(sensor, from_ns, upto, power_w);
    from_ns = upto;
    if (from_ns < sensor.next_tick_ns) return;
    read_out(sensor);
    const std::int64_t periods = (to_ns - from_ns) / sensor.period_ns;
    if (periods > 0 && sensor.time_constant_s <= 0.0) {
      skip_periods(sensor, periods, power_w);
      from_ns += periods * sensor.period_ns;
    }
  }
}

void IntervalMean::observe(std::int64_t from_ns, std::int64_t to_ns, double level) {
  while (from_ns < to_ns) {
    const std::int64_t upto = std::min(to_ns, next_ns);
    sum += level * seconds(upto - from_ns);
    from_ns = upto;
    if (from_ns < next_ns) return;
    last = sum / seconds(interval_ns);
    sum = 0.0;
    next_ns += interval_ns;
    const std::int64_t whole = (to_ns - from_ns) / interval_ns;
    if (whole > 0) {
      last = level;
      next_ns += whole * interval_ns;
      from_ns += whole * interval_ns;
    }
  }
}

}  // namespace ergo::sim
