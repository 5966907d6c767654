#pragma once
// What all the exported functions share: the node behind ERGO_SIM_STATE, its handles, and the
// checks before an answer.

#include "node.hpp"
#include "sensors/nvml/abi.hpp"

#include <cstdint>
#include <string>

#define ERGO_SIM_EXPORT extern "C" __attribute__((visibility("default")))

namespace ergo::sim::nvml {

namespace abi = ergo::nvml::abi;

/// Reference-counted, as NVML's is. init: driver_not_loaded without a node.
abi::Return init();
abi::Return shutdown();

/// The node between init and shutdown; null outside.
Node* node();

/// The handle of GPU `index` < kMaxGpus, and back. index_of: uninitialized, or invalid_argument for
/// a foreign pointer.
abi::Device handle_of(std::size_t index);
abi::Return index_of(abi::Device device, std::size_t& index);

/// Checks the handle, sleeps the configured latency, and copies the GPU as it is now: gpu_is_lost,
/// no_permission.
abi::Return look_at(abi::Device device, Gpu& gpu);

/// Answers from a copy of the GPU: query(device, [&](const Gpu& gpu) { *out = …; return
/// abi::success; }).
template <class Answer>
abi::Return query(abi::Device device, Answer answer) {
  Gpu gpu;
  const abi::Return looked = look_at(device, gpu);
  return looked == abi::success ? answer(gpu) : looked;
}

/// Changes the GPU under the lock, after the same checks: change(device, [&](Gpu& gpu) { …; return
/// abi::success; }).
template <class Change>
abi::Return change(abi::Device device, Change apply) {
  Gpu before;
  std::size_t index = 0;
  abi::Return result = look_at(device, before);
  if (result == abi::success) result = index_of(device, index);
  if (result != abi::success) return result;
  node()->update(index, [&](Gpu& gpu) { result = apply(gpu); });
  return result;
}

/// Copies a string with its zero; insufficient_size when it does not fit.
abi::Return give_text(const std::string& text, char* out, unsigned size);

/// Driver time stamps: microseconds since 1970.
unsigned long long unix_us(std::int64_t simulation_ns);

unsigned milliwatts(double watts);
unsigned percent(double share);

/// What nvmlDeviceGetPowerUsage shows with this driver: the last read-out, or their mean over a
/// second.
double shown_power_w(const Gpu& gpu);
/// Mean over one second, whatever the driver.
double average_power_w(const Gpu& gpu);

}  // namespace ergo::sim::nvml
