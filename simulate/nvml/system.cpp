// Life cycle, versions, finding devices and what they are.
#include "nvml/session.hpp"

#include <array>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

namespace ergo::sim::nvml {
namespace {

int cuda_version(int branch) {
  if (branch < 510) return 11040;
  if (branch < 550) return 12020;
  return branch < 570 ? 12040 : 12080;
}

std::string bus_id(const Gpu& gpu) {
  char text[32];
  std::snprintf(text, sizeof text, "00000000:%02X:00.0", gpu.id.bus);
  return text;
}

std::string upper(std::string text) {
  for (char& c : text)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// Clients write the domain with four or eight digits, and in either case.
bool same_bus(std::string_view wanted, const Gpu& gpu) {
  const std::string full = bus_id(gpu);
  const std::string text = upper(std::string(wanted));
  return text == full || text == full.substr(4);
}

abi::Return fill_pci(const Gpu& gpu, abi::PciInfo* pci) {
  if (pci == nullptr) return abi::invalid_argument;
  *pci = {};
  std::snprintf(pci->bus_id, sizeof pci->bus_id, "%s", bus_id(gpu).c_str());
  std::snprintf(pci->bus_id_legacy, sizeof pci->bus_id_legacy, "0000:%02X:00.0", gpu.id.bus);
  pci->bus = gpu.id.bus;
  pci->device_id = gpu.preset().pci_device;
  pci->subsystem_id = 0x121210DE;
  return abi::success;
}

template <class Matches>
abi::Return find_device(abi::Device* device, Matches matches) {
  Node* one = node();
  if (one == nullptr) return abi::uninitialized;
  if (device == nullptr) return abi::invalid_argument;
  for (std::size_t i = 0; i < one->gpu_count(); ++i) {
    const Gpu gpu = one->gpu(i);
    if (!matches(gpu)) continue;
    if (gpu.lost()) return abi::gpu_is_lost;
    *device = handle_of(i);
    return abi::success;
  }
  return abi::not_found;
}

template <class Number>
abi::Return give(abi::Device device, Number* out, Number (*value)(const Gpu&)) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    *out = value(gpu);
    return abi::success;
  });
}

constexpr std::array<const char*, 31> kErrors{
    "Success",
    "Uninitialized",
    "Invalid Argument",
    "Not Supported",
    "Insufficient Permissions",
    "Already Initialized",
    "Not Found",
    "Insufficient Size",
    "Insufficient External Power",
    "Driver Not Loaded",
    "Timeout",
    "Interrupt Request Issue",
    "NVML Shared Library Not Found",
    "Function Not Found",
    "Corrupted infoROM",
    "GPU is lost",
    "GPU requires restart",
    "The operating system has blocked the request.",
    "RM has detected an NVML/RM version mismatch.",
    "GPU is currently in use",
    "Insufficient Memory",
    "No data",
    "Requested vGPU operation not available on target device, because ECC is enabled",
    "Insufficient Resources",
    "Requested frequency not supported",
    "Argument version mismatch",
    "Deprecated",
    "Not ready",
    "GPU not found",
    "Invalid state",
    "Reset type not supported"};

}  // namespace
}  // namespace ergo::sim::nvml

using namespace ergo::sim::nvml;  // NOLINT(google-build-using-namespace): the exported functions
                                  // are global
using ergo::sim::Gpu;

ERGO_SIM_EXPORT abi::Return nvmlInit_v2() {
  return init();
}
ERGO_SIM_EXPORT abi::Return nvmlInit() {
  return init();
}
ERGO_SIM_EXPORT abi::Return nvmlInitWithFlags(unsigned) {
  return init();
}
ERGO_SIM_EXPORT abi::Return nvmlShutdown() {
  return shutdown();
}

ERGO_SIM_EXPORT const char* nvmlErrorString(abi::Return result) {
  if (result < 0 || static_cast<std::size_t>(result) >= kErrors.size()) return "Unknown Error";
  return kErrors[static_cast<std::size_t>(result)];
}

ERGO_SIM_EXPORT abi::Return nvmlSystemGetDriverVersion(char* out, unsigned size) {
  const auto* one = node();
  return one == nullptr ? abi::uninitialized : give_text(one->info().driver, out, size);
}

ERGO_SIM_EXPORT abi::Return nvmlSystemGetNVMLVersion(char* out, unsigned size) {
  const auto* one = node();
  if (one == nullptr) return abi::uninitialized;
  const int cuda = cuda_version(one->info().driver_branch) / 1000;
  return give_text(std::to_string(cuda) + "." + one->info().driver, out, size);
}

ERGO_SIM_EXPORT abi::Return nvmlSystemGetCudaDriverVersion(int* out) {
  const auto* one = node();
  if (one == nullptr) return abi::uninitialized;
  if (out == nullptr) return abi::invalid_argument;
  *out = cuda_version(one->info().driver_branch);
  return abi::success;
}

ERGO_SIM_EXPORT abi::Return nvmlSystemGetCudaDriverVersion_v2(int* out) {
  return nvmlSystemGetCudaDriverVersion(out);
}

ERGO_SIM_EXPORT abi::Return nvmlSystemGetProcessName(unsigned pid, char* out, unsigned size) {
  if (node() == nullptr) return abi::uninitialized;
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  return std::getline(file, name) ? give_text(name, out, size) : abi::not_found;
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetCount_v2(unsigned* out) {
  const auto* one = node();
  if (one == nullptr) return abi::uninitialized;
  if (out == nullptr) return abi::invalid_argument;
  *out = static_cast<unsigned>(one->gpu_count());
  return abi::success;
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetCount(unsigned* out) {
  return nvmlDeviceGetCount_v2(out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetHandleByIndex_v2(unsigned index, abi::Device* device) {
  auto* one = node();
  if (one == nullptr) return abi::uninitialized;
  if (device == nullptr || index >= one->gpu_count()) return abi::invalid_argument;
  if (one->gpu(index).lost()) return abi::gpu_is_lost;
  *device = handle_of(index);
  return abi::success;
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetHandleByIndex(unsigned index, abi::Device* device) {
  return nvmlDeviceGetHandleByIndex_v2(index, device);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetHandleByUUID(const char* uuid, abi::Device* device) {
  if (uuid == nullptr) return abi::invalid_argument;
  return find_device(device,
                     [&](const Gpu& gpu) { return std::strcmp(gpu.id.uuid.data(), uuid) == 0; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetHandleByPciBusId_v2(const char* bus, abi::Device* device) {
  if (bus == nullptr) return abi::invalid_argument;
  return find_device(device, [&](const Gpu& gpu) { return same_bus(bus, gpu); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetHandleBySerial(const char* serial, abi::Device* device) {
  if (serial == nullptr) return abi::invalid_argument;
  return find_device(
      device, [&](const Gpu& gpu) { return std::strcmp(gpu.id.serial.data(), serial) == 0; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetIndex(abi::Device device, unsigned* out) {
  std::size_t index = 0;
  if (out == nullptr) return abi::invalid_argument;
  const abi::Return found = index_of(device, index);
  if (found == abi::success) *out = static_cast<unsigned>(index);
  return found;
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMinorNumber(abi::Device device, unsigned* out) {
  return nvmlDeviceGetIndex(device, out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetName(abi::Device device, char* out, unsigned size) {
  return query(
      device, [&](const Gpu& gpu) { return give_text(std::string(gpu.preset().name), out, size); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetUUID(abi::Device device, char* out, unsigned size) {
  return query(device, [&](const Gpu& gpu) { return give_text(gpu.id.uuid.data(), out, size); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetSerial(abi::Device device, char* out, unsigned size) {
  return query(device, [&](const Gpu& gpu) { return give_text(gpu.id.serial.data(), out, size); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPciInfo_v3(abi::Device device, abi::PciInfo* out) {
  return query(device, [&](const Gpu& gpu) { return fill_pci(gpu, out); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPciInfo_v2(abi::Device device, abi::PciInfo* out) {
  return nvmlDeviceGetPciInfo_v3(device, out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetArchitecture(abi::Device device, unsigned* out) {
  return give<unsigned>(device, out, [](const Gpu& gpu) { return gpu.preset().architecture; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetBrand(abi::Device device, unsigned* out) {
  constexpr unsigned tesla = 2;
  return give<unsigned>(device, out, [](const Gpu&) { return tesla; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetNumGpuCores(abi::Device device, unsigned* out) {
  return give<unsigned>(device, out, [](const Gpu& gpu) { return gpu.preset().cores; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMemoryBusWidth(abi::Device device, unsigned* out) {
  return give<unsigned>(device, out, [](const Gpu& gpu) { return gpu.preset().memory_bus_bits; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetComputeMode(abi::Device device, unsigned* out) {
  return give<unsigned>(device, out, [](const Gpu&) { return 0U; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetCudaComputeCapability(abi::Device device, int* major,
                                                               int* minor) {
  if (major == nullptr || minor == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    *major = static_cast<int>(gpu.preset().compute_major);
    *minor = static_cast<int>(gpu.preset().compute_minor);
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetPersistenceMode(abi::Device device, unsigned* out) {
  return give<unsigned>(device, out, [](const Gpu& gpu) { return gpu.persistence; });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceSetPersistenceMode(abi::Device device, unsigned mode) {
  if (mode > abi::enabled) return abi::invalid_argument;
  return change(device, [&](Gpu& gpu) {
    gpu.persistence = mode;
    return abi::success;
  });
}
