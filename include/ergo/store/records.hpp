#pragma once
// What a run leaves behind: plain data, the same for the store, for every report and for programs.
// JSON shape and names follow schema ergo.run/1 (docs/user/json.md).

#include "ergo/core/clock.hpp"
#include "ergo/core/estimate.hpp"
#include "ergo/energy/measure.hpp"
#include "ergo/sensors/registry.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ergo {

/// One occurrence of a marked window. Times are relative to the start of the run.
struct WindowRecord {
  std::string name;
  int index = 0;  ///< 0, 1, 2 … among the windows of this name, in order of start
  int pid = 0;    ///< the process that sent the marks; 0 when unknown
  Seconds start{0.0};
  Seconds duration{0.0};
  std::optional<std::int64_t> count;  ///< items the window held
  std::vector<ChannelEnergy> energy;
  EnergyTotal total;
};

/// The items of a run: its counted windows that lie in no other counted window, taken together.
/// Energy per item is total / count, time per item duration / count.
struct ItemsRecord {
  std::string window;
  std::int64_t count = 0;
  Seconds duration{0.0};
  EnergyTotal total;
  std::vector<ChannelEnergy> energy;
};

struct LatencySummary {
  std::size_t count = 0;
  Seconds median{0.0};
  Seconds p95{0.0};
  Seconds p99{0.0};
};

struct RunRecord {
  int index = 0;
  bool warmup = false;
  int exit_code = 0;
  std::optional<int> signal;  ///< the child died of it; exit_code is then 128 + signal
  std::int64_t started_unix_ns = 0;
  Instant begin;  ///< CLOCK_MONOTONIC of this boot; windows and samples are relative to it
  Seconds duration{0.0};
  std::vector<ChannelEnergy> energy;
  EnergyTotal total;
  std::vector<WindowRecord> windows;
  std::optional<ItemsRecord> items;
  std::vector<GaugeSummary> metrics;
  std::optional<LatencySummary> latency;
  std::vector<double> latencies_s;  ///< as the program left them
  std::size_t samples = 0;
  std::size_t gaps = 0;
  std::map<std::string, std::vector<std::string>> throttled;  ///< "gpu0" -> reasons seen
  Seconds self_cpu{0.0};
  std::vector<std::string> warnings;

  // Sweeps only.
  std::map<std::string, std::string> parameters;
  std::optional<Watts> power_limit;  ///< the limit enforced during the run
  int repeat = 0;
  /// Set when something outside made the run useless (the limit was changed, clamped): the reason.
  std::optional<std::string> invalid;
};

struct HostRecord {
  std::string name;
  std::string cpu;
  std::string kernel;
  std::vector<GpuIdentity> gpus;
};

/// Median and 95 % interval over the runs that are no warm-up and ended with exit code 0.
struct SummaryRecord {
  int repeats = 0;
  Estimate duration_s;
  std::map<std::string, Estimate> energy_j;  ///< per channel
};

/// `ergo run` with its repeats; one cell of a sweep is the same with parameters.
struct ExperimentRecord {
  std::string name;
  std::vector<std::string> command;
  std::string started;  ///< "2026-11-21T10:00:00.123Z"
  HostRecord host;
  std::vector<RunRecord> runs;
  SummaryRecord summary;
};

}  // namespace ergo
