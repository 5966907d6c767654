#pragma once
// Equality of records, field by field, with messages that name the field.

#include "ergo/store/records.hpp"

#include <gtest/gtest.h>

namespace ergo {

inline void expect_equal(const EnergyTotal& a, const EnergyTotal& b) {
  EXPECT_EQ(a.measured, b.measured);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_EQ(a.estimated, b.estimated);
  EXPECT_EQ(a.estimated_low, b.estimated_low);
  EXPECT_EQ(a.estimated_high, b.estimated_high);
}

inline void expect_equal(const ChannelEnergy& a, const ChannelEnergy& b) {
  SCOPED_TRACE("channel " + b.channel);
  EXPECT_EQ(a.channel, b.channel);
  EXPECT_EQ(a.domain, b.domain);
  EXPECT_EQ(a.device, b.device);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.provenance, b.provenance);
  EXPECT_EQ(a.in_total, b.in_total);
  EXPECT_EQ(a.joules, b.joules);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.max, b.max);
  EXPECT_EQ(a.idle, b.idle);
  EXPECT_EQ(a.net, b.net);
  EXPECT_EQ(a.net_low, b.net_low);
  EXPECT_EQ(a.net_high, b.net_high);
  EXPECT_EQ(a.process, b.process);
  ASSERT_EQ(a.alternatives.size(), b.alternatives.size());
  for (std::size_t i = 0; i < a.alternatives.size(); ++i) {
    EXPECT_EQ(a.alternatives[i].source, b.alternatives[i].source);
    EXPECT_EQ(a.alternatives[i].joules, b.alternatives[i].joules);
    EXPECT_EQ(a.alternatives[i].low, b.alternatives[i].low);
    EXPECT_EQ(a.alternatives[i].high, b.alternatives[i].high);
  }
  ASSERT_EQ(a.budget.size(), b.budget.size());
  for (std::size_t i = 0; i < a.budget.size(); ++i) {
    EXPECT_EQ(a.budget[i].name, b.budget[i].name);
    EXPECT_EQ(a.budget[i].half_width, b.budget[i].half_width);
    EXPECT_EQ(a.budget[i].kind, b.budget[i].kind);
    EXPECT_EQ(a.budget[i].low_side, b.budget[i].low_side);
    EXPECT_EQ(a.budget[i].net_only, b.budget[i].net_only);
  }
}

template <class T>
void expect_all_equal(const std::vector<T>& a, const std::vector<T>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    SCOPED_TRACE(i);
    expect_equal(a[i], b[i]);
  }
}

inline void expect_equal(const WindowRecord& a, const WindowRecord& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.pid, b.pid);
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.duration, b.duration);
  EXPECT_EQ(a.count, b.count);
  expect_all_equal(a.energy, b.energy);
  expect_equal(a.total, b.total);
}

inline void expect_equal(const GaugeSummary& a, const GaugeSummary& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.unit, b.unit);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.max, b.max);
}

inline void expect_equal(const RunRecord& a, const RunRecord& b) {
  SCOPED_TRACE("run " + std::to_string(b.index));
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.warmup, b.warmup);
  EXPECT_EQ(a.exit_code, b.exit_code);
  EXPECT_EQ(a.signal, b.signal);
  EXPECT_EQ(a.started_unix_ns, b.started_unix_ns);
  EXPECT_EQ(a.begin, b.begin);
  EXPECT_EQ(a.duration, b.duration);
  expect_all_equal(a.energy, b.energy);
  expect_equal(a.total, b.total);
  expect_all_equal(a.windows, b.windows);
  ASSERT_EQ(a.items.has_value(), b.items.has_value());
  if (b.items) {
    EXPECT_EQ(a.items->window, b.items->window);
    EXPECT_EQ(a.items->count, b.items->count);
    EXPECT_EQ(a.items->duration, b.items->duration);
    expect_equal(a.items->total, b.items->total);
    expect_all_equal(a.items->energy, b.items->energy);
  }
  expect_all_equal(a.metrics, b.metrics);
  ASSERT_EQ(a.latency.has_value(), b.latency.has_value());
  if (b.latency) {
    EXPECT_EQ(a.latency->count, b.latency->count);
    EXPECT_EQ(a.latency->median, b.latency->median);
    EXPECT_EQ(a.latency->p95, b.latency->p95);
    EXPECT_EQ(a.latency->p99, b.latency->p99);
  }
  EXPECT_EQ(a.latencies_s, b.latencies_s);
  EXPECT_EQ(a.samples, b.samples);
  EXPECT_EQ(a.gaps, b.gaps);
  EXPECT_EQ(a.throttled, b.throttled);
  EXPECT_EQ(a.self_cpu, b.self_cpu);
  EXPECT_EQ(a.warnings, b.warnings);
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.power_limit, b.power_limit);
  EXPECT_EQ(a.repeat, b.repeat);
  EXPECT_EQ(a.invalid, b.invalid);
}

inline void expect_equal(const GpuIdentity& a, const GpuIdentity& b) {
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.uuid, b.uuid);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.power_limit_w, b.power_limit_w);
  EXPECT_EQ(a.simulated, b.simulated);
}

inline void expect_equal(const Estimate& a, const Estimate& b) {
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
}

inline void expect_equal(const ExperimentRecord& a, const ExperimentRecord& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.command, b.command);
  EXPECT_EQ(a.started, b.started);
  EXPECT_EQ(a.host.name, b.host.name);
  EXPECT_EQ(a.host.cpu, b.host.cpu);
  EXPECT_EQ(a.host.kernel, b.host.kernel);
  expect_all_equal(a.host.gpus, b.host.gpus);
  expect_all_equal(a.runs, b.runs);
  EXPECT_EQ(a.summary.repeats, b.summary.repeats);
  expect_equal(a.summary.duration_s, b.summary.duration_s);
  ASSERT_EQ(a.summary.energy_j.size(), b.summary.energy_j.size());
  for (const auto& [channel, energy] : b.summary.energy_j) {
    ASSERT_TRUE(a.summary.energy_j.contains(channel)) << channel;
    expect_equal(a.summary.energy_j.at(channel), energy);
  }
}

inline void expect_equal(const SignalInfo& a, const SignalInfo& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.unit, b.unit);
  EXPECT_EQ(a.channel, b.channel);
  EXPECT_EQ(a.domain, b.domain);
  EXPECT_EQ(a.device, b.device);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.provenance, b.provenance);
  EXPECT_EQ(a.in_total, b.in_total);
  EXPECT_EQ(a.rank, b.rank);
  EXPECT_EQ(a.traits.update_period, b.traits.update_period);
  EXPECT_EQ(a.traits.averaging_window, b.traits.averaging_window);
  EXPECT_EQ(a.traits.sampled_fraction, b.traits.sampled_fraction);
  EXPECT_EQ(a.traits.quantum, b.traits.quantum);
  EXPECT_EQ(a.traits.gain_u95, b.traits.gain_u95);
  EXPECT_EQ(a.traits.gain_low, b.traits.gain_low);
  EXPECT_EQ(a.traits.gain_high, b.traits.gain_high);
  EXPECT_EQ(a.traits.low_pass, b.traits.low_pass);
  EXPECT_EQ(a.traits.gain_kind, b.traits.gain_kind);
  EXPECT_EQ(a.traits.basis, b.traits.basis);
}

}  // namespace ergo
