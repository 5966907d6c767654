#pragma once
// What a study found besides medians, as tables that each format writes in its own way: lines along
// the axis, warm-up of iterations, runs that stand apart.

#include "ergo/experiment/study_results.hpp"

#include <string>
#include <vector>

namespace ergo::report {

struct Finding {
  std::string id;  ///< of the HTML table
  std::string title;
  std::string note;  ///< what the columns mean, in a sentence or two
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;  ///< as long as the head, plain text
};

/// Those that have something to say.
std::vector<Finding> findings_of(const StudyResults& results);

/// "GPU energy, batch=8"
std::string fit_name(const StudyResults& results, const AxisFit& fit);

}  // namespace ergo::report
