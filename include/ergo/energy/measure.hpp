#pragma once
// Timeline + window -> joules with an error budget (DESIGN section 4; docs/user/accuracy.md).

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"
#include "ergo/sampling/timeline.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ergo {

struct Window {
  Instant begin;
  Instant end;
  [[nodiscard]] Seconds duration() const { return end - begin; }
};

/// One named part of an error budget: half-width of its 95 % interval in joules.
struct BudgetPart {
  /// "gain", "window edges", "resolution", "part-time sampling", "clock", "gaps", "idle drift",
  /// "repeats"
  std::string name;
  Joules half_width{0.0};
  /// Parts of one kind add linearly over channels ("nvml board sensor"); empty = independent of
  /// everything.
  std::string kind = {};
  /// Distance to the low end where the interval is lopsided (an estimate of -50 % / +100 %); else
  /// absent.
  std::optional<Joules> low_side = std::nullopt;
  /// Concerns only `net` (the idle baseline's own uncertainty), not `joules`.
  bool net_only = false;
};

/// Mean power with nothing running, from the baselines before and after.
struct IdleBaseline {
  std::string channel;
  Watts power{0.0};
  /// 95 % half-width: drift between the two baselines and their own sampling error.
  Watts half_width{0.0};
};

/// The same joules from another source, with its disagreement with the first.
struct Alternative {
  std::string source;
  Joules joules{0.0};
  Joules low{0.0};
  Joules high{0.0};
};

/// Energy of one channel in one window. `low` and `high` span the 95 % interval. Absent = not
/// measured, never 0.
struct ChannelEnergy {
  std::string channel;
  Domain domain = Domain::node;
  std::string device;
  std::string source;
  Provenance provenance = Provenance::measured;
  bool in_total = false;
  Joules joules{0.0};
  Joules low{0.0};
  Joules high{0.0};
  Watts mean{0.0};
  std::optional<Watts> max;
  std::optional<Joules> idle;                    ///< idle power x duration
  std::optional<Joules> net;                     ///< joules - idle
  std::optional<Joules> net_low = std::nullopt;  ///< 95 % interval of net
  std::optional<Joules> net_high = std::nullopt;
  std::optional<Joules> process;  ///< what the measured process tree is charged: its share of the
                                  ///< active part, and of idle when alone
  std::vector<Alternative> alternatives;
  std::vector<BudgetPart> budget;
};

/// Sums over the channels with in_total, each joule once. Measured (with derived) and estimated
/// stay apart; simulated channels count as measured here and are labelled by their channels'
/// provenance.
struct EnergyTotal {
  std::optional<Joules> measured;
  Joules low{0.0};
  Joules high{0.0};
  std::optional<Joules> estimated;
  /// 95 % interval of `estimated`. Estimates of one machine err alike: those of its channels add
  /// up.
  Joules estimated_low{0.0};
  Joules estimated_high{0.0};
};

struct WindowEnergy {
  Window window;
  std::vector<ChannelEnergy> channels;
  EnergyTotal total;
  std::vector<std::string> warnings;
};

struct MeasureOptions {
  std::vector<IdleBaseline> idle;
  /// Leave the gain part out (A/B on one card; tests against a simulated truth with gain 1).
  bool without_gain = false;
  /// Names of the signals that carry the CPU time of the measured process tree and of the whole
  /// machine (busy), s. When both are in the timeline, CPU and DRAM channels get `process`.
  std::string process_cpu_signal = "process.cpu_time";
  std::string machine_cpu_signal = "machine.cpu_time";
  /// "gpuN.process_share": gauge 0..1, own SM utilisation over everybody's. Without it a GPU is
  /// charged whole; when it was never read and the GPU was at rest, nothing is charged.
  std::string gpu_share_suffix = ".process_share";
  std::string gpu_utilization_suffix = ".sm_utilization";
};

/// Energy of every channel that the timeline meters in `window`. A channel that was not read in the
/// window is left out with a warning. The joules are of the source with the lowest rank, unless a
/// record of power that sees all of the time is at least twice as sure of the window, or not less
/// than half as sure where the first looks part of the time (docs/user/accuracy.md).
WindowEnergy measure(const Timeline& timeline, Window window, const MeasureOptions& options = {});

/// Idle power of every channel over a window in which nothing ran.
std::vector<IdleBaseline> idle_from(const Timeline& timeline, const std::vector<Window>& windows);

/// Interval of a sum of channels: kinds linearly within, in quadrature between.
EnergyTotal total_of(const std::vector<ChannelEnergy>& channels);

/// Mean, maximum and share of a gauge over a window, weighted by time.
struct GaugeSummary {
  std::string name;
  std::string unit;
  double mean = 0.0;
  double max = 0.0;
};
std::vector<GaugeSummary> summarize_gauges(const Timeline& timeline, Window window);

}  // namespace ergo
