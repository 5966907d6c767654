// A stand-in for libnvidia-ml.so.1 that answers what the test has written into its state.
#include "unit/sensors/nvml/fake_nvml.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

namespace abi = ergo::nvml::abi;
using ergo::nvml::fake::FakeDevice;
using ergo::nvml::fake::FakeField;
using ergo::nvml::fake::FakeNvml;

namespace {

FakeNvml state;
char mig_handles[ergo::nvml::fake::max_devices];

FakeDevice& at(abi::Device device) {
  return *reinterpret_cast<FakeDevice*>(device);
}
abi::Device handle_of(FakeDevice& device) {
  return reinterpret_cast<abi::Device>(&device);
}
bool running() {
  return state.inits > state.shutdowns;
}

abi::Return copy_text(const char* text, char* out, unsigned size) {
  if (std::strlen(text) >= size) return abi::insufficient_size;
  std::strcpy(out, text);
  return abi::success;
}

/// Counts a call and answers with the device's status.
abi::Return begin(abi::Device device, int FakeDevice::*counter) {
  if (!running()) return abi::uninitialized;
  ++(at(device).*counter);
  return at(device).status;
}

/// begin(), then stores `value` when all is well.
template <class T>
abi::Return give(abi::Device device, int FakeDevice::*counter, T* out, T value,
                 abi::Return status = abi::success) {
  const abi::Return code = begin(device, counter);
  if (code != abi::success) return code;
  if (status != abi::success) return status;
  *out = value;
  return abi::success;
}

// Exported functions do not call each other: a test may take any of their names away.
abi::Return list_processes(abi::Device device, const abi::ProcessInfo* processes, unsigned listed,
                           unsigned* count, abi::ProcessInfo* out) {
  const abi::Return code = begin(device, &FakeDevice::process_calls);
  const FakeDevice& d = at(device);
  if (code != abi::success) return code;
  if (d.metrics_status != abi::success) return d.metrics_status;
  const bool fits = out != nullptr && *count >= listed;
  *count = listed;
  if (!fits) return abi::insufficient_size;
  for (unsigned i = 0; i < listed; ++i) {
    std::memcpy(reinterpret_cast<char*>(out) + i * d.process_stride, &processes[i],
                sizeof(abi::ProcessInfo));
  }
  return abi::success;
}

abi::Return list_processes(abi::Device device, unsigned* count, abi::ProcessInfo* out) {
  return list_processes(device, at(device).processes, at(device).process_count, count, out);
}

}  // namespace

extern "C" {

FakeNvml* fake_nvml_state() {
  return &state;
}

abi::Return nvmlInit_v2() {
  if (state.init_status != abi::success) return state.init_status;
  ++state.inits;
  return abi::success;
}
abi::Return nvmlShutdown() {
  ++state.shutdowns;
  return abi::success;
}
const char* nvmlErrorString(abi::Return code) {
  return code == abi::gpu_is_lost     ? "GPU is lost"
         : code == abi::no_permission ? "Insufficient Permissions"
                                      : "Other";
}
abi::Return nvmlSystemGetDriverVersion(char* out, unsigned size) {
  return copy_text(state.driver_version, out, size);
}
abi::Return nvmlSystemGetNVMLVersion(char* out, unsigned size) {
  return copy_text("12.535", out, size);
}

abi::Return nvmlDeviceGetCount_v2(unsigned* count) {
  *count = state.device_count;
  return state.count_status;
}
abi::Return nvmlDeviceGetHandleByIndex_v2(unsigned index, abi::Device* out) {
  if (index >= state.device_count) return abi::invalid_argument;
  FakeDevice& device = state.devices[index];
  ++device.handle_calls;
  if (device.handle_status == abi::success) *out = handle_of(device);
  return device.handle_status;
}
abi::Return nvmlDeviceGetHandleByUUID(const char* uuid, abi::Device* out) {
  for (unsigned i = 0; i < state.device_count; ++i) {
    FakeDevice& device = state.devices[i];
    if (std::strcmp(device.uuid, uuid) == 0) {
      ++device.handle_calls;
      *out = handle_of(device);
      return abi::success;
    }
    if (device.mig_uuid[0] != '\0' && std::strcmp(device.mig_uuid, uuid) == 0) {
      *out = reinterpret_cast<abi::Device>(&mig_handles[i]);
      return abi::success;
    }
  }
  return abi::not_found;
}
abi::Return nvmlDeviceGetDeviceHandleFromMigDeviceHandle(abi::Device mig, abi::Device* out) {
  const auto index = reinterpret_cast<char*>(mig) - mig_handles;
  if (index < 0 || index >= static_cast<long>(state.device_count)) return abi::invalid_argument;
  *out = handle_of(state.devices[index]);
  return abi::success;
}
abi::Return nvmlDeviceGetUUID(abi::Device device, char* out, unsigned size) {
  ++at(device).uuid_calls;
  return copy_text(at(device).uuid, out, size);
}
abi::Return nvmlDeviceGetName(abi::Device device, char* out, unsigned size) {
  const abi::Return code = begin(device, &FakeDevice::other_calls);
  return code != abi::success ? code : copy_text(at(device).name, out, size);
}
abi::Return nvmlDeviceGetPciInfo_v3(abi::Device device, abi::PciInfo* out) {
  abi::PciInfo info{};
  info.device_id = at(device).pci_device_id;
  return give(device, &FakeDevice::other_calls, out, info);
}
abi::Return nvmlDeviceGetArchitecture(abi::Device device, unsigned* out) {
  return give(device, &FakeDevice::other_calls, out, at(device).architecture);
}
abi::Return nvmlDeviceGetCudaComputeCapability(abi::Device device, int* major, int* minor) {
  *minor = at(device).capability_minor;
  return give(device, &FakeDevice::other_calls, major, at(device).capability_major);
}
abi::Return nvmlDeviceGetMigMode(abi::Device device, unsigned* current, unsigned* pending) {
  *pending = 0;
  return give(device, &FakeDevice::other_calls, current, at(device).mig_mode);
}

abi::Return nvmlDeviceGetFieldValues(abi::Device device, int count, abi::FieldValue* values) {
  const abi::Return code = begin(device, &FakeDevice::field_calls);
  FakeDevice& d = at(device);
  d.fields_asked = count;
  if (code != abi::success) return code;
  bool all_known = true;
  for (int i = 0; i < count; ++i) {
    const FakeField* end = d.fields + d.field_count;
    const FakeField* field =
        std::find_if(static_cast<const FakeField*>(d.fields), end,
                     [&](const FakeField& f) { return f.id == values[i].field; });
    if (field == end) {
      all_known = false;
      values[i].status = abi::not_supported;
      continue;
    }
    if (field->id == abi::field::total_energy) {
      ++d.counter_calls;
      std::this_thread::sleep_for(std::chrono::microseconds(d.counter_call_us));
    }
    values[i].status = field->status;
    values[i].value_type = field->type;
    values[i].value = field->value;
  }
  return d.refuses_unknown_fields && !all_known ? abi::invalid_argument : abi::success;
}
abi::Return nvmlDeviceGetTotalEnergyConsumption(abi::Device device, unsigned long long* out) {
  return give(device, &FakeDevice::other_calls, out, at(device).total_energy_mj,
              at(device).total_energy_status);
}
abi::Return nvmlDeviceGetPowerUsage(abi::Device device, unsigned* out) {
  return give(device, &FakeDevice::other_calls, out, at(device).power_usage_mw);
}
abi::Return nvmlDeviceGetSamples(abi::Device device, int type, unsigned long long after,
                                 int* value_type, unsigned* count, abi::Sample* out) {
  const abi::Return code = begin(device, &FakeDevice::power_samples_calls);
  const FakeDevice& d = at(device);
  if (code != abi::success) return code;
  if (d.power_samples_status != abi::success) return d.power_samples_status;
  if (d.power_samples_call_us > 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(d.power_samples_call_us));
  }
  if (type != abi::samples_total_power || d.power_sample_count == 0) return abi::not_supported;
  *value_type = d.power_sample_type;
  if (out == nullptr) {
    *count = d.power_sample_count;
    return abi::success;
  }
  const unsigned room = *count;
  *count = 0;
  for (unsigned i = 0; i < d.power_sample_count && *count < room; ++i) {
    if (d.power_samples[i].timestamp > after) out[(*count)++] = d.power_samples[i];
  }
  return *count == 0 ? abi::not_found : abi::success;
}
abi::Return nvmlDeviceGetUtilizationRates(abi::Device device, abi::Utilization* out) {
  return give(device, &FakeDevice::utilization_calls, out,
              abi::Utilization{at(device).sm_percent, at(device).memory_percent},
              at(device).metrics_status);
}
abi::Return nvmlDeviceGetMemoryInfo(abi::Device device, abi::Memory* out) {
  return give(device, &FakeDevice::memory_calls, out,
              abi::Memory{0, 0, at(device).memory_used + 500}, at(device).metrics_status);
}
abi::Return nvmlDeviceGetMemoryInfo_v2(abi::Device device, abi::MemoryV2* out) {
  if (out->version != 0x02000028) return abi::argument_version_mismatch;
  return give(device, &FakeDevice::memory_calls, out,
              abi::MemoryV2{out->version, 0, 500, 0, at(device).memory_used},
              at(device).metrics_status);
}
abi::Return nvmlDeviceGetClockInfo(abi::Device device, int clock, unsigned* out) {
  return give(device, &FakeDevice::other_calls, out,
              clock == abi::clock_sm ? at(device).sm_clock : at(device).memory_clock);
}
abi::Return nvmlDeviceGetTemperature(abi::Device device, int, unsigned* out) {
  return give(device, &FakeDevice::other_calls, out, at(device).temperature);
}
abi::Return nvmlDeviceGetTemperatureV(abi::Device device, abi::TemperatureV1* out) {
  return give(device, &FakeDevice::other_calls, out,
              abi::TemperatureV1{out->version, 0, static_cast<int>(at(device).temperature)});
}
abi::Return nvmlDeviceGetCurrentClocksEventReasons(abi::Device device, unsigned long long* out) {
  return give(device, &FakeDevice::other_calls, out, at(device).reasons);
}
abi::Return nvmlDeviceGetCurrentClocksThrottleReasons(abi::Device device, unsigned long long* out) {
  return give(device, &FakeDevice::other_calls, out, at(device).reasons);
}
abi::Return nvmlDeviceGetEnforcedPowerLimit(abi::Device device, unsigned* out) {
  return give(device, &FakeDevice::other_calls, out, at(device).enforced_limit_mw);
}
abi::Return nvmlDeviceGetPowerManagementLimit(abi::Device device, unsigned* out) {
  return give(device, &FakeDevice::other_calls, out, at(device).enforced_limit_mw);
}
abi::Return nvmlDeviceSetPowerManagementLimit(abi::Device device, unsigned) {
  return begin(device, &FakeDevice::writes);
}

abi::Return nvmlDeviceGetProcessUtilization(abi::Device device, abi::ProcessUtilizationSample* out,
                                            unsigned* count, unsigned long long last_seen) {
  const abi::Return code = begin(device, &FakeDevice::process_calls);
  const FakeDevice& d = at(device);
  if (code != abi::success) return code;
  if (d.metrics_status != abi::success) return d.metrics_status;
  if (d.sample_status != abi::success) return d.sample_status;
  bool newer = false;
  for (unsigned i = 0; i < d.sample_count; ++i)
    newer = newer || d.samples[i].timestamp > last_seen;
  if (!newer) return abi::not_found;
  const bool fits = out != nullptr && *count >= d.sample_count;
  *count = d.sample_count;
  if (!fits) return abi::insufficient_size;
  std::copy_n(d.samples, d.sample_count, out);
  return abi::success;
}
abi::Return nvmlDeviceGetComputeRunningProcesses_v3(abi::Device device, unsigned* count,
                                                    abi::ProcessInfo* out) {
  return list_processes(device, count, out);
}
abi::Return nvmlDeviceGetComputeRunningProcesses_v2(abi::Device device, unsigned* count,
                                                    abi::ProcessInfo* out) {
  return list_processes(device, count, out);
}
abi::Return nvmlDeviceGetMPSComputeRunningProcesses_v3(abi::Device device, unsigned* count,
                                                       abi::ProcessInfo* out) {
  return list_processes(device, at(device).mps_clients, at(device).mps_client_count, count, out);
}
abi::Return nvmlDeviceGetComputeRunningProcesses(abi::Device device, unsigned* count,
                                                 abi::ProcessInfoV1* out) {
  const abi::Return code = begin(device, &FakeDevice::process_calls);
  const FakeDevice& d = at(device);
  if (code != abi::success) return code;
  const bool fits = *count >= d.process_count;
  *count = d.process_count;
  if (!fits) return abi::insufficient_size;
  for (unsigned i = 0; i < d.process_count; ++i)
    out[i] = {d.processes[i].pid, d.processes[i].used_memory};
  return abi::success;
}

abi::Return nvmlGpmQueryDeviceSupport(abi::Device device, abi::GpmSupport* out) {
  if (out->version != 1) return abi::argument_version_mismatch;
  return give(device, &FakeDevice::other_calls, out, abi::GpmSupport{1, at(device).gpm ? 1U : 0U});
}
abi::Return nvmlGpmSampleAlloc(abi::GpmSample* out) {
  ++state.samples_allocated;
  *out = reinterpret_cast<abi::GpmSample>(new FakeDevice*(nullptr));
  return abi::success;
}
abi::Return nvmlGpmSampleFree(abi::GpmSample sample) {
  --state.samples_allocated;
  delete reinterpret_cast<FakeDevice**>(sample);
  return abi::success;
}
abi::Return nvmlGpmSampleGet(abi::Device device, abi::GpmSample sample) {
  const abi::Return code = begin(device, &FakeDevice::other_calls);
  if (code != abi::success) return code;
  *reinterpret_cast<FakeDevice**>(sample) = &at(device);
  return at(device).gpm_status;
}
abi::Return nvmlGpmMetricsGet(abi::GpmMetricsGet* request) {
  const FakeDevice* older = *reinterpret_cast<FakeDevice**>(request->sample1);
  const FakeDevice* newer = *reinterpret_cast<FakeDevice**>(request->sample2);
  if (request->version != 1 || older == nullptr || older != newer) return abi::invalid_argument;
  for (unsigned i = 0; i < request->count; ++i) {
    // This fake has no tensor cores.
    request->metrics[i].status =
        request->metrics[i].id == abi::gpm::any_tensor ? abi::not_supported : abi::success;
    request->metrics[i].value = newer->gpm_value;
  }
  return abi::success;
}

}  // extern "C"
