#pragma once
// Which of a store's experiments is meant.

#include "ergo/store/store.hpp"

#include <cstdint>
#include <string>

namespace ergo::cli {

/// The number of the experiment: `wanted`, or the newest where that is 0. `path` is the store's
/// name in messages. Errors: not_found.
Result<std::int64_t> chosen_experiment(const Store& store, const std::string& path,
                                       std::int64_t wanted);

}  // namespace ergo::cli
