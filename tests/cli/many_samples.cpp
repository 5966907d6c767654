// Records a store with very many samples, as runs of ergo do: many_samples FILE RUNS SAMPLES.
// Power swings between 100 and 300 W at 1 kHz; in each run one sample is a peak of 987.5 W and
// one a dip to 3.5 W.

#include "ergo/energy/measure.hpp"
#include "ergo/store/store.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace ergo;

SignalInfo power_signal() {
  SignalInfo info;
  info.name = "nvml.power_instant@gpu0";
  info.kind = SignalKind::power;
  info.unit = "W";
  info.channel = "gpu0";
  info.domain = Domain::gpu;
  info.device = "gpu0";
  info.source = "nvml.power_instant";
  info.in_total = true;
  return info;
}

double watts_at(int i, int samples) {
  if (i == samples * 37 / 100) return 987.5;
  if (i == samples * 81 / 100) return 3.5;
  return 200 + 100 * std::sin(i * 0.01) * std::cos(i * 0.37);
}

Result<void> record_run(Store& store, std::int64_t experiment, int number, int samples) {
  constexpr std::int64_t period_ns = 1'000'000;
  const Instant begin{1'000'000'000LL * (number + 1) * 100'000};
  RunPlan plan;
  plan.index = number;
  plan.cell.repeat = number;
  plan.begin = begin;
  auto writer = store.begin_run(experiment, plan);
  if (!writer) return writer.error();
  Timeline timeline;
  const SignalInfo info = power_signal();
  const SignalId id = timeline.add(info);
  for (int i = 0; i < samples; ++i) {
    const Sample sample{Instant{begin.ns + i * period_ns}, watts_at(i, samples)};
    timeline.append(id, sample);
    (*writer)->append(info, sample);
    // As the writer's own thread would in the time that the run takes.
    if (i % 100'000 == 0) {
      if (auto flushed = (*writer)->flush(); !flushed) return flushed;
    }
  }
  RunRecord record;
  record.index = record.repeat = number;
  record.begin = begin;
  record.duration = Seconds(samples * 1e-3);
  record.samples = static_cast<std::size_t>(samples);
  const WindowEnergy energy = measure(timeline, {begin, begin + record.duration});
  record.energy = energy.channels;
  record.total = energy.total;
  if ((*writer)->dropped() > 0) return Error{Errc::io, "samples were dropped", {}};
  return (*writer)->finish(record);
}

Result<void> record_all(const char* file, int runs, int samples) {
  auto store = Store::open(file, Store::Mode::create);
  if (!store) return store.error();
  ExperimentRecord head;
  head.name = "very many samples";
  head.command = {"many_samples"};
  head.started = "2026-11-21T10:00:00.123Z";
  const auto experiment = store->begin_experiment(head);
  if (!experiment) return experiment.error();
  for (int run = 0; run < runs; ++run) {
    if (auto done = record_run(*store, *experiment, run, samples / runs); !done) return done;
  }
  return store->finish_experiment(*experiment, SummaryRecord{});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "many_samples FILE RUNS SAMPLES\n");
    return 2;
  }
  const auto done = record_all(argv[1], std::atoi(argv[2]), std::atoi(argv[3]));
  if (!done) std::fprintf(stderr, "many_samples: %s\n", done.error().text().c_str());
  return done ? 0 : 1;
}
