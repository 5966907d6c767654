#pragma once
// ExperimentRecord -> the table that `ergo run` prints, in the manner of perf stat and hyperfine.
// Computes nothing.

#include "ergo/store/records.hpp"

#include <string>

namespace ergo::report {

struct ConsoleOptions {
  bool color = false;    ///< ANSI colours (a terminal without NO_COLOR)
  bool explain = false;  ///< list every part of the error budget
  Seconds period{0.1};   ///< of the sampler, for the line about its cost
};

/// The whole report, ending with a newline. UTF-8.
std::string console_report(const ExperimentRecord& record, const ConsoleOptions& options = {});

}  // namespace ergo::report
