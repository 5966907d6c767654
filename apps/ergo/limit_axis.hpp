#pragma once
// `--power-limits all|all:5|150,200,250|150..300:25`: power limits as an axis of a sweep or a
// study.

#include "ergo/core/environment.hpp"
#include "ergo/core/result.hpp"
#include "ergo/experiment/plan.hpp"
#include "ergo/sensors/registry.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace ergo::cli {

/// The limits that "all" stands for: from the lowest allowed up to the default limit in round
/// steps, about a dozen, both ends included. Ascending.
std::vector<double> all_limits(double lowest_w, double default_w);

/// "all:5": so many of them, evenly spaced, to whole watts. `count` >= 2.
std::vector<double> some_limits(double lowest_w, double default_w, int count);

/// The axis `power_limit_w`, ascending. With several GPUs "all" covers the range that every one of
/// them allows. Reads the cards and writes nothing. Errors: invalid_argument (no numbers; a limit
/// that a GPU does not allow; no common range), and those of control::plan_power_limit().
Result<Axis> limit_axis(const std::string& text, const Environment& environment,
                        const GpuSelection& gpus);

/// Declares the flag; an empty text is refused.
void add_power_limits_flag(CLI::App& verb, std::string& text);

}  // namespace ergo::cli
