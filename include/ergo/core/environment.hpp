#pragma once
// The seams to the outside world (docs/ARCHITECTURE.md): where /sys and /proc are, which NVML
// library to load. Read from the process environment once, in main, and passed down.

#include <filesystem>
#include <optional>
#include <string>

namespace ergo {

struct Environment {
  std::filesystem::path sysfs = "/sys";
  /// ERGO_SYSFS is set: `sysfs` is a stand-in, so backends that bypass it (perf, MSR) must stay
  /// off.
  bool sysfs_replaced = false;
  std::filesystem::path procfs = "/proc";
  /// ERGO_NVML: the library to load in place of libnvidia-ml.so.1.
  std::optional<std::string> nvml_library;
  /// CUDA_VISIBLE_DEVICES as it stands; absent when unset.
  std::optional<std::string> cuda_visible_devices;
  /// ERGO_STATE_DIR, or its default: /run/ergo as root, else $XDG_RUNTIME_DIR/ergo, else
  /// /tmp/ergo-<uid>.
  std::filesystem::path state_dir;
  /// /run/ergo for users other than root whose `state_dir` is their default: what `sudo ergo` saved
  /// lies there, and can be read. Else empty.
  std::filesystem::path roots_state_dir;
  /// CUDA_DEVICE_ORDER; absent when unset (CUDA then numbers GPUs from the fastest on).
  std::optional<std::string> cuda_device_order;

  static Environment from_process();
};

}  // namespace ergo
