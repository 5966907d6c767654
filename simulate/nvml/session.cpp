#include "nvml/session.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>

namespace ergo::sim::nvml {
namespace {

struct Session {
  std::mutex mutex;
  int users = 0;
  std::unique_ptr<Node> node;
};

Session& session() {
  static Session one;
  return one;
}

std::array<char, kMaxGpus> handles{};

}  // namespace

abi::Return init() {
  Session& s = session();
  const std::lock_guard guard(s.mutex);
  if (s.users == 0) {
    auto opened = Node::from_environment();
    if (!opened) return abi::driver_not_loaded;
    s.node = std::make_unique<Node>(std::move(opened).value());
  }
  ++s.users;
  return abi::success;
}

abi::Return shutdown() {
  Session& s = session();
  const std::lock_guard guard(s.mutex);
  if (s.users == 0) return abi::uninitialized;
  if (--s.users == 0) s.node.reset();
  return abi::success;
}

Node* node() {
  Session& s = session();
  const std::lock_guard guard(s.mutex);
  return s.node.get();
}

abi::Device handle_of(std::size_t index) {
  return reinterpret_cast<abi::Device>(&handles[index]);
}

abi::Return index_of(abi::Device device, std::size_t& index) {
  const Node* one = node();
  if (one == nullptr) return abi::uninitialized;
  for (std::size_t i = 0; i < one->gpu_count(); ++i) {
    if (device == handle_of(i)) {
      index = i;
      return abi::success;
    }
  }
  return abi::invalid_argument;
}

abi::Return look_at(abi::Device device, Gpu& gpu) {
  std::size_t index = 0;
  if (const abi::Return found = index_of(device, index); found != abi::success) return found;
  Node& one = *node();
  if (one.info().call_latency_us > 0 && !one.info().manual_clock)
    usleep(one.info().call_latency_us);
  gpu = one.gpu(index);
  if (gpu.lost()) return abi::gpu_is_lost;
  return gpu.faults.no_permission != 0 ? abi::no_permission : abi::success;
}

abi::Return give_text(const std::string& text, char* out, unsigned size) {
  if (out == nullptr) return abi::invalid_argument;
  if (text.size() + 1 > size) return abi::insufficient_size;
  std::memcpy(out, text.c_str(), text.size() + 1);
  return abi::success;
}

unsigned long long unix_us(std::int64_t simulation_ns) {
  return static_cast<unsigned long long>((simulation_ns + node()->info().unix_offset_ns) / 1000);
}

unsigned milliwatts(double watts) {
  return static_cast<unsigned>(std::lround(std::max(0.0, watts) * 1e3));
}

unsigned percent(double share) {
  return static_cast<unsigned>(std::lround(std::clamp(share, 0.0, 1.0) * 100.0));
}

double average_power_w(const Gpu& gpu) {
  return gpu.reported_w(gpu.sensor.mean_w(kNsPerSecond));
}

double shown_power_w(const Gpu& gpu) {
  const int since = gpu.preset().averaged_since_branch;
  const bool averaged = since > 0 && node()->info().driver_branch >= since;
  return averaged ? average_power_w(gpu) : gpu.reported_w(gpu.sensor.last().power_w);
}

}  // namespace ergo::sim::nvml
