// What a window costs.
//   build/release/bin/energy_bench

#include "ergo/energy/measure.hpp"

#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>

namespace ergo {
namespace {

constexpr std::int64_t ten_million = 10'000'000;
constexpr std::int64_t period_ns = 1'000'000;

/// `samples` readings of one signal at 1 kHz. `in_memory` of them stay in memory.
std::unique_ptr<Timeline> recorded(SignalKind kind, std::int64_t samples, std::size_t in_memory) {
  TimelineOptions options;
  options.memory_samples = in_memory;
  auto timeline = std::make_unique<Timeline>(options);
  SignalInfo info;
  info.name = "test@gpu0";
  info.channel = info.device = "gpu0";
  info.domain = Domain::gpu;
  info.kind = kind;
  info.traits.update_period = Seconds(0.02);
  info.traits.sampled_fraction = kind == SignalKind::energy ? 0.5 : 1.0;
  const SignalId id = timeline->add(info);
  double joules = 0.0;
  for (std::int64_t i = 0; i < samples; ++i) {
    const double watts = i / 700 % 2 == 0 ? 250.0 : 60.0;
    joules += watts * 1e-3;
    timeline->append(id,
                     {Instant{i * period_ns}, kind == SignalKind::energy ? joules : watts, 0.0F});
  }
  return timeline;
}

void whole_window(benchmark::State& state, SignalKind kind, std::size_t in_memory) {
  const auto timeline = recorded(kind, ten_million, in_memory);
  const Window window{Instant{0}, Instant{(ten_million - 1) * period_ns}};
  double joules = 0.0;
  for (auto _ : state) {
    joules = measure(*timeline, window).channels.at(0).joules.value();
    benchmark::DoNotOptimize(joules);
  }
  state.counters["joules"] = joules;
}

void PowerOfTenMillionSamplesInMemory(benchmark::State& state) {
  whole_window(state, SignalKind::power, ten_million);
}
BENCHMARK(PowerOfTenMillionSamplesInMemory)->Unit(benchmark::kMillisecond);

/// With the default memory bound, nine tenths are read back from the spill file.
void PowerOfTenMillionSamplesSpilled(benchmark::State& state) {
  whole_window(state, SignalKind::power, TimelineOptions{}.memory_samples);
}
BENCHMARK(PowerOfTenMillionSamplesSpilled)->Unit(benchmark::kMillisecond);

void CounterOfTenMillionSamplesInMemory(benchmark::State& state) {
  whole_window(state, SignalKind::energy, ten_million);
}
BENCHMARK(CounterOfTenMillionSamplesInMemory)->Unit(benchmark::kMillisecond);

/// A window of one second in a long run: an epoch, a step.
void ShortWindowInALongRun(benchmark::State& state) {
  const auto timeline = recorded(SignalKind::power, ten_million / 10, ten_million);
  std::int64_t begin = 0;
  for (auto _ : state) {
    begin = (begin + 7'919'000'000) % (900'000'000'000);
    benchmark::DoNotOptimize(measure(*timeline, {Instant{begin}, Instant{begin + 1'000'000'000}}));
  }
}
BENCHMARK(ShortWindowInALongRun)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ergo
