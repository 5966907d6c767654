// Which programs are on the card, MIG, and GPM.
#include "nvml/session.hpp"

#include <algorithm>
#include <vector>

namespace ergo::sim::nvml {
namespace {

struct Program {
  unsigned pid;
  std::uint64_t memory_bytes;
  double sm;
  double memory;
};

void merge(std::vector<Program>& programs, const Program& program) {
  const auto same = [&](const Program& p) { return p.pid == program.pid; };
  const auto known = std::find_if(programs.begin(), programs.end(), same);
  if (known == programs.end()) {
    programs.push_back(program);
    return;
  }
  known->memory_bytes += program.memory_bytes;
  known->sm += program.sm;
  known->memory += program.memory;
}

std::vector<Program> programs_of(const Gpu& gpu) {
  std::vector<Program> programs;
  if (gpu.script_pid != 0) {
    merge(programs, {static_cast<unsigned>(gpu.script_pid), gpu.script_memory_bytes,
                     gpu.script_sm.last, 0.0});
  }
  for (const Slot& slot : gpu.slots) {
    if (slot.pid != 0) {
      merge(programs,
            {static_cast<unsigned>(slot.pid), slot.memory_bytes, slot.sm.last, slot.memory.last});
    }
  }
  return programs;
}

constexpr unsigned kNoInstance = 0xFFFFFFFFU;

void fill(const Program& program, abi::ProcessInfoV1& out) {
  out = {program.pid, program.memory_bytes};
}
void fill(const Program& program, abi::ProcessInfo& out) {
  out = {program.pid, program.memory_bytes, kNoInstance, kNoInstance};
}

// In: room in `out`. Out: how many there are. Too little room tells the number and nothing else.
template <class Info>
abi::Return give_programs(abi::Device device, unsigned* count, Info* out) {
  if (count == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    if (gpu.faults.mig != 0) return abi::no_permission;
    const std::vector<Program> programs = programs_of(gpu);
    const auto room = *count;
    *count = static_cast<unsigned>(programs.size());
    if (programs.empty()) return abi::success;
    if (room < programs.size() || out == nullptr) return abi::insufficient_size;
    for (std::size_t i = 0; i < programs.size(); ++i)
      fill(programs[i], out[i]);
    return abi::success;
  });
}

abi::Return no_programs(abi::Device device, unsigned* count) {
  if (count == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu&) {
    *count = 0;
    return abi::success;
  });
}

abi::Return give_process_utilization(const Gpu& gpu, abi::ProcessUtilizationSample* out,
                                     unsigned* count, unsigned long long after_us) {
  if (gpu.faults.mig != 0) return abi::not_supported;
  const unsigned long long time_us = unix_us(gpu.utilization.next_ns - gpu.utilization.interval_ns);
  std::vector<Program> programs = programs_of(gpu);
  std::erase_if(programs,
                [](const Program& p) { return percent(p.sm) == 0 && percent(p.memory) == 0; });
  if (programs.empty() || time_us <= after_us) return abi::not_found;
  const unsigned room = *count;
  *count = static_cast<unsigned>(programs.size());
  if (out == nullptr || room < programs.size()) return abi::insufficient_size;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    out[i] = {programs[i].pid, time_us, percent(programs[i].sm), percent(programs[i].memory), 0, 0};
  }
  return abi::success;
}

bool mig_capable(const Gpu& gpu) {
  return gpu.preset().compute_major >= 8;
}

// What a GPM sample holds: integrals up to its time.
struct Activity {
  std::int64_t t_ns = 0;
  double busy_s = 0.0;
  double sm_s = 0.0;
  double memory_s = 0.0;
};

Activity* activity_of(abi::GpmSample sample) {
  return reinterpret_cast<Activity*>(sample);
}

abi::Return fill_metric(const Activity& from, const Activity& to, abi::GpmMetric& metric) {
  constexpr unsigned graphics_util = 1;
  const double span_s = static_cast<double>(to.t_ns - from.t_ns) * 1e-9;
  double busy_s = 0.0;
  switch (metric.id) {
    case graphics_util:
      busy_s = to.busy_s - from.busy_s;
      break;
    case abi::gpm::sm_util:
      busy_s = to.sm_s - from.sm_s;
      break;
    case abi::gpm::dram_bw_util:
      busy_s = to.memory_s - from.memory_s;
      break;
    default:
      return abi::not_supported;  // the model knows nothing of pipes and occupancy
  }
  metric.value = 100.0 * busy_s / span_s;
  return abi::success;
}

}  // namespace
}  // namespace ergo::sim::nvml

using namespace ergo::sim::nvml;  // NOLINT(google-build-using-namespace): the exported functions
                                  // are global
using ergo::sim::Gpu;

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetComputeRunningProcesses(abi::Device device,
                                                                 unsigned* count,
                                                                 abi::ProcessInfoV1* out) {
  return give_programs(device, count, out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetComputeRunningProcesses_v2(abi::Device device,
                                                                    unsigned* count,
                                                                    abi::ProcessInfo* out) {
  return give_programs(device, count, out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetComputeRunningProcesses_v3(abi::Device device,
                                                                    unsigned* count,
                                                                    abi::ProcessInfo* out) {
  return give_programs(device, count, out);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetGraphicsRunningProcesses(abi::Device device,
                                                                  unsigned* count,
                                                                  abi::ProcessInfoV1*) {
  return no_programs(device, count);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetGraphicsRunningProcesses_v2(abi::Device device,
                                                                     unsigned* count,
                                                                     abi::ProcessInfo*) {
  return no_programs(device, count);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetGraphicsRunningProcesses_v3(abi::Device device,
                                                                     unsigned* count,
                                                                     abi::ProcessInfo*) {
  return no_programs(device, count);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMPSComputeRunningProcesses_v3(abi::Device device,
                                                                       unsigned* count,
                                                                       abi::ProcessInfo*) {
  return no_programs(device, count);
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetProcessUtilization(abi::Device device,
                                                            abi::ProcessUtilizationSample* out,
                                                            unsigned* count,
                                                            unsigned long long after_us) {
  if (count == nullptr) return abi::invalid_argument;
  return query(device,
               [&](const Gpu& gpu) { return give_process_utilization(gpu, out, count, after_us); });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMigMode(abi::Device device, unsigned* current,
                                                 unsigned* pending) {
  if (current == nullptr || pending == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    if (!mig_capable(gpu)) return abi::not_supported;
    *current = *pending = gpu.faults.mig != 0 ? abi::enabled : abi::disabled;
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMaxMigDeviceCount(abi::Device device, unsigned* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    constexpr unsigned slices = 7;
    *out = mig_capable(gpu) ? slices : 0;
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceGetMigDeviceHandleByIndex(abi::Device device, unsigned,
                                                                abi::Device*) {
  return query(device, [](const Gpu& gpu) {
    return mig_capable(gpu) ? abi::not_found : abi::not_supported;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlDeviceIsMigDeviceHandle(abi::Device device, unsigned* out) {
  if (out == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu&) {
    *out = 0;
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlGpmQueryDeviceSupport(abi::Device device, abi::GpmSupport* out) {
  if (out == nullptr) return abi::invalid_argument;
  if (out->version != abi::gpm::struct_version) return abi::argument_version_mismatch;
  return query(device, [&](const Gpu& gpu) {
    out->supported = gpu.preset().has_gpm ? 1 : 0;
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlGpmSampleAlloc(abi::GpmSample* out) {
  if (node() == nullptr) return abi::uninitialized;
  if (out == nullptr) return abi::invalid_argument;
  *out = reinterpret_cast<abi::GpmSample>(new Activity);
  return abi::success;
}

ERGO_SIM_EXPORT abi::Return nvmlGpmSampleFree(abi::GpmSample sample) {
  if (sample == nullptr) return abi::invalid_argument;
  delete activity_of(sample);
  return abi::success;
}

ERGO_SIM_EXPORT abi::Return nvmlGpmSampleGet(abi::Device device, abi::GpmSample sample) {
  if (sample == nullptr) return abi::invalid_argument;
  return query(device, [&](const Gpu& gpu) {
    if (!gpu.preset().has_gpm) return abi::not_supported;
    *activity_of(sample) = {gpu.now_ns, gpu.busy_s, gpu.sm_s, gpu.memory_s};
    return abi::success;
  });
}

ERGO_SIM_EXPORT abi::Return nvmlGpmMetricsGet(abi::GpmMetricsGet* request) {
  if (node() == nullptr) return abi::uninitialized;
  if (request == nullptr || request->sample1 == nullptr || request->sample2 == nullptr)
    return abi::invalid_argument;
  if (request->version != abi::gpm::struct_version) return abi::argument_version_mismatch;
  if (request->count > abi::gpm::metric_max) return abi::invalid_argument;
  const Activity& from = *activity_of(request->sample1);
  const Activity& to = *activity_of(request->sample2);
  constexpr std::int64_t refresh_ns = 100'000'000;
  if (to.t_ns - from.t_ns < refresh_ns) return abi::no_data;
  for (unsigned i = 0; i < request->count; ++i) {
    request->metrics[i].status = fill_metric(from, to, request->metrics[i]);
  }
  return abi::success;
}
