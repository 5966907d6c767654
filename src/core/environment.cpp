#include "ergo/core/environment.hpp"

#include <unistd.h>

#include <cstdlib>

namespace ergo {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::optional<std::string> non_empty(const char* name) {
  auto value = variable(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

constexpr const char* state_dir_of_root = "/run/ergo";

std::filesystem::path default_state_dir() {
  if (::geteuid() == 0) return state_dir_of_root;
  if (const auto runtime = non_empty("XDG_RUNTIME_DIR"))
    return std::filesystem::path(*runtime) / "ergo";
  return "/tmp/ergo-" + std::to_string(::geteuid());
}

}  // namespace

Environment Environment::from_process() {
  Environment environment;
  if (const auto sysfs = non_empty("ERGO_SYSFS")) {
    environment.sysfs = *sysfs;
    environment.sysfs_replaced = true;
  }
  environment.nvml_library = non_empty("ERGO_NVML");
  environment.cuda_visible_devices = variable("CUDA_VISIBLE_DEVICES");
  environment.cuda_device_order = variable("CUDA_DEVICE_ORDER");
  const auto state_dir = non_empty("ERGO_STATE_DIR");
  environment.state_dir = state_dir.value_or(default_state_dir());
  if (!state_dir && ::geteuid() != 0) environment.roots_state_dir = state_dir_of_root;
  return environment;
}

}  // namespace ergo
