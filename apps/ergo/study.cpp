#include "ergo/experiment/study.hpp"

#include "ergo/core/environment.hpp"
#include "ergo/report/format.hpp"
#include "ergo/report/sweep_table.hpp"
#include "limit_axis.hpp"
#include "limit_guard.hpp"
#include "progress.hpp"
#include "report_files.hpp"
#include "run_options.hpp"
#include "study_parts.hpp"
#include "study_plan.hpp"
#include "verbs.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <memory>

namespace ergo::cli {
namespace {

struct StudyFlags {
  MeasureFlags measure;
  std::string recipe;
  std::string device;
  std::string store;
  std::string output;
  std::string power_limits;
  int repeats = 0;
  bool quick = false;
  bool list = false;
  bool dry_run = false;
};

class StudyProgress final : public SweepEvents {
 public:
  explicit StudyProgress(Clock& clock) : clock_(clock), begin_(clock.now()), line_("study", true) {}

  void on_run(std::size_t number, std::size_t total, const GridCell& cell, int repeat) override {
    label_ = fmt::format("[{}/{}] {} repeat {}", number, total, key_of(cell), repeat);
    left_ = static_cast<double>(total - number) / static_cast<double>(number);
  }

  void on_record(const RunRecord& record, const std::optional<Error>& launch_error) override {
    line_.clear();
    std::cerr << fmt::format("{}{}: {}", label_, record.warmup ? " (warm-up)" : "",
                             report::run_line(record));
    if (launch_error && record.invalid != launch_error->text())
      std::cerr << "; " << launch_error->text();
    if (record.exit_code != 0 && !record.warnings.empty())
      std::cerr << "; " << record.warnings.back();
    if (!record.warmup && left_ > 0)
      std::cerr << fmt::format("; about {} left",
                               report::format_rough((clock_.now() - begin_) * left_));
    std::cerr << "\n";
  }

  void on_skip(const GridCell& cell, const std::string& reason) override {
    std::cerr << fmt::format("{} is left out: {}\n", key_of(cell), reason);
  }

  RunEvents& run_events() override { return line_; }

 private:
  Clock& clock_;
  Instant begin_;
  Progress line_;
  std::string label_;
  double left_ = 0.0;
};

Result<StudyRecipe> find_recipe(const std::string& name) {
  const bool is_file = name.ends_with(".toml") || name.find('/') != std::string::npos;
  if (is_file) {
    auto recipe = load_study(name);
    if (recipe || recipe.error().code != Errc::not_found) return recipe;
    Error error = recipe.error();
    error.remedy = "check the path; ergo study --list names the shipped recipes";
    return error;
  }
  const auto file = studies_folder() / (name + ".toml");
  if (std::error_code failure; !std::filesystem::exists(file, failure))
    return Error{Errc::not_found, "there is no study '" + name + "'",
                 "ergo study --list names them"};
  return load_study(file);
}

Result<int> list() {
  const auto recipes = list_studies(studies_folder());
  if (!recipes) return recipes.error();
  for (const StudyRecipe& recipe : *recipes)
    std::cout << fmt::format("{:<18} {}\n", recipe.name, recipe.title);
  return 0;
}

/// ergo-workload lies beside ergo, in a build folder as after an installation.
void find_workloads(RunnerOptions& options) {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return;
  const char* path = std::getenv("PATH");
  std::string rest = path != nullptr ? path : "/usr/bin:/bin";
  for (const auto& [name, value] : options.environment)
    rest = name == "PATH" ? value : rest;  // the calling user's
  options.environment.emplace_back("PATH", self.parent_path().string() + ":" + rest);
}

/// As on the command line, else as the recipe says.
std::string power_limits_of(const StudyRecipe& recipe, const StudyFlags& flags) {
  if (!flags.power_limits.empty()) return flags.power_limits;
  return (flags.quick ? recipe.quick : recipe.full).power_limits;
}

Result<SweepResult> measure_part(StudyPart part, Store& store) {
  SystemClock clock;
  Runner runner(Environment::from_process(), std::move(part.options), clock);
  if (auto right = check_right_to_set(part.spec, store, Environment::from_process(), runner.host());
      !right)
    return right.error();
  StudyProgress progress(clock);
  LimitedSweep limited(Environment::from_process(), runner.host(), progress);
  return run_sweep(part.spec, runner, store, clock, limited);
}

Result<void> report_part(const StudyRecipe& recipe, const Store& store, std::int64_t experiment,
                         const std::filesystem::path& folder) {
  const auto report = build_report(store, experiment, &recipe);
  if (!report) return report.error();
  if (auto written = write_report_files(*report, folder); !written) return written.error();
  const auto record = store.load_experiment(experiment);
  if (!record) return record.error();
  std::cerr << report::sweep_table(*record);
  return {};
}

std::filesystem::path folder_of(const StudyRecipe& recipe, const StudyFlags& flags) {
  return flags.output.empty() ? "ergo-study-" + recipe.name : flags.output;
}

std::string store_of(const StudyFlags& flags, const std::filesystem::path& folder) {
  return flags.store.empty() ? (folder / "ergo.db").string() : flags.store;
}

Result<int> print_plan(const StudyRecipe& recipe, const SweepSpec& spec, const StudyFlags& flags) {
  auto options = runner_options(flags.measure);
  if (!options) return options.error();
  const std::string power_limits = power_limits_of(recipe, flags);
  const auto parts = study_parts(recipe, spec, *options, power_limits);
  if (!parts) return parts.error();
  // What the recipe says holds for CPU cores, and for each cell once.
  std::optional<Seconds> length;
  if (flags.device != "cuda" && power_limits.empty() && !recipe.each_gpu) {
    StudyTable table = flags.quick ? recipe.quick : recipe.full;
    table.repeats = spec.repeats;
    length = planned_length(table);
  }
  auto printed =
      print_study_plan(recipe, *parts, store_of(flags, folder_of(recipe, flags)), length);
  if (!printed) return printed.error();
  if (!power_limits.empty()) {
    if (auto told = print_limits_found(Environment::from_process(), options->gpus); !told)
      return told.error();
  }
  return 0;
}

Result<int> measure_study(const StudyRecipe& recipe, const SweepSpec& spec,
                          const StudyFlags& flags) {
  auto options = runner_options(flags.measure);
  if (!options) return options.error();
  find_workloads(*options);
  const std::string power_limits = power_limits_of(recipe, flags);
  const auto parts = study_parts(recipe, spec, *options, power_limits);
  if (!parts) return parts.error();
  const std::filesystem::path folder = folder_of(recipe, flags);
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) return system_error("cannot make the folder " + folder.string(), failure.value());
  const std::string file = store_of(flags, folder);
  auto store = Store::open(file, Store::Mode::create);
  if (!store) return store.error();
  SweepResult sum;
  std::vector<std::int64_t> experiments;
  for (const StudyPart& part : *parts) {
    const auto result = measure_part(part, *store);
    if (!result) return result.error();
    if (result->stop_signal) {
      std::cerr << "ergo: stopped by a signal; the same command goes on where it stopped\n";
      return 128 + *result->stop_signal;
    }
    sum.measured += result->measured;
    sum.failed += result->failed;
    sum.resumed += result->resumed;
    sum.skipped += result->skipped;
    experiments.push_back(result->experiment);
    if (auto told = report_part(recipe, *store, result->experiment, folder / part.folder); !told)
      return told.error();
  }
  std::cerr << fmt::format(
      "\n{} runs measured, {} failed, {} were there before, {} cells left out; all are in {}\n",
      sum.measured, sum.failed, sum.resumed, sum.skipped, file);
  for (const StudyPart& part : *parts)
    std::cerr << fmt::format("Written: {}, report.md, report.json, study.csv\n",
                             (folder / part.folder / "report.html").lexically_normal().string());
  if (!power_limits.empty()) {
    if (auto written = write_limits_files(*store, experiments, recipe.title, folder); !written)
      return written.error();
    std::cerr << fmt::format("Written: {}/limits.html, limits.md, sweep.csv\n", folder.string());
  }
  return sum.failed > 0 ? 1 : 0;
}

Result<int> study(const StudyFlags& flags) {
  if (flags.list || flags.recipe.empty()) {
    if (!flags.list) std::cerr << "Name one of these, or a recipe of your own by its path:\n";
    return list();
  }
  const auto recipe = find_recipe(flags.recipe);
  if (!recipe) return recipe.error();
  auto spec = sweep_of(*recipe, flags.quick,
                       flags.device.empty() ? std::nullopt : std::optional(flags.device));
  if (!spec) return spec.error();
  if (flags.repeats > 0) spec->repeats = flags.repeats;
  if (flags.quick && recipe->quick_is_ours)
    std::cerr << fmt::format(
        "The recipe has no [quick] table: --quick takes {} of its {} cells, {} runs each, and no "
        "rests.\n",
        spec->axes.front().values.size(), recipe->full.columns.at(recipe->axis).size(),
        spec->repeats);
  return flags.dry_run ? print_plan(*recipe, *spec, flags) : measure_study(*recipe, *spec, flags);
}

}  // namespace

void add_study(CommandLine& line) {
  auto flags = std::make_shared<StudyFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "study", "Run a recipe and write its report: ergo study alexnet --quick");
  verb->add_option("recipe", flags->recipe, "The name of a shipped recipe, or a FILE.toml");
  verb->add_flag("--quick", flags->quick,
                 "The recipe's small version: under two minutes on two CPU cores");
  verb->add_option("--device", flags->device, "cpu (default) or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  verb->add_option("-r,--repeat", flags->repeats, "Runs of each cell (default: the recipe's)")
      ->check(CLI::Range(1, 1'000'000));
  verb->add_option("--store", flags->store,
                   "SQLite file (default: ergo.db in the folder); given again, the study goes on");
  verb->add_option("-o,--output", flags->output, "Folder for the report (default ergo-study-NAME)");
  add_power_limits_flag(*verb, flags->power_limits);
  verb->add_flag("--list", flags->list, "List the shipped recipes (as without a name)");
  verb->add_flag("--dry-run", flags->dry_run, "Print the plan and run nothing");
  add_measure_flags(*verb, flags->measure);
  verb->callback([flags, &line] {
    const auto code = study(*flags);
    if (!code) print_error(code.error());
    line.exit_code = code ? *code : own_failure;
  });
}

}  // namespace ergo::cli
