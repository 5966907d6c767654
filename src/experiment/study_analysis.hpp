#pragma once
// What lies behind the medians of a study: laws along the axis, warm-up, runs that stand apart.

#include "ergo/experiment/study_results.hpp"

#include <map>
#include <string>
#include <vector>

namespace ergo::experiment_detail {

/// Lines through the cells of each series, for energies and times.
std::vector<AxisFit> axis_fits(const StudyResults& results);

/// Of one cell; `runs` are its good ones in order of execution.
std::vector<CellCourse> cell_courses(std::size_t cell, const std::vector<const RunRecord*>& runs);

/// Values of one quantity of a cell, run by run.
void add_odd_runs(std::vector<OddRun>& odd, std::size_t cell, const std::string& quantity,
                  const std::vector<const RunRecord*>& runs, const std::vector<double>& values);

}  // namespace ergo::experiment_detail
