#pragma once
// NVIDIA's management library, loaded at run time.

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"
#include "sensors/nvml/abi.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ergo::nvml {

/// Entry points, null where the loaded library has none. Only init and shutdown are certain.
struct Functions {
  abi::Init_v2* init = nullptr;
  abi::Shutdown* shutdown = nullptr;
  abi::ErrorString* error_string = nullptr;
  abi::SystemGetDriverVersion* driver_version = nullptr;
  abi::SystemGetNVMLVersion* nvml_version = nullptr;
  abi::DeviceGetCount_v2* device_count = nullptr;
  abi::DeviceGetHandleByIndex_v2* handle_by_index = nullptr;
  abi::DeviceGetHandleByUUID* handle_by_uuid = nullptr;
  abi::DeviceGetUUID* uuid = nullptr;
  abi::DeviceGetName* name = nullptr;
  abi::DeviceGetPciInfo_v3* pci_info = nullptr;
  abi::DeviceGetArchitecture* architecture = nullptr;
  abi::DeviceGetCudaComputeCapability* compute_capability = nullptr;
  abi::DeviceGetFieldValues* field_values = nullptr;
  abi::DeviceGetTotalEnergyConsumption* total_energy = nullptr;
  abi::DeviceGetPowerUsage* power_usage = nullptr;
  abi::DeviceGetSamples* samples = nullptr;
  abi::DeviceGetUtilizationRates* utilization = nullptr;
  abi::DeviceGetMemoryInfo* memory_info = nullptr;
  abi::DeviceGetMemoryInfo_v2* memory_info_v2 = nullptr;
  abi::DeviceGetClockInfo* clock_info = nullptr;
  abi::DeviceGetTemperature* temperature = nullptr;
  abi::DeviceGetTemperatureV* temperature_v = nullptr;
  abi::DeviceGetCurrentClocksEventReasons* event_reasons = nullptr;
  abi::DeviceGetProcessUtilization* process_utilization = nullptr;
  abi::DeviceGetComputeRunningProcesses* compute_processes_v1 = nullptr;
  abi::DeviceGetComputeRunningProcesses_v3* compute_processes = nullptr;  ///< _v3, else _v2
  /// Those that compute through the Multi-Process Service; _v3, else _v2.
  abi::DeviceGetComputeRunningProcesses_v3* mps_processes = nullptr;
  abi::DeviceGetMigMode* mig_mode = nullptr;
  abi::DeviceGetDeviceHandleFromMigDeviceHandle* parent_of_mig = nullptr;
  abi::DeviceGetPowerManagementLimit* power_limit = nullptr;
  abi::DeviceGetPowerManagementDefaultLimit* default_power_limit = nullptr;
  abi::DeviceGetPowerManagementLimitConstraints* power_limit_range = nullptr;
  abi::DeviceGetPersistenceMode* persistence_mode = nullptr;
  abi::DeviceGetEnforcedPowerLimit* enforced_power_limit = nullptr;
  /// For control/ only: sensors never write.
  abi::DeviceSetPowerManagementLimit* set_power_limit = nullptr;
  abi::GpmQueryDeviceSupport* gpm_support = nullptr;
  abi::GpmSampleAlloc* gpm_alloc = nullptr;
  abi::GpmSampleFree* gpm_free = nullptr;
  abi::GpmSampleGet* gpm_sample = nullptr;
  abi::GpmMetricsGetFn* gpm_metrics = nullptr;
};

/// The device is gone and will not come back while this process lives.
constexpr bool means_lost(abi::Return code) {
  return code == abi::gpu_is_lost || code == abi::reset_required || code == abi::gpu_not_found;
}

/// A loaded and initialised NVML. Shut down and unloaded with the last owner, so whoever holds a
/// device handle holds the library too. Thread-safety: as NVML itself, all calls from any thread. A
/// child of fork() must not use it and opens its own.
class Library {
 public:
  /// Loads `path`, or without one libnvidia-ml.so.1 and then libnvidia-ml.so, and initialises it.
  /// Errors: not_found (no library), not_supported (a library, but not NVML), permission,
  /// unavailable (no driver, versions that do not match); the remedy is a command where there is
  /// one.
  static Result<std::shared_ptr<const Library>> open(const std::optional<std::string>& path);

  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library();

  [[nodiscard]] const Functions& functions() const { return functions_; }
  /// "535.104.05"; empty when unknown.
  [[nodiscard]] const std::string& driver_version() const { return driver_version_; }
  /// 535 for "535.104.05"; 0 when unknown.
  [[nodiscard]] int driver_branch() const;
  /// The library says that its GPUs are simulated (it exports ergo_sim_is_simulated).
  [[nodiscard]] bool simulated() const { return simulated_; }

  /// "what: the library's own words for `code`", with the kind of error and its remedy.
  [[nodiscard]] Error error(abi::Return code, const std::string& what) const;

  [[nodiscard]] Result<unsigned> device_count() const;
  [[nodiscard]] Result<abi::Device> device_at(unsigned index) const;
  [[nodiscard]] Result<std::string> uuid_of(abi::Device device) const;
  /// The device with exactly this UUID. Errors: not_found, permission, lost.
  [[nodiscard]] Result<abi::Device> find(const std::string& uuid) const;
  /// The limit in force after all limiters, else the one that was set. Errors: not_supported and
  /// others.
  [[nodiscard]] Result<Watts> enforced_power_limit(abi::Device device) const;

 private:
  explicit Library(void* handle);
  [[nodiscard]] Result<void> initialise();

  void* handle_;
  bool initialised_ = false;
  bool simulated_ = false;
  Functions functions_;
  std::string driver_version_;
};

}  // namespace ergo::nvml
