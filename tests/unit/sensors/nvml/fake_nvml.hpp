#pragma once
// The state of the fake NVML library (fake_nvml.cpp), shared with the tests that script it. Plain
// data: it crosses a dlopen boundary.

#include "sensors/nvml/abi.hpp"

namespace ergo::nvml::fake {

inline constexpr unsigned max_devices = 4;
inline constexpr unsigned max_processes = 64;
inline constexpr unsigned max_power_samples = 16;

struct FakeField {
  unsigned id = 0;
  abi::Return status = abi::success;
  int type = abi::value_unsigned_long_long;
  abi::Value value{};
};

struct FakeDevice {
  char uuid[abi::uuid_buffer_size] = {};
  char mig_uuid[abi::uuid_buffer_size] = {};  ///< of one MIG instance on this board; "" = none
  char name[abi::name_buffer_size] = "Tesla V100-SXM2-16GB";
  unsigned architecture = abi::architecture::volta;
  int capability_major = 7;
  int capability_minor = 0;
  unsigned pci_device_id = 0x1db110de;

  abi::Return handle_status = abi::success;
  /// Returned by every call about this device except those for its handle and UUID.
  abi::Return status = abi::success;
  /// Returned by utilisation, processes and memory.
  abi::Return metrics_status = abi::success;
  abi::Return gpm_status = abi::success;

  /// What nvmlDeviceGetFieldValues knows; any other id answers not_supported.
  FakeField fields[12];
  unsigned field_count = 0;
  /// The whole batched call fails when it names an unknown field.
  bool refuses_unknown_fields = false;

  unsigned counter_call_us = 0;  ///< how long a call that asks for the energy field takes
  int counter_calls = 0;         ///< of those
  unsigned long long total_energy_mj = 0;
  abi::Return total_energy_status = abi::success;
  unsigned power_usage_mw = 60'000;
  /// The driver's record of power: mW as unsigned int, oldest first. None: not supported.
  abi::Sample power_samples[max_power_samples];
  unsigned power_sample_count = 0;
  int power_sample_type = abi::value_unsigned_int;
  abi::Return power_samples_status = abi::success;
  int power_samples_calls = 0;
  unsigned power_samples_call_us = 0;  ///< how long such a call takes
  unsigned enforced_limit_mw = 250'000;
  unsigned sm_percent = 40;
  unsigned memory_percent = 10;
  unsigned long long memory_used = 1'000'000;
  unsigned sm_clock = 1380;
  unsigned memory_clock = 877;
  unsigned temperature = 45;
  unsigned long long reasons = 0;
  unsigned mig_mode = 0;
  bool gpm = false;
  double gpm_value = 55.0;

  abi::ProcessUtilizationSample samples[max_processes];
  unsigned sample_count = 0;
  abi::Return sample_status = abi::success;
  abi::ProcessInfo processes[max_processes];
  unsigned process_count = 0;
  abi::ProcessInfo mps_clients[max_processes];  ///< programs behind the Multi-Process Service
  unsigned mps_client_count = 0;
  unsigned process_stride = 24;  ///< 32: the layout with a field more

  // Calls counted.
  int handle_calls = 0;
  int uuid_calls = 0;
  int field_calls = 0;
  int fields_asked = 0;  ///< in the last batched call
  int utilization_calls = 0;
  int memory_calls = 0;
  int process_calls = 0;
  int other_calls = 0;
  int writes = 0;

  [[nodiscard]] int calls_beyond_identity() const {
    return field_calls + utilization_calls + memory_calls + process_calls + power_samples_calls +
           other_calls + writes;
  }
};

struct FakeNvml {
  abi::Return init_status = abi::success;
  abi::Return count_status = abi::success;
  int inits = 0;
  int shutdowns = 0;
  int samples_allocated = 0;  ///< GPM
  char driver_version[abi::version_buffer_size] = "535.104.05";
  unsigned device_count = 1;
  FakeDevice devices[max_devices];
};

}  // namespace ergo::nvml::fake

extern "C" {
/// The state of the copy of the library that this symbol was looked up in.
using FakeNvmlState = ergo::nvml::fake::FakeNvml*();
}
