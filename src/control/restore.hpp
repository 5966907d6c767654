#pragma once
// Limits that an earlier process left behind.

#include "control/card.hpp"
#include "control/saved.hpp"

#include <optional>
#include <string>

namespace ergo::control {

/// With the GPU's lock held: puts right what a dead run left, and removes its file. Returns what to
/// tell the user, if there was anything. Errors: busy (the run lives: the folder with its lock was
/// removed under it), corrupt, or the limit could not be put back.
Result<std::optional<std::string>> recover_dead_run(const StateFolder& folder, const Card& card);

}  // namespace ergo::control
