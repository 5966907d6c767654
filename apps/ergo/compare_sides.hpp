#pragma once
// What `ergo compare A B` names: runs in stores.

#include "ergo/experiment/compare.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace ergo::cli {

/// "STORE[@EXPERIMENT][:NAME=VALUE[,NAME=VALUE]…]". The whole text is the store where a file of
/// that name is there.
struct RunSelector {
  std::string store;
  std::optional<std::int64_t> experiment;  ///< absent: the newest
  std::map<std::string, std::string> parameters;

  static Result<RunSelector> parse(const std::string& text);
};

struct StoredSides {
  std::array<CompareSide, 2> sides;
  /// Both are cells of one experiment whose runs took turns.
  bool paired = false;
};

/// `second` may be empty: `first` then names an experiment with exactly two cells, such as `ergo
/// compare --store` leaves behind. Errors: as Store::open(); not_found when no run fits;
/// invalid_argument when runs of several cells do.
Result<StoredSides> load_sides(const std::string& first, const std::string& second);

}  // namespace ergo::cli
