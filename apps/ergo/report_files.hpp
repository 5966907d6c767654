#pragma once
// The report of an experiment in a store, for the verbs `study` and `report`.

#include "ergo/experiment/study.hpp"
#include "ergo/report/html.hpp"
#include "ergo/store/store.hpp"

#include <filesystem>
#include <optional>

namespace ergo::cli {

/// share/ergo/studies beside the folder of the program, in a build folder as after an installation.
std::filesystem::path studies_folder();

struct StudyReport {
  StudyResults results;
  std::vector<report::RunTrace> traces;
  std::size_t traces_left_out = 0;
};

/// Titles come from `recipe`, else from the shipped recipe whose title the experiment has.
Result<StudyReport> build_report(const Store& store, std::int64_t experiment,
                                 const StudyRecipe* recipe = nullptr, bool with_traces = true);

/// study.csv, report.json, report.md and report.html in `folder`, which is made.
Result<void> write_report_files(const StudyReport& report, const std::filesystem::path& folder);

}  // namespace ergo::cli
