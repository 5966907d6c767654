#pragma once
// Runs -> medians with intervals, and the items of a run.

#include "ergo/store/records.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace ergo {

/// Over the runs that are no warm-up, ended with exit code 0 and are not invalid. The interval of
/// an energy holds two independent things: the spread over repeats, and the error budget of one
/// run, which is the same in each repeat (gain above all) and does not average out. They are
/// combined in quadrature, each side for itself.
SummaryRecord summarize(const std::vector<RunRecord>& runs);

/// The run was cut short, and a later one with its parameters and repeat number stands for both.
bool made_again(const std::vector<RunRecord>& runs, std::size_t index);

/// Indices of the counted windows that lie inside no other counted window of the same process and
/// share the name of the first such window: what "per item" refers to. Empty when nothing was
/// counted.
std::vector<std::size_t> item_windows(const std::vector<WindowRecord>& windows);

/// The items of a run: sums over item_windows(). Intervals of windows of one run add linearly
/// (their gain is one).
std::optional<ItemsRecord> items_of(const std::vector<WindowRecord>& windows);

}  // namespace ergo
