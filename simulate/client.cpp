#include "client.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace ergo::sim {
namespace {

constexpr double kEndless = 1e18;
constexpr double kLongestWork = 365.0 * 86400.0;
constexpr std::int64_t kLookAgainNs = 50'000'000;  // a limit may have changed meanwhile

void begin(Slot& slot, const Demand& demand, double work_s, std::int64_t now_ns) {
  slot.demand = demand;
  slot.burst_period_s = 0.0;
  slot.burst_duty = 1.0;
  slot.origin_ns = now_ns;
  slot.work_done_s = 0.0;
  slot.work_target_s = work_s;
}

void pass(Node& node, std::int64_t ns) {
  if (node.info().manual_clock) {
    node.set_time_ns(node.now_ns() + ns);
    return;
  }
  const timespec span{ns / kNsPerSecond, ns % kNsPerSecond};
  nanosleep(&span, nullptr);
}

std::int64_t time_to_finish(const Slot& slot) {
  if (slot.rate <= 0.0) return kLookAgainNs;
  const double ns = (slot.work_target_s - slot.work_done_s) / slot.rate * 1e9;
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(std::min(ns, 1e12))), 1,
                                  kLookAgainNs);
}

}  // namespace

Result<GpuContext> GpuContext::open(Node& node, std::size_t gpu, std::uint64_t memory_bytes) {
  if (gpu >= node.gpu_count())
    return Error{Errc::invalid_argument, "there is no simulated GPU of that number", ""};
  std::optional<std::size_t> found;
  bool lost = false;
  node.update(gpu, [&](Gpu& state) {
    lost = state.lost();
    const auto free = std::find_if(state.slots.begin(), state.slots.end(),
                                   [](const Slot& s) { return s.pid == 0; });
    if (lost || free == state.slots.end()) return;
    found = static_cast<std::size_t>(free - state.slots.begin());
    *free = Slot{};
    free->pid = getpid();
    free->memory_bytes = memory_bytes;
    free->sm.next_ns = state.utilization.next_ns;
    free->memory.next_ns = state.utilization.next_ns;
  });
  if (lost) return Error{Errc::lost, "the simulated GPU has fallen off the bus", ""};
  if (!found)
    return Error{Errc::busy, "too many programs use this simulated GPU", "end one of them"};
  return GpuContext(node, gpu, *found);
}

GpuContext::GpuContext(GpuContext&& other) noexcept
    : node_(std::exchange(other.node_, nullptr)),
      gpu_(other.gpu_),
      slot_(other.slot_),
      pid_(other.pid_) {}

GpuContext::~GpuContext() {
  if (node_ == nullptr || pid_ != getpid()) return;  // after a fork the slot is still the parent's
  node_->update(gpu_, [&](Gpu& state) { state.slots[slot_] = Slot{}; });
}

GpuContext::GpuContext(Node& node, std::size_t gpu, std::size_t slot)
    : node_(&node), gpu_(gpu), slot_(slot), pid_(getpid()) {}

void GpuContext::set_memory(std::uint64_t bytes) {
  node_->update(gpu_, [&](Gpu& state) { state.slots[slot_].memory_bytes = bytes; });
}

void GpuContext::set_demand(const Demand& demand, double burst_period_s, double burst_duty) {
  node_->update(gpu_, [&](Gpu& state) {
    Slot& slot = state.slots[slot_];
    begin(slot, demand, kEndless, state.now_ns);
    slot.burst_period_s = burst_period_s;
    slot.burst_duty = burst_duty;
  });
}

Result<double> GpuContext::run(const Demand& demand, double work_s) {
  if (!(work_s >= 0.0) || work_s >= kLongestWork) {
    return Error{Errc::invalid_argument, "work needs a length from zero to a year", ""};
  }
  if (!demand.active()) return wait(work_s);
  std::int64_t started_ns = 0;
  node_->update(gpu_, [&](Gpu& state) {
    started_ns = state.now_ns;
    begin(state.slots[slot_], demand, work_s, state.now_ns);
    state.slots[slot_].finished_ns = state.now_ns;
  });
  if (work_s <= 1e-9) return 0.0;
  while (true) {
    const Gpu state = node_->gpu(gpu_);
    const Slot& slot = state.slots[slot_];
    if (state.lost()) return Error{Errc::lost, "the simulated GPU has fallen off the bus", ""};
    if (slot.finished_ns > started_ns)
      return static_cast<double>(slot.finished_ns - started_ns) * 1e-9;
    pass(*node_, time_to_finish(slot));
  }
}

Result<double> GpuContext::wait(double duration_s) {
  set_demand({});
  const std::int64_t start = node_->now_ns();
  const std::int64_t end = start + std::llround(duration_s * static_cast<double>(kNsPerSecond));
  for (std::int64_t now = start; now < end; now = node_->now_ns()) {
    pass(*node_, std::min(end - now, kLookAgainNs));
    if (node_->gpu(gpu_).lost()) {
      return Error{Errc::lost, "the simulated GPU has fallen off the bus", ""};
    }
  }
  return seconds(node_->now_ns() - start);
}

}  // namespace ergo::sim
