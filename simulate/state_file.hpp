#pragma once
// Layout of the shared state file. Only node.cpp and node_create.cpp look inside.

#include "gpu.hpp"
#include "node.hpp"
#include "package.hpp"

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace ergo::sim {

/// Two copies of a state: the active one is never written to, so it is whole whatever happens to
/// the writer.
template <class State>
struct Cell {
  std::atomic<std::uint32_t> active{0};
  std::array<State, 2> copies{};
  std::array<Segment, kSegmentCapacity> segments;

  [[nodiscard]] const State& now() const { return copies[active.load(std::memory_order_acquire)]; }
  /// The other copy, made equal to the active one.
  State& stage() {
    const std::uint32_t other = 1 - active.load(std::memory_order_acquire);
    copies[other] = now();
    return copies[other];
  }
  void commit() {
    active.store(1 - active.load(std::memory_order_relaxed), std::memory_order_release);
  }
};

struct StateFile {
  static constexpr std::uint64_t kMagic = 0x314D49534F475245ULL;  // "ERGOSIM1"
  static constexpr std::uint32_t kVersion = 1;

  std::atomic<std::uint64_t> magic;  // written last: until then the file is not ready
  std::uint32_t version;
  std::uint32_t gpu_count;
  std::uint32_t package_count;
  std::uint32_t call_latency_us;
  std::int32_t manual_clock;
  std::int32_t permission;
  std::int32_t clamp_limits;
  std::int32_t driver_branch;
  std::array<char, 32> driver;
  std::uint64_t seed;
  std::int64_t start_ns;
  std::int64_t unix_offset_ns;
  std::atomic<std::int64_t> manual_now_ns;
  pthread_mutex_t lock;
  std::array<Cell<Gpu>, kMaxGpus> gpus;
  std::array<Cell<Package>, kMaxPackages> packages;
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free);

}  // namespace ergo::sim
