#pragma once
// ergo study --dry-run.

#include "ergo/experiment/study.hpp"
#include "study_parts.hpp"

#include <string>
#include <vector>

namespace ergo::cli {

/// Prints the cells with their commands, what is left to run, and how long it takes where that is
/// known: from the runs that the store holds, else from the recipe (`planned`; on CPU cores).
Result<void> print_study_plan(const StudyRecipe& recipe, const std::vector<StudyPart>& parts,
                              const std::string& store_file, std::optional<Seconds> planned);

}  // namespace ergo::cli
