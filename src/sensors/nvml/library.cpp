#include "sensors/nvml/library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

namespace ergo::nvml {
namespace {

/// Finds the first of `names` that the library exports; `function` stays null without one.
template <class Function>
void find_symbol(void* library, Function*& function, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    function = reinterpret_cast<Function*>(::dlsym(library, name));
    if (function != nullptr) return;
  }
}

void find_device_functions(void* library, Functions& f) {
  find_symbol(library, f.device_count, {"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"});
  find_symbol(library, f.handle_by_index,
              {"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"});
  find_symbol(library, f.handle_by_uuid, {"nvmlDeviceGetHandleByUUID"});
  find_symbol(library, f.uuid, {"nvmlDeviceGetUUID"});
  find_symbol(library, f.name, {"nvmlDeviceGetName"});
  find_symbol(library, f.pci_info, {"nvmlDeviceGetPciInfo_v3"});
  find_symbol(library, f.architecture, {"nvmlDeviceGetArchitecture"});
  find_symbol(library, f.compute_capability, {"nvmlDeviceGetCudaComputeCapability"});
  find_symbol(library, f.mig_mode, {"nvmlDeviceGetMigMode"});
  find_symbol(library, f.parent_of_mig, {"nvmlDeviceGetDeviceHandleFromMigDeviceHandle"});
  find_symbol(library, f.power_limit, {"nvmlDeviceGetPowerManagementLimit"});
  find_symbol(library, f.default_power_limit, {"nvmlDeviceGetPowerManagementDefaultLimit"});
  find_symbol(library, f.power_limit_range, {"nvmlDeviceGetPowerManagementLimitConstraints"});
  find_symbol(library, f.persistence_mode, {"nvmlDeviceGetPersistenceMode"});
  find_symbol(library, f.enforced_power_limit, {"nvmlDeviceGetEnforcedPowerLimit"});
  find_symbol(library, f.set_power_limit, {"nvmlDeviceSetPowerManagementLimit"});
}

void find_reading_functions(void* library, Functions& f) {
  find_symbol(library, f.field_values, {"nvmlDeviceGetFieldValues"});
  find_symbol(library, f.total_energy, {"nvmlDeviceGetTotalEnergyConsumption"});
  find_symbol(library, f.power_usage, {"nvmlDeviceGetPowerUsage"});
  find_symbol(library, f.samples, {"nvmlDeviceGetSamples"});
  find_symbol(library, f.utilization, {"nvmlDeviceGetUtilizationRates"});
  find_symbol(library, f.memory_info, {"nvmlDeviceGetMemoryInfo"});
  find_symbol(library, f.memory_info_v2, {"nvmlDeviceGetMemoryInfo_v2"});
  find_symbol(library, f.clock_info, {"nvmlDeviceGetClockInfo"});
  find_symbol(library, f.temperature, {"nvmlDeviceGetTemperature"});
  find_symbol(library, f.temperature_v, {"nvmlDeviceGetTemperatureV"});
  find_symbol(
      library, f.event_reasons,
      {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"});
  find_symbol(library, f.process_utilization, {"nvmlDeviceGetProcessUtilization"});
  find_symbol(
      library, f.compute_processes,
      {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"});
  find_symbol(library, f.compute_processes_v1, {"nvmlDeviceGetComputeRunningProcesses"});
  find_symbol(
      library, f.mps_processes,
      {"nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v2"});
  find_symbol(library, f.gpm_support, {"nvmlGpmQueryDeviceSupport"});
  find_symbol(library, f.gpm_alloc, {"nvmlGpmSampleAlloc"});
  find_symbol(library, f.gpm_free, {"nvmlGpmSampleFree"});
  find_symbol(library, f.gpm_sample, {"nvmlGpmSampleGet"});
  find_symbol(library, f.gpm_metrics, {"nvmlGpmMetricsGet"});
}

Errc kind_of(abi::Return code) {
  if (means_lost(code)) return Errc::lost;
  switch (code) {
    case abi::no_permission:
    case abi::operating_system:
      return Errc::permission;
    case abi::not_supported:
    case abi::function_not_found:
    case abi::deprecated:
      return Errc::not_supported;
    case abi::not_found:
      return Errc::not_found;
    case abi::in_use:
      return Errc::busy;
    default:
      return Errc::unavailable;
  }
}

/// The command that most often helps; empty when there is none.
std::string_view remedy_of(abi::Return code) {
  switch (code) {
    case abi::driver_not_loaded:
      return "sudo modprobe nvidia";
    case abi::no_permission:
      return "sudo usermod -aG video,render $USER, then log in again; ls -l /dev/nvidia* shows who "
             "may";
    case abi::operating_system:
      return "the device cgroup blocks the GPU: start the container with --gpus all";
    case abi::lib_rm_version_mismatch:
      return "the driver was updated but the old one is still loaded: reboot, or "
             "sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia";
    case abi::gpu_is_lost:
    case abi::reset_required:
      return "sudo nvidia-smi --gpu-reset, or reboot; dmesg | grep -i xid shows the reason";
    case abi::insufficient_power:
      return "connect the GPU's power cables";
    case abi::unknown:
      return "nvidia-smi";
    default:
      return {};
  }
}

/// Words for libraries that cannot say it themselves.
std::string describe(const Functions& functions, abi::Return code) {
  if (functions.error_string != nullptr) {
    const char* text = functions.error_string(code);
    if (text != nullptr) return text;
  }
  return fmt::format("NVML error {}", code);
}

/// A string out-parameter of NVML as text; empty on failure.
template <std::size_t size, class Call>
std::string text_from(Call call) {
  std::array<char, size> buffer{};
  if (call(buffer.data(), static_cast<unsigned>(size)) != abi::success) return {};
  buffer.back() = '\0';
  return buffer.data();
}

}  // namespace

Library::Library(void* handle) : handle_(handle) {
  find_symbol(handle, functions_.init, {"nvmlInit_v2", "nvmlInit"});
  find_symbol(handle, functions_.shutdown, {"nvmlShutdown"});
  find_symbol(handle, functions_.error_string, {"nvmlErrorString"});
  find_symbol(handle, functions_.driver_version, {"nvmlSystemGetDriverVersion"});
  find_symbol(handle, functions_.nvml_version, {"nvmlSystemGetNVMLVersion"});
  find_device_functions(handle, functions_);
  find_reading_functions(handle, functions_);
  simulated_ = ::dlsym(handle, "ergo_sim_is_simulated") != nullptr;
}

Library::~Library() {
  if (initialised_) functions_.shutdown();
  ::dlclose(handle_);
}

Result<std::shared_ptr<const Library>> Library::open(const std::optional<std::string>& path) {
  std::vector<std::string> names{"libnvidia-ml.so.1", "libnvidia-ml.so"};
  if (path) names = {*path};
  std::string reason;
  for (const std::string& name : names) {
    void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* text = ::dlerror();
      if (reason.empty()) reason = text != nullptr ? text : "cannot load " + name;
      continue;
    }
    // The constructor is private to keep the two-step start in one place.
    std::shared_ptr<Library> library(new Library(handle));
    if (auto started = library->initialise(); !started) return started.error();
    return std::shared_ptr<const Library>(std::move(library));
  }
  return Error{Errc::not_found, reason,
               path ? "unset ERGO_NVML, or let it name an NVML library" : ""};
}

Result<void> Library::initialise() {
  if (functions_.init == nullptr || functions_.shutdown == nullptr) {
    return Error{Errc::not_supported,
                 "the library has no nvmlInit and nvmlShutdown: it is not NVML",
                 "let ERGO_NVML name the driver's libnvidia-ml.so.1"};
  }
  if (const abi::Return code = functions_.init(); code != abi::success) {
    return error(code, "NVML does not start");
  }
  initialised_ = true;
  if (functions_.driver_version != nullptr) {
    driver_version_ = text_from<abi::version_buffer_size>(functions_.driver_version);
  }
  return {};
}

int Library::driver_branch() const {
  int branch = 0;
  std::from_chars(driver_version_.data(), driver_version_.data() + driver_version_.size(), branch);
  return branch;
}

Error Library::error(abi::Return code, const std::string& what) const {
  return Error{kind_of(code), fmt::format("{}: {}", what, describe(functions_, code)),
               std::string(remedy_of(code))};
}

Result<unsigned> Library::device_count() const {
  if (functions_.device_count == nullptr) return error(abi::function_not_found, "counting GPUs");
  unsigned count = 0;
  if (const abi::Return code = functions_.device_count(&count); code != abi::success) {
    return error(code, "counting GPUs");
  }
  return count;
}

Result<abi::Device> Library::device_at(unsigned index) const {
  const std::string what = fmt::format("GPU {}", index);
  if (functions_.handle_by_index == nullptr) return error(abi::function_not_found, what);
  abi::Device device = nullptr;
  if (const abi::Return code = functions_.handle_by_index(index, &device); code != abi::success) {
    return error(code, what);
  }
  return device;
}

Result<std::string> Library::uuid_of(abi::Device device) const {
  if (functions_.uuid == nullptr) return error(abi::function_not_found, "asking for the UUID");
  std::array<char, abi::uuid_buffer_size> buffer{};
  if (const abi::Return code = functions_.uuid(device, buffer.data(), abi::uuid_buffer_size);
      code != abi::success) {
    return error(code, "asking for the UUID");
  }
  buffer.back() = '\0';
  return std::string(buffer.data());
}

Result<abi::Device> Library::find(const std::string& uuid) const {
  if (functions_.handle_by_uuid == nullptr) return error(abi::function_not_found, uuid);
  abi::Device device = nullptr;
  if (const abi::Return code = functions_.handle_by_uuid(uuid.c_str(), &device);
      code != abi::success) {
    return error(code, uuid);
  }
  return device;
}

Result<Watts> Library::enforced_power_limit(abi::Device device) const {
  abi::Return code = abi::function_not_found;
  for (auto* read : {functions_.enforced_power_limit, functions_.power_limit}) {
    if (read == nullptr) continue;
    unsigned milliwatts = 0;
    code = read(device, &milliwatts);
    if (code == abi::success) return Watts(milliwatts * 1e-3);
  }
  return error(code, "asking for the power limit");
}

}  // namespace ergo::nvml
