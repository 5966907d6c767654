#pragma once
// Records with every field set, for round trips.

#include "ergo/store/records.hpp"

#include <string>

namespace ergo::testing {

inline ChannelEnergy gpu_energy(double joules, Provenance provenance = Provenance::measured) {
  ChannelEnergy energy;
  energy.channel = "gpu0";
  energy.domain = Domain::gpu;
  energy.device = "gpu0";
  energy.source = "nvml.total_energy";
  energy.provenance = provenance;
  energy.in_total = true;
  energy.joules = Joules(joules);
  energy.low = Joules(joules * 0.95);
  energy.high = Joules(joules * 1.05);
  energy.mean = Watts(joules / 10.0);
  energy.max = Watts(300.5);
  energy.idle = Joules(30.25);
  energy.net = Joules(joules - 30.25);
  energy.process = Joules(joules * 0.5);
  energy.net_low = Joules(joules - 40.0);
  energy.net_high = Joules(joules - 20.0);
  energy.alternatives = {{"nvml.power_instant", Joules(joules * 1.01), Joules(1.0), Joules(2.0)},
                         {"nvml.power_average", Joules(joules * 0.99), Joules(3.0), Joules(4.0)}};
  energy.budget = {{"gain", Joules(joules * 0.05), "nvml board sensor", Joules(7.0), false},
                   {"idle drift", Joules(0.125), "", std::nullopt, true}};
  return energy;
}

inline ChannelEnergy cpu_energy(double joules) {
  ChannelEnergy energy;
  energy.channel = "cpu0";
  energy.domain = Domain::cpu;
  energy.device = "cpu0";
  energy.source = "rapl.package";
  energy.provenance = Provenance::measured;
  energy.in_total = true;
  energy.joules = Joules(joules);
  energy.low = Joules(joules - 1.0);
  energy.high = Joules(joules + 1.0);
  energy.mean = Watts(joules / 10.0);
  return energy;
}

inline RunRecord full_run(int index) {
  RunRecord run;
  run.index = index;
  run.repeat = index;
  run.started_unix_ns = 1'795'255'200'123'456'789;
  run.begin = Instant{5'000'000'000};
  run.duration = Seconds(10.0);
  run.energy = {gpu_energy(1000.0), cpu_energy(200.0)};
  run.total = {Joules(1200.0), Joules(1140.5), Joules(1259.5), Joules(55.5)};
  WindowRecord epoch;
  epoch.name = "epoch";
  epoch.pid = 4242;
  epoch.start = Seconds(1.25);
  epoch.duration = Seconds(3.5);
  epoch.count = 469;
  epoch.energy = {gpu_energy(350.0)};
  epoch.total = {Joules(350.0), Joules(330.0), Joules(370.0), std::nullopt};
  run.windows = {epoch, epoch};
  run.windows[1].index = 1;
  run.windows[1].count.reset();
  run.items = ItemsRecord{"epoch", 469, Seconds(3.5), epoch.total, epoch.energy};
  run.metrics = {{"gpu0.sm_utilization", "%", 91.5, 99.0}, {"process.memory_pss", "B", 1e9, 2e9}};
  run.latency = LatencySummary{3, Seconds(0.0011), Seconds(0.0013), Seconds(0.0019)};
  run.latencies_s = {0.0011, 0.0013, 0.0009};
  run.samples = 124;
  run.gaps = 2;
  run.throttled = {{"gpu0", {"sw_power_cap", "hw_slowdown"}}};
  run.self_cpu = Seconds(0.02);
  run.warnings = {"cpu0 was estimated", "a \"quoted\" warning, with comma"};
  run.parameters = {{"size", "112"}, {"batch", "8"}};
  run.power_limit = Watts(250.0);
  return run;
}

inline ExperimentRecord full_experiment(int runs) {
  ExperimentRecord record;
  record.name = "alexnet";
  record.command = {"./infer", "--size", "{size}", "ein \"Wort\" ü"};
  record.started = "2026-11-21T10:00:00.123Z";
  record.host.name = "node7";
  record.host.cpu = "Some CPU @ 2.4 GHz";
  record.host.kernel = "Linux 6.1.0";
  record.host.gpus = {{0, "GPU-1", "Tesla V100", 300.0, true},
                      {1, "GPU-2", "Tesla T4", 70.0, false}};
  for (int i = 0; i < runs; ++i)
    record.runs.push_back(full_run(i));
  record.summary.repeats = runs;
  record.summary.duration_s = {10.0, 9.5, 10.5};
  record.summary.energy_j = {{"gpu0", {1000.0, 990.0, 1010.0}}, {"cpu0", {200.0, 199.0, 201.0}}};
  return record;
}

inline SignalInfo power_signal(const std::string& channel = "gpu0") {
  SignalInfo info;
  info.name = "nvml.power_instant@" + channel;
  info.kind = SignalKind::power;
  info.unit = "W";
  info.channel = channel;
  info.domain = Domain::gpu;
  info.device = channel;
  info.source = "nvml.power_instant";
  info.provenance = Provenance::simulated;
  info.in_total = true;
  info.rank = 1;
  info.traits.update_period = Seconds(0.1);
  info.traits.averaging_window = Seconds(0.025);
  info.traits.sampled_fraction = 0.25;
  info.traits.quantum = Joules(0.001);
  info.traits.gain_u95 = 0.05;
  info.traits.gain_low = -0.5;
  info.traits.gain_high = 1.0;
  info.traits.low_pass = true;
  info.traits.gain_kind = "nvml board sensor";
  info.traits.basis = "table: Volta";
  return info;
}

}  // namespace ergo::testing
