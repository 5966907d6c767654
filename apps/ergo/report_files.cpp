#include "report_files.hpp"

#include "ergo/core/files.hpp"
#include "ergo/report/study_report.hpp"

#include <algorithm>

namespace ergo::cli {
namespace {

ResultTitles titles_of(const StudyRecipe& recipe) {
  return {recipe.title, recipe.source, recipe.axis, recipe.axis_label, recipe.item};
}

/// A report must not fail because a recipe that it does not need is wrong.
ResultTitles titles_by_name(const std::string& title) {
  const auto recipes = list_studies(studies_folder());
  if (!recipes || title.empty()) return {};
  const auto found = std::find_if(recipes->begin(), recipes->end(),
                                  [&](const StudyRecipe& one) { return one.title == title; });
  return found == recipes->end() ? ResultTitles{} : titles_of(*found);
}

}  // namespace

std::filesystem::path studies_folder() {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  const auto base = self.parent_path().parent_path();
  return base / "share" / "ergo" / "studies";
}

Result<StudyReport> build_report(const Store& store, std::int64_t experiment,
                                 const StudyRecipe* recipe, bool with_traces) {
  const auto record = store.load_experiment(experiment);
  if (!record) return record.error();
  StudyReport report;
  report.results =
      study_results(*record, recipe != nullptr ? titles_of(*recipe) : titles_by_name(record->name));
  if (!with_traces) return report;
  const auto runs = store.runs(experiment);
  if (!runs) return runs.error();
  std::size_t channels = 1;
  for (const RunRecord& run : record->runs)
    channels = std::max(channels, run.energy.size());
  const std::size_t drawn = std::min(record->runs.size(), report::most_traces);
  const std::size_t buckets = report::buckets_for(drawn, channels);
  for (std::size_t i = 0; i < drawn; ++i) {
    const auto timeline = store.load_timeline((*runs)[i].id);
    if (!timeline) return timeline.error();
    report::RunTrace trace = report::trace_of(record->runs[i], **timeline, buckets);
    if (!trace.channels.empty()) report.traces.push_back(std::move(trace));
  }
  report.traces_left_out = record->runs.size() - drawn;
  return report;
}

Result<void> write_report_files(const StudyReport& report, const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) return system_error("cannot make the folder " + folder.string(), failure.value());
  const StudyResults& results = report.results;
  const std::pair<const char*, std::string> files[] = {
      {"study.csv", report::study_csv(results)},
      {"report.json", report::study_json(results)},
      {"report.md", report::study_markdown(results)},
      {"report.html", report::study_html(results, report.traces, report.traces_left_out)}};
  for (const auto& [name, text] : files) {
    if (auto written = write_text_atomically(folder / name, text); !written) return written;
  }
  return {};
}

}  // namespace ergo::cli
