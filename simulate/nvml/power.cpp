// Power, energy, limits and the batched fields.
#include "nvml/session.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace ergo::sim::nvml {
namespace {

constexpr int kBranchOfPowerFields = 535;     // ids 185 to 192
constexpr int kBranchOfThrottleFields = 570;  // ids 269 to 271
constexpr unsigned kWideBus = 2048;           // HBM: has a temperature of its own

// nvmlPowerValue_v2_t
struct PowerValueV2 {
  unsigned version;
  unsigned char scope;
  unsigned milliwatts;
};
static_assert(sizeof(PowerValueV2) == 12);

// nvmlViolationTime_t
struct ViolationTime {
  unsigned long long reference_us;
  unsigned long long violation_ns;
};

unsigned long long nanoseconds(double s) {
  return static_cast<unsigned long long>(std::llround(s * 1e9));
}

unsigned long long energy_mj(const Gpu& gpu) {
  return static_cast<unsigned long long>(std::floor(std::max(0.0, gpu.counter_j()) * 1e3));
}

abi::Return give_unsigned(abi::FieldValue& field, unsigned value) {
  field.value_type = abi::value_unsigned_int;
  field.value.ui = value;
  return abi::success;
}

abi::Return give_long(abi::FieldValue& field, unsigned long long value) {
  field.value_type = abi::value_unsigned_long_long;
  field.value.ull = value;
  return abi::success;
}

// nvmlPerfPolicyType_t. The simulated card is held back by its power limit only.
bool violation_time(const Gpu& gpu, unsigned policy, double& held_s) {
  constexpr unsigned power = 0;
  constexpr unsigned last_contiguous = 5;
  constexpr unsigned app_clocks = 10;
  constexpr unsigned base_clocks = 11;
  if (policy > last_contiguous && policy != app_clocks && policy != base_clocks) return false;
  held_s = policy == power ? gpu.capped_s : 0.0;
  return true;
}

abi::Return energy_field(const Gpu& gpu, abi::FieldValue& field) {
  if (!gpu.preset().has_energy_counter) return abi::not_supported;
  return give_long(field, energy_mj(gpu));
}

abi::Return power_field(const Gpu& gpu, abi::FieldValue& field) {
  namespace id = abi::field;
  switch (field.field) {
    case id::power_average:
      if (!gpu.preset().has_average_field) return abi::not_supported;
      return give_unsigned(field, milliwatts(average_power_w(gpu)));
    case id::power_instant:
      return give_unsigned(field, milliwatts(gpu.reported_w(gpu.sensor.last().power_w)));
    case id::power_min_limit:
      return give_unsigned(field, milliwatts(gpu.preset().min_limit_w));
    case id::power_max_limit:
      return give_unsigned(field, milliwatts(gpu.preset().max_limit_w));
    case id::power_default_limit:
      return give_unsigned(field, milliwatts(gpu.preset().default_limit_w));
    case id::power_current_limit:
      return give_unsigned(field, milliwatts(gpu.enforced_limit_w()));
    case id::power_requested_limit:
      return give_unsigned(field, gpu.limit_mw);
    default:
      return energy_field(gpu, field);  // id::energy
  }
}

// A driver answers ids that it has never heard of with an error for that field alone.
abi::Return fill_field(const Gpu& gpu, int branch, abi::FieldValue& field) {
  namespace id = abi::field;
  const unsigned wanted = field.field;
  if (wanted == id::total_energy) return energy_field(gpu, field);
  if (wanted >= id::perf_policy_power && wanted < id::memory_temperature) {
    double held_s = 0.0;
    violation_time(gpu, wanted - id::perf_policy_power, held_s);
    return give_long(field, nanoseconds(held_s));
  }
  if (wanted == id::memory_temperature) {
    if (gpu.preset().memory_bus_bits < kWideBus) return abi::not_supported;
    return give_unsigned(field, static_cast<unsigned>(std::lround(gpu.temperature_c + 4.0)));
  }
  if (wanted >= id::power_average && wanted <= id::power_requested_limit) {
    if (branch < kBranchOfPowerFields) return abi::invalid_argument;
    return field.scope == abi::scope_gpu ? power_field(gpu, field) : abi::not_supported;
  }
  if (wanted >= id::throttled_sw_thermal && wanted <= id::throttled_power_brake) {
    if (branch < kBranchOfThrottleFields) return abi::invalid_argument;
    return give_long(field, wanted == id::throttled_power_brake ? nanoseconds(gpu.slowed_s) : 0);
  }
  return abi::invalid_argument;
}

/// As the driver of such a board: it computes for so long, whatever the clock of the simulation
/// does.
void spend_counter_call(const Gpu& gpu) {
  if (gpu.id.counter_call_ns <= 0 || !gpu.preset().has_energy_counter) return;
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::nanoseconds(gpu.id.counter_call_ns);
  while (std::chrono::steady_clock::now() < end) {
  }
}

bool asks_for_counter(const abi::FieldValue& field) {
  return field.field == abi::field::total_energy || field.field == abi::field::energy;
}

abi::Return check_write() {
  const Permission permission = node()->info().permission;
  const bool root = geteuid() == 0;
  if (permission == Permission::denied || (permission == Permission::root_only && !root))
    return abi::no_permission;
  return abi::success;
}

abi::Return set_limit(abi::Device device, unsigned limit_mw) {
  if (node() == nullptr) return abi::uninitialized;
  return change(device, [&](Gpu& gpu) {
    if (const abi::Return allowed = check_write(); allowed != abi::success) return allowed;
    const unsigned low = milliwatts(gpu.preset().min_limit_w);
    const unsigned high = milliwatts(gpu.preset().max_limit_w);
    if ((limit_mw < low || limit_mw > high) && !node()->info().clamp_limits)
      return abi::invalid_argument;
    gpu.limit_mw = std::clamp(limit_mw, low, high);
    return abi::success;
  });
}

abi::Return give_limit(abi::Device device, unsigned* out, unsigned (*value)(const Gpu&)) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    *out = value(gpu);
    return abi::success;
  });
}

}  // namespace
}  // namespace ergo::sim::nvml

using namespace ergo::sim::nvml;  // NOLINT(google-build-using-namespace): the exported functions
                                  // are global
using ergo::sim::Gpu;

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPowerUsage(abi::Device device, unsigned* out) {
  return give_limit(device, out, [](const Gpu& gpu) { return milliwatts(shown_power_w(gpu)); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetTotalEnergyConsumption(abi::Device device,
                                                                unsigned long long* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    if (!gpu.preset().has_energy_counter) return abi::not_supported;
    spend_counter_call(gpu);
    *out = energy_mj(gpu);
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetFieldValues(abi::Device device, int count,
                                                     abi::FieldValue* fields) {
  if (fields == nullptr || count < 1) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    if (std::any_of(fields, fields + count, asks_for_counter)) spend_counter_call(gpu);
    for (int i = 0; i < count; ++i) {
      abi::FieldValue& field = fields[i];
      field.timestamp = static_cast<long long>(unix_us(gpu.now_ns));
      field.latency_us = 0;
      field.value.ull = 0;
      field.status = fill_field(gpu, node()->info().driver_branch, field);
    }
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetViolationStatus(abi::Device device, unsigned policy,
                                                         ViolationTime* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    double held_s = 0.0;
    if (!violation_time(gpu, policy, held_s)) return abi::invalid_argument;
    *out = {unix_us(gpu.now_ns), nanoseconds(held_s)};
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPowerManagementMode(abi::Device device, unsigned* out) {
  return give_limit(device, out, [](const Gpu&) { return abi::enabled; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPowerManagementLimit(abi::Device device, unsigned* out) {
  return give_limit(device, out, [](const Gpu& gpu) { return gpu.limit_mw; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetEnforcedPowerLimit(abi::Device device, unsigned* out) {
  return give_limit(device, out, [](const Gpu& gpu) { return milliwatts(gpu.enforced_limit_w()); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPowerManagementDefaultLimit(abi::Device device,
                                                                     unsigned* out) {
  return give_limit(device, out,
                    [](const Gpu& gpu) { return milliwatts(gpu.preset().default_limit_w); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPowerManagementLimitConstraints(abi::Device device,
                                                                         unsigned* low,
                                                                         unsigned* high) {
  if (low == nullptr || high == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    *low = milliwatts(gpu.preset().min_limit_w);
    *high = milliwatts(gpu.preset().max_limit_w);
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceSetPowerManagementLimit(abi::Device device,
                                                              unsigned milliwatts) {
  return set_limit(device, milliwatts);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceSetPowerManagementLimit_v2(abi::Device device,
                                                                 PowerValueV2* value) {
  if (value == nullptr) return abi::invalid_argument;
  if (value->version != abi::struct_version<PowerValueV2>(2)) return abi::argument_version_mismatch;
  if (value->scope != abi::scope_gpu) return abi::not_supported;
  return set_limit(device, value->milliwatts);
}
