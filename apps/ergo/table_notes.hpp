#pragma once
// What a user should know about the tables that predictions are made from. Notes go to stderr.

#include "ergo/model/table.hpp"

#include <vector>

namespace ergo::cli {

/// Of a card that was never seen below some limit nothing is known there, not even whether it takes
/// it. Names the GPUs of `asked` for which `limits` go lower than any of `tables`.
void note_unmeasured(const std::vector<const SweepTable*>& tables, const SweepTable& asked,
                     const std::vector<double>& limits);

/// Names the GPUs of `asked` that `train` holds nothing of, though it holds others: names must be
/// spelled alike.
void note_unknown_gpus(const SweepTable& train, const SweepTable& asked);

}  // namespace ergo::cli
