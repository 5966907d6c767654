#pragma once
// Results of a study or sweep as files for scripts and for people. Absent = empty, never 0.

#include "ergo/experiment/study_results.hpp"

#include <string>
#include <string_view>

namespace ergo::report {

/// One row per cell. Columns: the axis and the other parameters, then AIPowerMeter's
/// intel_power,total_cpu_power,mem_use_abs,nvidia_draw_absolute,
/// nvidia_estimated_attributable_power_draw,per_gpu_attributable_mem_use,sm,latency (joules per
/// item, bytes, a share 0..1, seconds; medians over runs), then ours, then <id>_low and <id>_high
/// of each (95 %), <id>_provenance of energies, and runs,failed,reason.
std::string study_csv(const StudyResults& results);

/// Schema ergo.study/1: title, source, axis, host, quantities, cells with figures, correlation.
std::string study_json(const StudyResults& results);

/// The same as tables for people.
std::string study_markdown(const StudyResults& results);

/// "35.2 mJ", "1.10 ms", "92.0 %", "3.2 GiB": a figure in the unit of its quantity.
std::string format_figure(double value, std::string_view unit);
/// "33.9 … 36.5 mJ"; empty when both ends are the same.
std::string format_interval(const Estimate& estimate, std::string_view unit);

}  // namespace ergo::report
