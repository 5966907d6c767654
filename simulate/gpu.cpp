#include "gpu.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ergo::sim {
namespace {

constexpr double kWorkDone = 1e-9;  // s; work is finished when less than this is left
constexpr std::int64_t kHeatStepNs = kNsPerSecond;
constexpr double kReferenceCelsius = 35.0;

bool has_work(const Slot& slot) {
  return slot.pid != 0 && slot.demand.active() && slot.work_target_s - slot.work_done_s > kWorkDone;
}

bool in_burst(const Slot& slot, std::int64_t t_ns) {
  if (slot.burst_period_s <= 0.0 || slot.burst_duty >= 1.0) return true;
  const auto period = static_cast<std::int64_t>(slot.burst_period_s * 1e9);
  const auto on = static_cast<std::int64_t>(slot.burst_duty * slot.burst_period_s * 1e9);
  return period <= 0 || (t_ns - slot.origin_ns) % period < on;
}

std::int64_t next_burst_edge(const Slot& slot, std::int64_t t_ns) {
  if (!has_work(slot) || slot.burst_period_s <= 0.0 || slot.burst_duty >= 1.0) return kNever;
  const auto period = static_cast<std::int64_t>(slot.burst_period_s * 1e9);
  const auto on = static_cast<std::int64_t>(slot.burst_duty * slot.burst_period_s * 1e9);
  if (period <= 0) return kNever;
  const std::int64_t into = (t_ns - slot.origin_ns) % period;
  return t_ns + (into < on ? on - into : period - into);
}

std::int64_t finish_time(const Slot& slot, std::int64_t t_ns) {
  if (!has_work(slot) || slot.rate <= 0.0) return kNever;
  const double left_ns = (slot.work_target_s - slot.work_done_s) / slot.rate * 1e9;
  if (!(left_ns < 4e18)) return kNever;
  return t_ns + std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(left_ns)));
}

struct Mix {
  Demand total;
  double share = 1.0;  // of what each asked for
  bool attached = false;
};

void add(Mix& mix, double& weight, const Demand& demand) {
  const double w = demand.compute + demand.memory;
  mix.total.compute += demand.compute;
  mix.total.memory += demand.memory;
  mix.total.memory_bound += demand.memory_bound * w;
  weight += w;
}

// Programs share the card in proportion to what they ask for, once they ask for more than there is.
Mix mix_demands(const Gpu& gpu) {
  Mix mix;
  double weight = 0.0;
  mix.attached = gpu.script.spec.kind != LoadKind::idle;
  if (gpu.script.now.active()) add(mix, weight, gpu.script.now);
  for (const Slot& slot : gpu.slots) {
    mix.attached = mix.attached || slot.pid != 0;
    if (has_work(slot) && in_burst(slot, gpu.now_ns)) add(mix, weight, slot.demand);
  }
  if (weight > 0.0) mix.total.memory_bound /= weight;
  mix.share = 1.0 / std::max({1.0, mix.total.compute, mix.total.memory});
  mix.total.compute *= mix.share;
  mix.total.memory *= mix.share;
  return mix;
}

double idle_power(const Gpu& gpu) {
  const double growth = gpu.id.heat_drift_per_k * (gpu.temperature_c - kReferenceCelsius);
  return gpu.preset().idle_w * std::max(0.1, 1.0 + growth);
}

std::int64_t next_event(const Gpu& gpu) {
  std::int64_t next =
      std::min({gpu.script.next_edge_ns, gpu.next_heat_ns,
                gpu.counter_was_reset != 0 ? kNever : gpu.faults.counter_reset_at_ns});
  for (const Slot& slot : gpu.slots) {
    if (slot.pid == 0) continue;
    next = std::min({next, finish_time(slot, gpu.now_ns), next_burst_edge(slot, gpu.now_ns)});
  }
  return std::max(next, gpu.now_ns + 1);
}

void observe_slot(Slot& slot, std::int64_t from_ns, std::int64_t to_ns, double share) {
  const bool runs = slot.rate > 0.0;
  slot.sm.observe(from_ns, to_ns, runs ? slot.demand.compute * share : 0.0);
  slot.memory.observe(from_ns, to_ns, runs ? slot.demand.memory * slot.rate : 0.0);
  if (!runs) return;
  slot.work_done_s =
      std::min(slot.work_target_s, slot.work_done_s + slot.rate * seconds(to_ns - from_ns));
  if (!has_work(slot)) slot.finished_ns = to_ns;
}

void pass_time(Gpu& gpu, std::int64_t to_ns) {
  const std::int64_t from_ns = gpu.now_ns;
  const double dt = seconds(to_ns - from_ns);
  const Mix mix = mix_demands(gpu);
  // From the last change of power on, so that the sum does not depend on how often it was asked
  // for.
  gpu.true_j = gpu.segment.before + gpu.segment.level * seconds(to_ns - gpu.segment.start_ns);
  observe(gpu.sensor, from_ns, to_ns, gpu.point.power_w);
  const bool busy = mix.total.active();
  // The same work moves the same bytes: a slower one moves them at a lower rate.
  const double moved = traffic(gpu.preset(), mix.total, gpu.point.effective_clock_mhz);
  gpu.busy_s += busy ? dt : 0.0;
  gpu.sm_s += mix.total.compute * dt;
  gpu.memory_s += moved * dt;
  gpu.capped_s += gpu.point.power_capped ? dt : 0.0;
  gpu.slowed_s += gpu.point.beyond_cliff ? dt : 0.0;
  gpu.utilization.observe(from_ns, to_ns, busy ? 1.0 : 0.0);
  gpu.memory_utilization.observe(from_ns, to_ns, moved);
  gpu.script_sm.observe(from_ns, to_ns, gpu.script.now.compute * mix.share);
  for (Slot& slot : gpu.slots) {
    if (slot.pid != 0) observe_slot(slot, from_ns, to_ns, mix.share);
  }
  const double settles_c = gpu.id.ambient_c + gpu.preset().kelvin_per_watt * gpu.point.power_w;
  gpu.temperature_c = settles_c + (gpu.temperature_c - settles_c) *
                                      std::exp(-dt / gpu.preset().heat_time_constant_s);
  gpu.now_ns = to_ns;
}

void handle_events(Gpu& gpu) {
  while (gpu.script.next_edge_ns <= gpu.now_ns)
    pass_edge(gpu.script);
  while (gpu.next_heat_ns <= gpu.now_ns)
    gpu.next_heat_ns += kHeatStepNs;
  if (gpu.counter_was_reset == 0 && gpu.now_ns >= gpu.faults.counter_reset_at_ns) {
    gpu.counter_was_reset = 1;
    gpu.counter_zero_j = gpu.id.counter_start_j + gpu.sensor.counter_j;
  }
}

}  // namespace

double Gpu::enforced_limit_w() const {
  const std::uint32_t external = faults.external_limit_mw;
  return static_cast<double>(external == 0 ? limit_mw : std::min(limit_mw, external)) * 1e-3;
}

double Gpu::counter_j() const {
  const double counted = (id.counter_start_j + sensor.counter_j - counter_zero_j) * id.gain;
  return faults.counter_wrap_j > 0.0 ? std::fmod(counted, faults.counter_wrap_j) : counted;
}

void append_segment(SegmentRing ring, std::uint64_t& count, const Segment& segment) {
  ring[count % ring.size()] = segment;
  ++count;
}

double integral_at(std::span<const Segment> ring, std::uint64_t count, std::int64_t now_ns,
                   std::int64_t t_ns) {
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  if (count == 0 || t_ns > now_ns) return unknown;
  const std::uint64_t kept = std::min<std::uint64_t>(count, ring.size() - kSegmentMargin);
  std::uint64_t low =
      count - kept;  // the last segment that starts at or before t_ns lies in [low, high)
  std::uint64_t high = count;
  if (t_ns < ring[low % ring.size()].start_ns) return unknown;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (ring[middle % ring.size()].start_ns <= t_ns ? low : high) = middle;
  }
  const Segment& segment = ring[low % ring.size()];
  return segment.before + segment.level * seconds(t_ns - segment.start_ns);
}

void reconsider(Gpu& gpu, SegmentRing ring) {
  const Mix mix = mix_demands(gpu);
  gpu.point =
      operate(gpu.preset(), mix.total, mix.attached, gpu.enforced_limit_w(), idle_power(gpu));
  for (Slot& slot : gpu.slots) {
    const bool runs = has_work(slot) && in_burst(slot, gpu.now_ns);
    slot.rate = runs ? mix.share * speed(gpu.preset(), slot.demand.memory_bound,
                                         gpu.point.effective_clock_mhz)
                     : 0.0;
  }
  if (gpu.segments > 0 && gpu.segment.level == gpu.point.power_w) return;
  gpu.segment = {gpu.now_ns, gpu.point.power_w, gpu.true_j};
  append_segment(ring, gpu.segments, gpu.segment);
}

void start_gpu(Gpu& gpu, const LoadSpec& load, std::int64_t start_ns, double sensor_phase,
               bool counter_exact, SegmentRing ring) {
  const Preset& preset = gpu.preset();
  gpu.now_ns = gpu.start_ns = start_ns;
  gpu.limit_mw = static_cast<std::uint32_t>(preset.default_limit_w * 1e3);
  gpu.temperature_c = gpu.id.ambient_c + preset.kelvin_per_watt * preset.idle_w;
  gpu.script = start_load(load, start_ns);
  gpu.next_heat_ns = gpu.id.heat_drift_per_k != 0.0 ? start_ns + kHeatStepNs : kNever;
  for (IntervalMean* mean : {&gpu.utilization, &gpu.memory_utilization, &gpu.script_sm}) {
    mean->next_ns = start_ns + mean->interval_ns;
  }
  reconsider(gpu, ring);
  gpu.sensor = start_sensor(preset, start_ns, sensor_phase, gpu.point.power_w, counter_exact);
}

bool advance(Gpu& gpu, std::int64_t to_ns, SegmentRing ring, int max_events) {
  while (gpu.now_ns < to_ns) {
    if (max_events-- <= 0) return false;
    const std::int64_t event = next_event(gpu);
    pass_time(gpu, std::min(event, to_ns));
    if (gpu.now_ns < event) break;
    handle_events(gpu);
    reconsider(gpu, ring);
  }
  return true;
}

}  // namespace ergo::sim
