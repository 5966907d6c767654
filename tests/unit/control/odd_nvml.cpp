// The simulated NVML, but without the range of limits (so that only reading back can show a clamp),
// and with a setter that refuses to work unless the file named by ODD_NVML_NEEDS is there. All else
// is found in the library that this one is linked to.
#include "sensors/nvml/abi.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

namespace abi = ergo::nvml::abi;

extern "C" abi::Return nvmlDeviceGetPowerManagementLimitConstraints(abi::Device, unsigned*,
                                                                    unsigned*) {
  return abi::not_supported;
}

extern "C" abi::Return nvmlDeviceSetPowerManagementLimit(abi::Device device, unsigned mw) {
  const char* needed = std::getenv("ODD_NVML_NEEDS");
  if (needed != nullptr && access(needed, R_OK) != 0) return abi::unknown;
  auto* real = reinterpret_cast<abi::DeviceSetPowerManagementLimit*>(
      dlsym(RTLD_NEXT, "nvmlDeviceSetPowerManagementLimit"));
  return real == nullptr ? abi::function_not_found : real(device, mw);
}
