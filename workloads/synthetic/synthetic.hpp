#pragma once
// Work of a stated size and kind, in iterations: what demonstrations and tests of ergo run.

#include "common/options.hpp"
#include "ergo/core/result.hpp"
#include "synthetic/worker.hpp"

#include <vector>

namespace ergo::workload {

struct SyntheticReport {
  std::vector<Seconds> latencies;  ///< of each iteration, pauses included
  Seconds duration;
};

/// Runs until the time or the iterations asked for are used up (whichever comes first; at least one
/// iteration); sends the mark "work" around all, and "epoch" around groups if asked. Errors:
/// invalid_argument for fractions outside 0…1 and for no end; the worker's.
Result<SyntheticReport> run_synthetic(const SyntheticOptions& options, Worker& worker);

}  // namespace ergo::workload
