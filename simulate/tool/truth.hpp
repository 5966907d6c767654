#pragma once
// `ergo-sim truth` and `ergo-sim advance`: questions to a running node.

#include "ergo/core/result.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace ergo::sim {

struct TruthArguments {
  std::filesystem::path state;  ///< empty = ERGO_SIM_STATE
  std::optional<std::int64_t> from_ns;
  std::optional<std::int64_t> to_ns;
  bool json = false;
  double advance_s = 0.0;
};

void add_truth_options(CLI::App& command, TruthArguments& arguments);
void add_advance_options(CLI::App& command, TruthArguments& arguments);

/// True energy between two times (default: the start and now), as text or JSON.
Result<std::string> tell_truth(const TruthArguments& arguments);
/// Moves a manual clock by `advance_s` and says what time it is.
Result<std::string> advance_clock(const TruthArguments& arguments);

}  // namespace ergo::sim
