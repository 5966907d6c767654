#pragma once
// Keeps a workload from using up the machine's memory: an allocation beyond the limit fails, and
// the workload says so and ends, where the kernel would have killed it without a word.

#include "ergo/core/result.hpp"

#include <cstdint>
#include <optional>

namespace ergo::workload {

/// Bytes that can be allocated now without swapping: MemAvailable, and less where a control group
/// (v2) allows less. Absent when the system does not say.
std::optional<std::uint64_t> available_memory();

/// From now on this process can allocate at most `bytes` more. Errors: `io` when the system
/// refuses.
Result<void> limit_memory(std::uint64_t bytes);

}  // namespace ergo::workload
