// Utilisation, memory, clocks, temperature, what holds the clock back, and the driver's buffer of
// samples.
#include "nvml/session.hpp"
#include "random.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::sim::nvml {
namespace {

constexpr std::uint64_t kReservedBytes = std::uint64_t{256}
                                         << 20U;  // what the driver keeps for itself

std::uint64_t used_bytes(const Gpu& gpu) {
  std::uint64_t used = gpu.script_memory_bytes;
  for (const Slot& slot : gpu.slots) {
    if (slot.pid != 0) used += slot.memory_bytes;
  }
  return std::min(used, gpu.preset().memory_bytes - kReservedBytes);
}

abi::Return clock_of(const Gpu& gpu, int type, unsigned* out) {
  switch (type) {
    case abi::clock_graphics:
    case abi::clock_sm:
    case abi::clock_video:
      *out = static_cast<unsigned>(std::lround(gpu.point.clock_mhz));
      return abi::success;
    case abi::clock_mem:
      *out = static_cast<unsigned>(std::lround(gpu.preset().memory_mhz));
      return abi::success;
    default:
      return abi::invalid_argument;
  }
}

std::uint64_t reasons(const Gpu& gpu) {
  std::uint64_t bits = 0;
  if (gpu.point.clock_mhz <= gpu.preset().idle_mhz) bits |= abi::reason::gpu_idle;
  if (gpu.point.power_capped) bits |= abi::reason::sw_power_cap;
  if (gpu.point.beyond_cliff) bits |= abi::reason::hw_slowdown | abi::reason::hw_power_brake;
  return bits;
}

// nvmlSamplingType_t
enum SampleType : int {
  kTotalPower = abi::samples_total_power,
  kGpuUtilization = 1,
  kMemoryUtilization = 2,
  kCoreClock = 5,
  kMemoryClock = 6
};

// Only power is kept for long; of the other levels the driver's buffer holds the last value.
bool last_level(const Gpu& gpu, int type, unsigned& level) {
  switch (type) {
    case kGpuUtilization:
      level = percent(gpu.utilization.last);
      return gpu.faults.mig == 0;
    case kMemoryUtilization:
      level = percent(gpu.memory_utilization.last);
      return gpu.faults.mig == 0;
    case kCoreClock:
      return clock_of(gpu, abi::clock_sm, &level) == abi::success;
    case kMemoryClock:
      return clock_of(gpu, abi::clock_mem, &level) == abi::success;
    default:
      return false;
  }
}

// The driver's record of power where it is finer than the readings: a look of 22.5 ms every 20 ms,
// dated by a thread that is late or early by a few milliseconds (docs/results/hopper.md).
constexpr std::int64_t kRecordStepNs = 20'000'000;
constexpr std::int64_t kRecordWindowNs = 22'500'000;
constexpr double kRecordJitterNs = 6e6;
constexpr std::int64_t kRecordHeld = 120;
constexpr std::uint64_t kRecordStream = 31;

bool has_fine_record(const Gpu& gpu) {
  const int since = gpu.preset().record_since_branch;
  return since > 0 && node()->info().driver_branch >= since;
}

std::int64_t record_time(const Gpu& gpu, std::int64_t index) {
  const double u = random_unit(gpu.id.bus, kRecordStream, static_cast<std::uint64_t>(index));
  return index * kRecordStepNs + std::llround((2.0 * u - 1.0) * kRecordJitterNs);
}

// Before the start the GPU was idle.
double record_w(std::size_t gpu_index, const Gpu& gpu, std::int64_t t_ns) {
  const std::int64_t from = std::max(t_ns - kRecordWindowNs, gpu.start_ns);
  if (t_ns <= from) return gpu.preset().idle_w;
  const double seen_j = node()->gpu_energy_j(gpu_index, from, t_ns) +
                        gpu.preset().idle_w * seconds(kRecordWindowNs - (t_ns - from));
  return seen_j / seconds(kRecordWindowNs);
}

void give_sample(std::int64_t t_ns, unsigned level, unsigned long long after_us, unsigned room,
                 abi::Sample* out, unsigned& count) {
  const unsigned long long time_us = unix_us(t_ns);
  if (time_us <= after_us || count >= room) return;
  out[count].timestamp = time_us;
  out[count].value.ull = 0;
  out[count].value.ui = level;
  ++count;
}

void give_record(std::size_t gpu_index, const Gpu& gpu, unsigned long long after_us, unsigned room,
                 abi::Sample* out, unsigned& count) {
  const std::int64_t last = gpu.now_ns / kRecordStepNs + 1;
  for (std::int64_t i = last - kRecordHeld; i <= last; ++i) {
    const std::int64_t t_ns = record_time(gpu, i);
    if (t_ns > gpu.now_ns || unix_us(t_ns) <= after_us) continue;
    const unsigned level = milliwatts(gpu.reported_w(record_w(gpu_index, gpu, t_ns)));
    give_sample(t_ns, level, after_us, room, out, count);
  }
}

abi::Return give_samples(std::size_t gpu_index, const Gpu& gpu, int type,
                         unsigned long long after_us, unsigned* count, abi::Sample* out) {
  unsigned level = 0;
  if (type != kTotalPower && !last_level(gpu, type, level)) return abi::not_supported;
  const bool fine = type == kTotalPower && has_fine_record(gpu);
  const unsigned kept = fine ? kRecordHeld : static_cast<unsigned>(gpu.sensor.held());
  const unsigned held = type == kTotalPower ? kept : 1;
  if (out == nullptr) {
    *count = held;
    return abi::success;
  }
  const unsigned room = *count;
  *count = 0;
  if (fine) {
    give_record(gpu_index, gpu, after_us, room, out, *count);
  } else if (type == kTotalPower) {
    for (std::size_t i = 0; i < gpu.sensor.held(); ++i) {
      const Tick& tick = gpu.sensor.tick(i);
      give_sample(tick.t_ns, milliwatts(gpu.reported_w(tick.power_w)), after_us, room, out, *count);
    }
  } else {
    const IntervalMean& clockwork = gpu.utilization;
    give_sample(clockwork.next_ns - clockwork.interval_ns, level, after_us, room, out, *count);
  }
  return *count == 0 ? abi::not_found : abi::success;
}

abi::Return idle_engine(abi::Device device, unsigned* utilization, unsigned* period_us) {
  if (utilization == nullptr || period_us == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    *utilization = 0;
    *period_us = static_cast<unsigned>(gpu.utilization.interval_ns / 1000);
    return gpu.faults.mig != 0 ? abi::not_supported : abi::success;
  });
}

}  // namespace
}  // namespace ergo::sim::nvml

using namespace ergo::sim::nvml;  // NOLINT(google-build-using-namespace): the exported functions
                                  // are global
using ergo::sim::Gpu;

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetUtilizationRates(abi::Device device,
                                                          abi::Utilization* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    if (gpu.faults.mig != 0) return abi::not_supported;
    *out = {percent(gpu.utilization.last), percent(gpu.memory_utilization.last)};
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetEncoderUtilization(abi::Device device, unsigned* out,
                                                            unsigned* period_us) {
  return idle_engine(device, out, period_us);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetDecoderUtilization(abi::Device device, unsigned* out,
                                                            unsigned* period_us) {
  return idle_engine(device, out, period_us);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMemoryInfo(abi::Device device, abi::Memory* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    // The first version counts what the driver reserves as used.
    const std::uint64_t used = used_bytes(gpu) + kReservedBytes;
    *out = {gpu.preset().memory_bytes, gpu.preset().memory_bytes - used, used};
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMemoryInfo_v2(abi::Device device, abi::MemoryV2* out) {
  if (out == nullptr) return abi::invalid_argument;
  if (out->version != abi::struct_version<abi::MemoryV2>(2)) return abi::argument_version_mismatch;
  return query(device, [&](const Gpu& gpu) {
    const std::uint64_t used = used_bytes(gpu);
    out->total = gpu.preset().memory_bytes;
    out->reserved = kReservedBytes;
    out->used = used;
    out->free = out->total - used - kReservedBytes;
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetClockInfo(abi::Device device, int type, unsigned* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) { return clock_of(gpu, type, out); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetClock(abi::Device device, int type, int id,
                                               unsigned* out) {
  if (id != abi::clock_id_current) return abi::not_supported;
  return nvmlDeviceGetClockInfo(device, type, out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMaxClockInfo(abi::Device device, int type, unsigned* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    if (type == abi::clock_mem) return clock_of(gpu, type, out);
    *out = static_cast<unsigned>(std::lround(gpu.preset().max_mhz));
    return type < abi::clock_graphics || type > abi::clock_video ? abi::invalid_argument
                                                                 : abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPerformanceState(abi::Device device, unsigned* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    constexpr unsigned idle_state = 8;
    *out = gpu.point.clock_mhz <= gpu.preset().idle_mhz ? idle_state : 0;
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPowerState(abi::Device device, unsigned* out) {
  return nvmlDeviceGetPerformanceState(device, out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetTemperature(abi::Device device, int sensor,
                                                     unsigned* out) {
  if (out == nullptr || sensor != abi::temperature_gpu) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    *out = static_cast<unsigned>(std::lround(gpu.temperature_c));
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetTemperatureV(abi::Device device, abi::TemperatureV1* out) {
  if (out == nullptr || out->sensor != abi::temperature_gpu) return abi::invalid_argument;
  if (out->version != abi::struct_version<abi::TemperatureV1>(1))
    return abi::argument_version_mismatch;
  return query(device, [&](const Gpu& gpu) {
    out->temperature = static_cast<int>(std::lround(gpu.temperature_c));
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetCurrentClocksThrottleReasons(abi::Device device,
                                                                      unsigned long long* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    *out = reasons(gpu);
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetCurrentClocksEventReasons(abi::Device device,
                                                                   unsigned long long* out) {
  return nvmlDeviceGetCurrentClocksThrottleReasons(device, out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetSupportedClocksThrottleReasons(abi::Device device,
                                                                        unsigned long long* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu&) {
    *out = abi::reason::gpu_idle | abi::reason::sw_power_cap | abi::reason::hw_slowdown |
           abi::reason::hw_power_brake;
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetSamples(abi::Device device, int type,
                                                 unsigned long long after_us, int* value_type,
                                                 unsigned* count, abi::Sample* out) {
  if (value_type == nullptr || count == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    std::size_t index = 0;
    index_of(device, index);
    *value_type = abi::value_unsigned_int;
    return give_samples(index, gpu, type, after_us, count, out);
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetFanSpeed(abi::Device device, unsigned*) {
  return query(device, [](const Gpu&) { return abi::not_supported; });  // passively cooled
}
