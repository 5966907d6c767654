#pragma once
// The plan of a sweep: a grid of cells, each repeated, in an order that spreads drift evenly over
// the cells.

#include "ergo/core/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// One dimension of the grid.
struct Axis {
  std::string name;
  std::vector<std::string> values;

  /// "size=112,224" or "size=112..2240:112". Names are letters, digits, '_' and '-'.
  static Result<Axis> parse(std::string_view text);
};

/// One point of the grid: a value for every axis.
using GridCell = std::map<std::string, std::string>;

/// "batch=8 size=112": the key of a cell, the same whatever order the axes came in.
std::string key_of(const GridCell& cell);

struct PlannedRun {
  GridCell cell;
  int repeat = 0;
};

/// Every cell of the grid, the last axis fastest. One empty cell when there are no axes. Error: two
/// axes of one name.
Result<std::vector<GridCell>> grid_of(const std::vector<Axis>& axes);

/// Every cell `repeats` times: round by round, each round a new random permutation of the cells, so
/// that slow drift (temperature, a neighbour) falls on all cells alike. The same seed gives the
/// same order on every machine.
std::vector<PlannedRun> plan_runs(const std::vector<GridCell>& cells, int repeats,
                                  std::uint64_t seed);

/// Replaces each "{NAME}" in `words` by the cell's value. Errors: an axis that no word mentions
/// (its runs would all be alike) unless it is in `silent_axes`; braces around a name that is no
/// axis are left as they are.
Result<std::vector<std::string>> substitute(const std::vector<std::string>& words,
                                            const GridCell& cell,
                                            const std::vector<std::string>& silent_axes = {});

}  // namespace ergo
