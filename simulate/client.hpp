#pragma once
// How a program uses a simulated GPU: it states what it wants to compute, and is slowed as the GPU
// would slow it.

#include "ergo/core/result.hpp"
#include "node.hpp"

#include <cstddef>
#include <cstdint>

namespace ergo::sim {

/// This process's context on one GPU of a node. Destroying it frees the memory and ends the demand;
/// so does the death of the process. Thread-safety: one thread at a time; several contexts may be
/// used from several threads.
class GpuContext {
 public:
  /// Errors: invalid_argument (no such GPU), busy (too many programs on it), lost.
  static Result<GpuContext> open(Node& node, std::size_t gpu, std::uint64_t memory_bytes = 0);
  GpuContext(GpuContext&& other) noexcept;
  GpuContext& operator=(GpuContext&& other) = delete;
  ~GpuContext();

  void set_memory(std::uint64_t bytes);
  /// Demands this from now on, until something else is demanded. With `burst_period_s` > 0 only for
  /// the first `burst_duty` of each period.
  void set_demand(const Demand& demand, double burst_period_s = 0.0, double burst_duty = 1.0);
  /// Does `work_s` seconds of work (counted at the highest clock, alone on the card), waits for its
  /// end and returns how long it took, s. Without any demand it only waits so long. Moves a manual
  /// clock; else sleeps. Errors: invalid_argument, lost.
  Result<double> run(const Demand& demand, double work_s);

 private:
  Result<double> wait(double duration_s);
  GpuContext(Node& node, std::size_t gpu, std::size_t slot);

  Node* node_;
  std::size_t gpu_;
  std::size_t slot_;
  std::int32_t pid_;
};

}  // namespace ergo::sim
