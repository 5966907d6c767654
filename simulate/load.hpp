#pragma once
// Scripted loads: what a device is asked to do over time, as a piecewise constant function that
// depends only on the specification and its seed. Plain data, so that it can live in the shared
// state file.

#include "physics.hpp"
#include "sim_time.hpp"

#include <array>
#include <cstdint>

namespace ergo::sim {

enum class LoadKind : std::int32_t {
  idle,
  steady,  ///< constant; with noise, a new level every 50 ms
  square,  ///< on for duty * period, off for the rest
  bursty,  ///< on and off for random times whose means are duty * period and (1 - duty) * period
  trace,   ///< the phases in `trace`, over and over
};

struct LoadPhase {
  double duration_s = 1.0;
  Demand demand;
};

inline constexpr std::size_t kMaxPhases = 32;

struct LoadSpec {
  LoadKind kind = LoadKind::idle;
  std::int32_t phase_count = 0;  ///< of `trace`
  Demand demand{0.8, 0.5, 0.3};  ///< when on
  double period_s = 0.73;        ///< square and bursty
  double duty = 0.5;             ///< square and bursty
  double noise = 0.0;            ///< relative standard deviation of the level, redrawn at each edge
  std::uint64_t seed = 1;
  std::array<LoadPhase, kMaxPhases> trace{};
};

/// A load that is running. Invariant: `now` holds on [last edge, next_edge_ns).
struct RunningLoad {
  LoadSpec spec;
  std::int64_t next_edge_ns = kNever;
  std::int64_t index = 0;  ///< number of the current piece
  Demand now;
};

/// The load from `start_ns` on.
RunningLoad start_load(const LoadSpec& spec, std::int64_t start_ns);

/// Goes on to the next piece. Call at `next_edge_ns`.
void pass_edge(RunningLoad& load);

}  // namespace ergo::sim
