#include "study_parts.hpp"

#include "ergo/control/power_limit.hpp"
#include "ergo/core/files.hpp"
#include "ergo/report/export_csv.hpp"
#include "ergo/report/limits_report.hpp"
#include "limit_axis.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo::cli {
namespace {

Result<void> add_limits(StudyPart& part, const std::string& power_limits) {
  if (power_limits.empty()) return {};
  auto axis = limit_axis(power_limits, Environment::from_process(), part.options.gpus);
  if (!axis) return axis.error();
  part.spec.axes.push_back(std::move(*axis));
  return {};
}

StudyPart part_of(const SweepSpec& spec, const RunnerOptions& options,
                  const control::GpuLimits& gpu) {
  StudyPart part{spec, options, fmt::format("gpu{}", gpu.index)};
  part.spec.name += fmt::format(" ({}, gpu{})", gpu.name, gpu.index);
  part.options.gpus.mode = GpuSelection::Mode::listed;
  part.options.gpus.listed = {gpu.uuid};
  part.options.environment.emplace_back("CUDA_VISIBLE_DEVICES", std::to_string(gpu.index));
  part.options.environment.emplace_back("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
  return part;
}

std::string provenance_of(const std::vector<ExperimentRecord>& records) {
  const bool simulated = std::any_of(records.begin(), records.end(), [](const auto& record) {
    return std::any_of(record.host.gpus.begin(), record.host.gpus.end(),
                       [](const GpuIdentity& gpu) { return gpu.simulated; });
  });
  return simulated ? "simulated" : "measured";
}

}  // namespace

Result<std::vector<StudyPart>> study_parts(const StudyRecipe& recipe, const SweepSpec& spec,
                                           const RunnerOptions& options,
                                           const std::string& power_limits) {
  std::vector<StudyPart> parts;
  if (!recipe.each_gpu) {
    parts.push_back({spec, options, {}});
  } else {
    const auto overview = control::list(Environment::from_process(), options.gpus);
    if (!overview) return overview.error();
    if (overview->no_gpus) {
      Error why = *overview->no_gpus;
      why.message = "this study needs a GPU: " + why.message;
      if (why.remedy.empty()) why.remedy = "try it with --sim v100,t4,k80";
      return why;
    }
    for (const control::GpuLimits& gpu : overview->gpus)
      parts.push_back(part_of(spec, options, gpu));
    if (parts.empty())
      return Error{Errc::not_found, "this study needs a GPU", "try it with --sim v100,t4,k80"};
  }
  for (StudyPart& part : parts) {
    if (auto added = add_limits(part, power_limits); !added) return added.error();
  }
  return parts;
}

Result<void> write_limits_files(const Store& store, const std::vector<std::int64_t>& experiments,
                                const std::string& title, const std::filesystem::path& folder) {
  std::vector<ExperimentRecord> records;
  for (const std::int64_t id : experiments) {
    auto record = store.load_experiment(id);
    if (!record) return record.error();
    records.push_back(std::move(*record));
  }
  const auto csv = report::model_csv(records);
  if (!csv) return csv.error();
  const auto table = parse_sweep_table(*csv, "the study");
  if (!table) return table.error();
  const auto results = limits_results(*table);
  if (!results) return results.error();
  report::LimitsTitles titles;
  titles.title = title;
  titles.machine = records.front().host.name + ", " + records.front().host.cpu;
  titles.started = records.front().started;
  titles.provenance = provenance_of(records);
  const std::pair<const char*, std::string> files[] = {
      {"sweep.csv", *csv},
      {"limits.md", report::limits_markdown(*results, titles)},
      {"limits.html", report::limits_html(*results, titles)}};
  for (const auto& [name, text] : files) {
    if (auto written = write_text_atomically(folder / name, text); !written) return written;
  }
  return {};
}

}  // namespace ergo::cli
