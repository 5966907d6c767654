// What sampling costs: CPU time of the sampler's thread with simulated GPUs and two RAPL packages,
// and the memory of a long timeline.
//   build/release/bin/sampling_bench
// Times of the wall clock mean nothing here: look at the counters.

#include "ergo/core/files.hpp"
#include "ergo/sampling/sampler.hpp"
#include "node.hpp"
#include "sensors/nvml/nvml.hpp"
#include "sensors/rapl/rapl.hpp"
#include "sysfs_tree.hpp"

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

namespace ergo {
namespace {

/// A simulated node on the real clock, and the sensors that find it.
class SimulatedNode {
 public:
  explicit SimulatedNode(std::size_t gpus)
      : folder_(TemporaryFolder::create("ergo-bench").value()) {
    sim::NodeOptions options;
    options.packages = 2;
    for (std::size_t i = 0; i < gpus; ++i) {
      sim::GpuOptions& gpu = options.gpus.emplace_back();
      gpu.load.kind = sim::LoadKind::bursty;
    }
    const auto state = folder_.path() / "state";
    auto node = sim::Node::create(state, options).value();
    const auto root = folder_.path() / "sys";
    (void)sim::SysfsTree::make(root, node, {}).value();
    setenv(sim::kStateVariable, state.c_str(), 1);

    DiscoveryContext context;
    context.environment.nvml_library = ERGO_SIM_NVML;
    context.environment.sysfs = root;
    context.environment.sysfs_replaced = true;
    context.gpus.mode = GpuSelection::Mode::all;
    if (gpus > 0) nvml::discover(context, found_);
    rapl::discover(context, found_);
  }

  [[nodiscard]] std::vector<Sensor*> sensors() const {
    std::vector<Sensor*> all;
    for (const auto& sensor : found_.sensors)
      all.push_back(sensor.get());
    return all;
  }

 private:
  TemporaryFolder folder_;
  Discovery found_;
};

void sample_for(benchmark::State& state, const std::vector<Sensor*>& sensors) {
  const Seconds period(1.0 / static_cast<double>(state.range(0)));
  const Seconds length(std::max(3.0, 10.0 * period.value()));
  for (auto _ : state) {
    SystemClock clock;
    Timeline timeline;
    Sampler sampler(sensors, timeline, clock, {period});
    sampler.start();
    const Instant begin = clock.now();
    const Seconds cpu_before = sampler.stats().cpu;
    std::this_thread::sleep_for(std::chrono::duration<double>(length.value()));
    sampler.stop();
    const SamplerStats stats = sampler.stats();
    const double cpu = (stats.cpu - cpu_before).value();
    const double ticks = static_cast<double>(stats.ticks - 1);
    state.counters["percent_of_core"] = 100.0 * cpu / (clock.now() - begin).value();
    state.counters["us_per_tick"] = 1e6 * cpu / ticks;
    state.counters["ticks"] = ticks;
    state.counters["missed"] = static_cast<double>(stats.missed_ticks);
    state.counters["late"] = static_cast<double>(stats.late_ticks);
  }
}

/// Arguments: readings per second, GPUs.
void SamplerCpu(benchmark::State& state) {
  const SimulatedNode node(static_cast<std::size_t>(state.range(1)));
  sample_for(state, node.sensors());
}
BENCHMARK(SamplerCpu)
    ->ArgNames({"hz", "gpus"})
    ->ArgsProduct({{1, 10, 100, 1000}, {1, 8}})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

/// The same with nothing to read: what waking up costs on this machine.
void SamplerCpuWithoutSensors(benchmark::State& state) {
  sample_for(state, {});
}
BENCHMARK(SamplerCpuWithoutSensors)
    ->ArgName("hz")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

/// A plain loop in C that does nothing but wait: what any program pays here for waking so often.
void PlainTimerLoop(benchmark::State& state) {
  constexpr long ns_per_s = 1'000'000'000;
  const long hz = state.range(0);
  const long wakes = 3 * hz;
  for (auto _ : state) {
    timespec next{};
    clock_gettime(CLOCK_MONOTONIC, &next);
    const Seconds cpu_before = thread_cpu_time();
    for (long i = 0; i < wakes; ++i) {
      next.tv_nsec += ns_per_s / hz;
      if (next.tv_nsec >= ns_per_s) {
        next.tv_nsec -= ns_per_s;
        ++next.tv_sec;
      }
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
    }
    const double cpu = (thread_cpu_time() - cpu_before).value();
    state.counters["percent_of_core"] = 100.0 * cpu / 3.0;
    state.counters["us_per_tick"] = 1e6 * cpu / static_cast<double>(wakes);
  }
}
BENCHMARK(PlainTimerLoop)
    ->ArgName("hz")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

/// One tick after the other, without sleeping: what reading and recording cost by themselves, with
/// warm caches.
void Tick(benchmark::State& state) {
  const SimulatedNode node(static_cast<std::size_t>(state.range(0)));
  SystemClock clock;
  Timeline timeline;
  Sampler sampler(node.sensors(), timeline, clock, {});
  for (auto _ : state)
    sampler.tick();
  const SamplerStats stats = sampler.stats();
  state.counters["samples_per_tick"] =
      static_cast<double>(stats.samples) / static_cast<double>(stats.ticks);
}
BENCHMARK(Tick)->ArgName("gpus")->Arg(0)->Arg(1)->Arg(8)->Unit(benchmark::kMicrosecond);

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  double total = 0.0;
  double resident = 0.0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// Ten million samples of 20 signals, appended as fast as can be. `resident_mib` is what the
/// process grew by.
void TimelineMemory(benchmark::State& state) {
  constexpr std::int64_t samples = 10'000'000;
  constexpr std::int64_t signals = 20;
  for (auto _ : state) {
    const double before = resident_mib();
    Timeline timeline;
    for (std::int64_t i = 0; i < signals; ++i) {
      SignalInfo info;
      info.name = "signal" + std::to_string(i);
      timeline.add(info);
    }
    for (std::int64_t i = 0; i < samples; ++i) {
      timeline.append(static_cast<SignalId>(i % signals),
                      {Instant{i * 1'000'000}, static_cast<double>(i), 0.0F});
    }
    state.counters["resident_mib"] = resident_mib() - before;
    state.counters["spill_failed"] = timeline.spill_error() ? 1 : 0;
    state.counters["samples_per_second"] =
        benchmark::Counter(static_cast<double>(samples), benchmark::Counter::kIsRate);
  }
}
BENCHMARK(TimelineMemory)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ergo
