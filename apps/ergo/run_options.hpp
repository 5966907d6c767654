#pragma once
// The flags that `ergo run` shares with other verbs that measure a program.

#include "ergo/core/result.hpp"
#include "ergo/experiment/runner.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

namespace ergo::cli {

/// As typed; checked by runner_options().
struct MeasureFlags {
  std::string period = "100ms";
  std::string idle = "0";
  std::string gpus;
  std::vector<std::string> meters;
  bool no_hooks = false;
};

void add_measure_flags(CLI::App& verb, MeasureFlags& flags);

/// Errors name the flag and the right form.
Result<RunnerOptions> runner_options(const MeasureFlags& flags);

}  // namespace ergo::cli
