#pragma once
// One record with everything in it, for the tests of all report formats.

#include "ergo/store/records.hpp"

namespace ergo::testing {

inline ChannelEnergy gpu_energy(double joules, double seconds) {
  ChannelEnergy e;
  e.channel = "gpu0";
  e.domain = Domain::gpu;
  e.device = "gpu0";
  e.source = "nvml.total_energy";
  e.in_total = true;
  e.joules = Joules(joules);
  e.low = Joules(joules * 0.97);
  e.high = Joules(joules * 1.03);
  e.mean = Watts(joules / seconds);
  e.max = Watts(240);
  e.alternatives = {
      {"nvml.power_instant", Joules(joules * 0.99), Joules(joules * 0.96), Joules(joules * 1.02)}};
  e.budget = {{"gain", Joules(joules * 0.029), "nvml board sensor"},
              {"window edges", Joules(joules * 0.007), ""}};
  return e;
}

inline ChannelEnergy cpu_energy(double joules, double seconds) {
  ChannelEnergy e;
  e.channel = "cpu0";
  e.domain = Domain::cpu;
  e.device = "cpu0";
  e.source = "estimate.tdp";
  e.provenance = Provenance::estimated;
  e.in_total = true;
  e.joules = Joules(joules);
  e.low = Joules(joules * 0.5);
  e.high = Joules(joules * 2);
  e.mean = Watts(joules / seconds);
  e.budget = {{"gain", Joules(joules * 0.75), "estimate"}};
  return e;
}

inline RunRecord sample_run() {
  RunRecord run;
  run.started_unix_ns = 1'795'255'200'123'000'000;
  run.duration = Seconds(12.345);
  run.energy = {gpu_energy(812.4, 12.345), cpu_energy(103, 12.345)};
  run.energy[0].idle = Joules(300.2);
  run.energy[0].net = Joules(512.2);
  run.energy[0].process = Joules(812.4);
  run.energy[0].net_low = Joules(487.8);
  run.energy[0].net_high = Joules(536.6);
  run.total = {Joules(812.4), Joules(788.028), Joules(836.772),
               Joules(103),   Joules(51.5),    Joules(206)};
  for (int epoch = 0; epoch < 2; ++epoch) {
    WindowRecord w;
    w.name = "epoch";
    w.index = epoch;
    w.pid = 4242;
    w.start = Seconds(1.2 + 3.5 * epoch);
    w.duration = Seconds(3.1);
    w.count = 469;
    w.energy = {gpu_energy(210, 3.1)};
    w.total = {Joules(210), Joules(203.7), Joules(216.3), std::nullopt};
    run.windows.push_back(w);
  }
  run.items = ItemsRecord{
      "epoch", 938, Seconds(6.2), {Joules(420), Joules(407.4), Joules(432.6), std::nullopt}, {}};
  run.metrics = {{"gpu0.sm_utilization", "%", 91, 99}, {"process.memory_pss", "B", 1.2e9, 1.5e9}};
  run.latency = LatencySummary{4000, Seconds(0.0011), Seconds(0.0013), Seconds(0.0019)};
  run.samples = 124;
  run.throttled = {{"gpu0", {"sw_power_cap"}}};
  run.self_cpu = Seconds(0.02);
  run.warnings = {"cpu0: no counter can be read here, its energy is an estimate"};
  return run;
}

inline ExperimentRecord sample_record() {
  ExperimentRecord record;
  record.command = {"python3", "train.py"};
  record.started = "2026-11-21T10:00:00.123Z";
  record.host = {"node1", "AMD EPYC", "Linux 6.1.0", {{0, "GPU-1", "Tesla V100", 300.0, false}}};
  record.runs = {sample_run()};
  record.summary = {
      1, {12.345, 12.345, 12.345}, {{"gpu0", {812.4, 788.0, 836.8}}, {"cpu0", {103, 51.5, 206}}}};
  return record;
}

}  // namespace ergo::testing
