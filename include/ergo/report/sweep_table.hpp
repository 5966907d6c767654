#pragma once
// A sweep for people: one line per cell, and one per run while it goes on. Per item where the
// program counted items.

#include "ergo/report/format.hpp"
#include "ergo/store/records.hpp"

#include <string>

namespace ergo::report {

/// "1.234 s, 45.60 J (44.1 … 47.0 J) per item of 'inference'", or why there is no number.
std::string run_line(const RunRecord& record);

/// Median time and energy of each cell over its good runs, with 95 % intervals.
std::string sweep_table(const ExperimentRecord& record);

}  // namespace ergo::report
