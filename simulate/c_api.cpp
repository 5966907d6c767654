// The C face of the simulated node: sim_api.h.
#include "client.hpp"
#include "node.hpp"
#include "sim_api.h"

#include <unistd.h>

#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#define ERGO_SIM_EXPORT extern "C" __attribute__((visibility("default")))

namespace ergo::sim {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// One per process, as the C interface has no handle to hang it on.
struct Attached {
  std::mutex mutex;  // guards everything here; a running ergo_sim_run holds only its context
  std::string path;
  std::vector<std::unique_ptr<Node>>
      nodes;  // the last one is current; earlier ones may still be in use
  pid_t pid = 0;
  std::map<unsigned, std::shared_ptr<GpuContext>> contexts;
};

Attached& attached() {
  static Attached one;
  return one;
}

// Follows ERGO_SIM_STATE when it changes, and gives a forked child contexts of its own.
Node* current(Attached& all) {
  const char* path = std::getenv(kStateVariable);  // NOLINT(concurrency-mt-unsafe)
  if (path == nullptr) return nullptr;
  if (all.pid != getpid() || all.path != path) all.contexts.clear();
  all.pid = getpid();
  if (all.nodes.empty() || all.path != path) {
    auto opened = Node::open(path);
    if (!opened) return nullptr;
    all.path = path;
    all.nodes.push_back(std::make_unique<Node>(std::move(opened).value()));
  }
  return all.nodes.back().get();
}

Node* node() {
  Attached& all = attached();
  const std::lock_guard guard(all.mutex);
  return current(all);
}

Node* node_with_gpu(unsigned gpu) {
  Node* one = node();
  return one != nullptr && gpu < one->gpu_count() ? one : nullptr;
}

std::shared_ptr<GpuContext> context(unsigned gpu) {
  Attached& all = attached();
  const std::lock_guard guard(all.mutex);
  Node* one = current(all);
  if (one == nullptr) return nullptr;
  std::shared_ptr<GpuContext>& place = all.contexts[gpu];
  if (!place) {
    auto opened = GpuContext::open(*one, gpu);
    if (!opened) return nullptr;
    place = std::make_shared<GpuContext>(std::move(opened).value());
  }
  return place;
}

template <class Change>
int change_gpu(unsigned gpu, Change change) {
  Node* one = node_with_gpu(gpu);
  if (one == nullptr) return -1;
  one->update(gpu, change);
  return 0;
}

}  // namespace
}  // namespace ergo::sim

using ergo::sim::Gpu;

ERGO_SIM_EXPORT int ergo_sim_is_simulated() {
  return 1;
}

ERGO_SIM_EXPORT int ergo_sim_gpu_count() {
  const auto* node = ergo::sim::node();
  return node == nullptr ? -1 : static_cast<int>(node->gpu_count());
}

ERGO_SIM_EXPORT int64_t ergo_sim_now_ns() {
  const auto* node = ergo::sim::node();
  return node == nullptr ? -1 : node->now_ns();
}

ERGO_SIM_EXPORT int ergo_sim_set_time_ns(int64_t t_ns) {
  auto* node = ergo::sim::node();
  return node != nullptr && node->set_time_ns(t_ns) ? 0 : -1;
}

ERGO_SIM_EXPORT double ergo_sim_truth_j(unsigned gpu, int64_t from_ns, int64_t to_ns) {
  auto* node = ergo::sim::node_with_gpu(gpu);
  return node == nullptr ? ergo::sim::kUnknown : node->gpu_energy_j(gpu, from_ns, to_ns);
}

ERGO_SIM_EXPORT double ergo_sim_truth_cpu_j(unsigned package, int domain, int64_t from_ns,
                                            int64_t to_ns) {
  auto* node = ergo::sim::node();
  if (node == nullptr || package >= node->package_count() || domain < 0 ||
      static_cast<std::size_t>(domain) >= ergo::sim::kCpuDomains) {
    return ergo::sim::kUnknown;
  }
  return node->cpu_energy_j(package, static_cast<ergo::sim::CpuDomain>(domain), from_ns, to_ns);
}

ERGO_SIM_EXPORT int64_t ergo_sim_start_ns() {
  const auto* node = ergo::sim::node();
  return node == nullptr ? -1 : node->info().start_ns;
}

ERGO_SIM_EXPORT double ergo_sim_gain(unsigned gpu) {
  auto* node = ergo::sim::node_with_gpu(gpu);
  return node == nullptr ? ergo::sim::kUnknown : node->gpu(gpu).id.gain;
}

ERGO_SIM_EXPORT double ergo_sim_power_w(unsigned gpu) {
  auto* node = ergo::sim::node_with_gpu(gpu);
  return node == nullptr ? ergo::sim::kUnknown : node->gpu(gpu).point.power_w;
}

ERGO_SIM_EXPORT double ergo_sim_clock_mhz(unsigned gpu) {
  auto* node = ergo::sim::node_with_gpu(gpu);
  return node == nullptr ? ergo::sim::kUnknown : node->gpu(gpu).point.effective_clock_mhz;
}

ERGO_SIM_EXPORT int ergo_sim_set_demand(unsigned gpu, double compute, double memory,
                                        double memory_bound) {
  const auto context = ergo::sim::context(gpu);
  if (!context) return -1;
  context->set_demand({compute, memory, memory_bound});
  return 0;
}

ERGO_SIM_EXPORT double ergo_sim_run(unsigned gpu, double compute, double memory,
                                    double memory_bound, double work_s) {
  const auto context = ergo::sim::context(gpu);
  return context ? context->run({compute, memory, memory_bound}, work_s).value_or(-1.0) : -1.0;
}

ERGO_SIM_EXPORT int ergo_sim_set_memory(unsigned gpu, uint64_t bytes) {
  const auto context = ergo::sim::context(gpu);
  if (!context) return -1;
  context->set_memory(bytes);
  return 0;
}

ERGO_SIM_EXPORT int ergo_sim_lose_gpu(unsigned gpu, int64_t t_ns) {
  return ergo::sim::change_gpu(gpu, [&](Gpu& state) { state.faults.lost_at_ns = t_ns; });
}

ERGO_SIM_EXPORT int ergo_sim_reset_counter(unsigned gpu, int64_t t_ns) {
  return ergo::sim::change_gpu(gpu, [&](Gpu& state) {
    state.faults.counter_reset_at_ns = t_ns;
    state.counter_was_reset = 0;
  });
}
