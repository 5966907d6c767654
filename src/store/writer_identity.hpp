#pragma once
// Who is writing, and whether they still live.

#include <cstdint>
#include <string>

namespace ergo::store {

/// "boot id|pid namespace|pid|start time in ticks" of this process: never the same for two
/// processes.
std::string own_identity();

/// Whether the process with this identity lives. Where it cannot be looked up (another container),
/// it counts as alive for 30 s after it was last seen.
bool is_alive(const std::string& identity, std::int64_t seen_unix_ns);

std::int64_t unix_now_ns();

}  // namespace ergo::store
