#include "load.hpp"

#include "random.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::sim {
namespace {

constexpr double kNoiseStep = 0.050;
constexpr std::uint64_t kLevelStream = 11;
constexpr std::uint64_t kDurationStream = 12;

std::int64_t nanoseconds(double seconds) {
  return std::max<std::int64_t>(1, std::llround(seconds * static_cast<double>(kNsPerSecond)));
}

Demand scaled(const Demand& demand, double level) {
  return {std::clamp(demand.compute * level, 0.0, 1.0), std::clamp(demand.memory * level, 0.0, 1.0),
          demand.memory_bound};
}

Demand noisy(const LoadSpec& spec, const Demand& demand, std::int64_t index) {
  if (spec.noise <= 0.0) return demand;
  const double normal = random_normal(spec.seed, kLevelStream, static_cast<std::uint64_t>(index));
  return scaled(demand, std::max(0.05, 1.0 + spec.noise * normal));
}

// Exponential with the given mean, cut to [mean/5, 3 mean] so that no piece is too short to matter
// or too long to end.
double random_duration(const LoadSpec& spec, double mean, std::int64_t index) {
  const double u = random_unit(spec.seed, kDurationStream, static_cast<std::uint64_t>(index));
  return std::clamp(-mean * std::log(u), mean / 5.0, mean * 3.0);
}

// Fills in the demand of piece `load.index` and returns how long it lasts; negative = for ever.
double enter_piece(RunningLoad& load) {
  const LoadSpec& spec = load.spec;
  const bool on = load.index % 2 == 0;
  const double share = on ? spec.duty : 1.0 - spec.duty;
  switch (spec.kind) {
    case LoadKind::idle:
      load.now = {};
      return -1.0;
    case LoadKind::steady:
      load.now = noisy(spec, spec.demand, load.index);
      return spec.noise > 0.0 ? kNoiseStep : -1.0;
    case LoadKind::square:
      load.now = on ? noisy(spec, spec.demand, load.index) : Demand{};
      return share * spec.period_s;
    case LoadKind::bursty: {
      const double level =
          0.5 + 0.5 * random_unit(spec.seed, kLevelStream, static_cast<std::uint64_t>(load.index));
      load.now = on ? scaled(spec.demand, level) : Demand{};
      return random_duration(spec, share * spec.period_s, load.index);
    }
    case LoadKind::trace: {
      if (spec.phase_count <= 0) return -1.0;
      const auto count = std::min<std::int64_t>(spec.phase_count, kMaxPhases);
      const LoadPhase& phase = spec.trace[static_cast<std::size_t>(load.index % count)];
      load.now = noisy(spec, phase.demand, load.index);
      return std::max(phase.duration_s, 1e-6);
    }
  }
  return -1.0;
}

void enter(RunningLoad& load, std::int64_t from_ns) {
  const double duration = enter_piece(load);
  load.next_edge_ns = duration < 0.0 ? kNever : from_ns + nanoseconds(duration);
}

}  // namespace

RunningLoad start_load(const LoadSpec& spec, std::int64_t start_ns) {
  RunningLoad load;
  load.spec = spec;
  enter(load, start_ns);
  return load;
}

void pass_edge(RunningLoad& load) {
  ++load.index;
  enter(load, load.next_edge_ns);
}

}  // namespace ergo::sim
