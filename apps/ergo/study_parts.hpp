#pragma once
// A study as the sweeps it is made of: one, or one for each GPU; with its axis of power limits.

#include "ergo/experiment/runner.hpp"
#include "ergo/experiment/study.hpp"
#include "ergo/store/store.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace ergo::cli {

struct StudyPart {
  SweepSpec spec;
  RunnerOptions options;
  std::string folder;  ///< below the study's, for its report; empty: the study's own
};

/// `power_limits` as on the command line; empty: none. On each GPU the program sees that one alone,
/// by CUDA_VISIBLE_DEVICES. Errors: those of limit_axis(); not_found when there is no GPU.
Result<std::vector<StudyPart>> study_parts(const StudyRecipe& recipe, const SweepSpec& spec,
                                           const RunnerOptions& options,
                                           const std::string& power_limits);

/// limits.md, limits.html and sweep.csv of these experiments, in `folder`. Errors: not_supported
/// when nothing was measured under two limits.
Result<void> write_limits_files(const Store& store, const std::vector<std::int64_t>& experiments,
                                const std::string& title, const std::filesystem::path& folder);

}  // namespace ergo::cli
