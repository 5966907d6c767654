#pragma once
// One simulated GPU: plain data and the function that moves it through time. Power is constant
// between events (an edge of a load, a finished piece of work, a new limit), so energy is a sum of
// exact products.

#include "load.hpp"
#include "physics.hpp"
#include "power_sensor.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace ergo::sim {

/// A program on the GPU. Its demand is active while `work_done_s` < `work_target_s`.
struct Slot {
  std::int32_t pid = 0;  ///< 0 = free
  std::int32_t unwatched =
      0;  ///< not a real process of this machine: never dropped because it died
  Demand demand;
  double burst_period_s = 0.0;  ///< 0 = no bursts; else active for burst_duty of each period
  double burst_duty = 1.0;
  std::int64_t origin_ns = 0;  ///< where the bursts are counted from
  double work_done_s = 0.0;    ///< seconds of work, as the undisturbed highest clock would do it
  double work_target_s = 0.0;
  double rate = 0.0;             ///< work per second since the last event
  std::int64_t finished_ns = 0;  ///< when the work was last done
  std::uint64_t memory_bytes = 0;
  IntervalMean sm;  ///< share of the arithmetic units, 0..1
  IntervalMean memory;
};

inline constexpr std::size_t kMaxSlots = 16;

/// What goes wrong, and when. Times are simulation times; kNever = not at all.
struct Faults {
  std::int64_t lost_at_ns = kNever;
  std::int64_t counter_reset_at_ns = kNever;
  double counter_wrap_j = 0.0;  ///< the energy counter starts again at this value; 0 = never
  std::uint32_t external_limit_mw =
      0;                           ///< another limiter (out of band) that also counts; 0 = none
  std::int32_t no_permission = 0;  ///< every query is refused
  std::int32_t mig = 0;            ///< multi-instance mode is on: no utilisation, no process lists
};

/// Fixed at creation.
struct GpuIdentityData {
  std::int32_t preset = 0;  ///< index into presets()
  std::uint32_t bus = 0;
  std::array<char, 64> uuid{};
  std::array<char, 32> serial{};
  double gain = 1.0;              ///< reported = gain * what the sensor saw
  double heat_drift_per_k = 0.0;  ///< relative growth of idle power per kelvin
  double ambient_c = 27.0;
  double counter_start_j = 0.0;
  std::int64_t counter_call_ns = 0;  ///< how long a call takes that asks for the counter
};

/// Constant power from `start_ns` on; `before` is the integral up to there.
struct Segment {
  std::int64_t start_ns = 0;
  double level = 0.0;
  double before = 0.0;
};

struct Gpu {
  GpuIdentityData id;
  Faults faults;
  std::uint32_t limit_mw = 0;
  std::uint32_t persistence = 1;
  RunningLoad script;
  std::int32_t script_pid = 0;  ///< the process that the scripted load is shown as; 0 = none
  std::uint64_t script_memory_bytes = 0;
  std::array<Slot, kMaxSlots> slots{};
  std::int64_t programs_checked_ns =
      0;  ///< CLOCK_MONOTONIC: when dead programs were last looked for

  std::int64_t now_ns = 0;
  std::int64_t start_ns = 0;
  OperatingPoint point;
  double true_j = 0.0;  ///< since start_ns
  double busy_s = 0.0;  ///< time with any demand
  double sm_s = 0.0;    ///< integral of compute activity
  double memory_s = 0.0;
  double capped_s = 0.0;  ///< time that the power limit held the clock down
  double slowed_s = 0.0;  ///< time beyond the cliff
  double temperature_c = 30.0;
  double counter_zero_j = 0.0;  ///< the counter's value at its last reset
  std::int32_t counter_was_reset = 0;
  std::int64_t next_heat_ns = kNever;
  PowerSensor sensor;
  IntervalMean utilization;         ///< 0..1
  IntervalMean memory_utilization;  ///< 0..1
  IntervalMean script_sm;

  // Where the energy went, for queries about the past: the ring of segments beside this struct.
  std::uint64_t segments = 0;  ///< written since the start
  Segment segment;             ///< the last of them

  [[nodiscard]] const Preset& preset() const {
    return presets()[static_cast<std::size_t>(id.preset)];
  }
  [[nodiscard]] double enforced_limit_w() const;
  [[nodiscard]] bool lost() const { return now_ns >= faults.lost_at_ns; }
  /// The energy counter as the driver reports it, J (gain included).
  [[nodiscard]] double counter_j() const;
  [[nodiscard]] double reported_w(double sensor_w) const { return sensor_w * id.gain; }
};

inline constexpr std::size_t kSegmentCapacity = 1U << 17U;
/// The oldest segments are not looked at: a process killed while writing may have overwritten them.
inline constexpr std::size_t kSegmentMargin = 1U << 13U;

using SegmentRing = std::span<Segment>;

/// Appends to the ring. `count` is how many were ever written.
void append_segment(SegmentRing ring, std::uint64_t& count, const Segment& segment);

/// The integral of the level from the start up to `t_ns`, or NaN when `t_ns` is no longer (or not
/// yet) known.
double integral_at(std::span<const Segment> ring, std::uint64_t count, std::int64_t now_ns,
                   std::int64_t t_ns);

/// Puts a new GPU at `start_ns`: idle history, limit at its default, the load running.
void start_gpu(Gpu& gpu, const LoadSpec& load, std::int64_t start_ns, double sensor_phase,
               bool counter_exact, SegmentRing ring);

/// Moves the GPU to `to_ns` (ignored if that is the past), at most `max_events` events far. Returns
/// true when it arrived.
bool advance(Gpu& gpu, std::int64_t to_ns, SegmentRing ring, int max_events);

/// Call after any change of limit, demand or load, at the same time as advance() reached.
void reconsider(Gpu& gpu, SegmentRing ring);

}  // namespace ergo::sim
