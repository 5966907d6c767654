#include "ergo/experiment/sweep.hpp"

#include "ergo/core/environment.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/summary.hpp"
#include "ergo/report/sweep_table.hpp"
#include "limit_axis.hpp"
#include "limit_guard.hpp"
#include "progress.hpp"
#include "run_options.hpp"
#include "verbs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace ergo::cli {
namespace {

struct SweepFlags {
  MeasureFlags measure;
  std::vector<std::string> parameters;
  std::string power_limits;
  int repeat = 1;
  int warmup = 0;
  std::uint64_t seed = 1;
  std::string store = "ergo-sweep.db";
  std::string cooldown = "0";
  std::string until;
  int most_repeats = 30;
  std::string name;
  bool dry_run = false;
  bool quiet = false;
};

/// Tells on stderr how far the sweep is.
class SweepProgress final : public SweepEvents {
 public:
  SweepProgress(bool quiet, Clock& clock)
      : quiet_(quiet), clock_(clock), begin_(clock.now()), line_("sweep", !quiet) {}

  void on_run(std::size_t number, std::size_t total, const GridCell& cell, int repeat) override {
    label_ = fmt::format("[{}/{}] {} repeat {}", number, total,
                         cell.empty() ? "command" : key_of(cell), repeat);
    number_ = number;
    total_ = total;
  }

  void on_record(const RunRecord& record, const std::optional<Error>& launch_error) override {
    line_.clear();
    if (quiet_) return;
    std::cerr << fmt::format("{}{}: {}", label_, record.warmup ? " (warm-up)" : "",
                             report::run_line(record));
    if (launch_error && record.invalid != launch_error->text())
      std::cerr << "; " << launch_error->text();
    const Seconds spent = clock_.now() - begin_;
    if (!record.warmup && number_ < total_) {
      const double left = static_cast<double>(total_ - number_) / static_cast<double>(number_);
      std::cerr << fmt::format("; about {} left", report::format_rough(spent * left));
    }
    std::cerr << "\n";
  }

  RunEvents& run_events() override { return line_; }

 private:
  bool quiet_;
  Clock& clock_;
  Instant begin_;
  Progress line_;
  std::string label_;
  std::size_t number_ = 0;
  std::size_t total_ = 0;
};

Result<SweepSpec> spec_of(const SweepFlags& flags, const RunnerOptions& options,
                          const std::vector<std::string>& command) {
  SweepSpec spec;
  spec.name = flags.name;
  spec.command = command;
  if (command.empty()) {
    return Error{Errc::invalid_argument, "there is no command to run",
                 "ergo sweep -p NAME=V1,V2 -- COMMAND {NAME}..."};
  }
  for (const std::string& text : flags.parameters) {
    auto axis = Axis::parse(text);
    if (!axis) return axis.error();
    spec.axes.push_back(std::move(*axis));
  }
  if (!flags.power_limits.empty()) {
    auto axis = limit_axis(flags.power_limits, Environment::from_process(), options.gpus);
    if (!axis) return axis.error();
    spec.axes.push_back(std::move(*axis));
  }
  spec.repeats = flags.repeat;
  spec.warmup = flags.warmup;
  spec.seed = flags.seed;
  spec.most_repeats = flags.most_repeats;
  const auto cooldown = parse_duration(flags.cooldown);
  if (!cooldown) return cooldown.error();
  spec.cooldown = *cooldown;
  if (!flags.until.empty()) {
    const auto until = parse_fraction(flags.until);
    if (!until || *until <= 0) {
      return Error{Errc::invalid_argument,
                   fmt::format("--until: '{}' is not a share above 0", flags.until),
                   "write 2% or 0.02"};
    }
    spec.until = *until;
  }
  return spec;
}

Result<int> print_plan(const SweepSpec& spec, const SweepFlags& flags, const GpuSelection& gpus) {
  std::vector<PlannedRun> planned;
  std::optional<Seconds> length;
  std::size_t there = 0;
  const auto cells = grid_of(spec.axes);
  if (!cells) return cells.error();
  if (auto store = Store::open(flags.store, Store::Mode::read)) {
    const auto experiment = find_sweep(spec, *store);
    if (!experiment) return experiment.error();
    auto remaining = remaining_runs(spec, *store, *experiment);
    if (!remaining) return remaining.error();
    planned = std::move(*remaining);
    there = cells->size() * static_cast<std::size_t>(spec.repeats) - planned.size();
    if (*experiment) {
      if (const auto known = store->load_experiment(**experiment))
        length = expected_length(planned, *known);
    }
  } else {
    planned = plan_runs(*cells, spec.repeats, spec.seed);
  }
  for (const PlannedRun& run : planned) {
    const auto words = cell_command(spec, run.cell);
    if (!words) return words.error();
    std::cout << fmt::format("{} repeat {}:", run.cell.empty() ? "command" : key_of(run.cell),
                             run.repeat);
    for (const std::string& word : *words)
      std::cout << " " << word;
    std::cout << "\n";
  }
  std::cout << fmt::format("{} cells, {} runs to make, {} already in {}", cells->size(),
                           planned.size(), there, flags.store);
  if (length) std::cout << fmt::format("; about {}", report::format_rough(*length));
  std::cout << "\n";
  if (!flags.power_limits.empty() && !planned.empty()) {
    if (auto told = print_limits_found(Environment::from_process(), gpus); !told)
      return told.error();
  }
  return 0;
}

Result<int> measure_sweep(const SweepSpec& spec, const SweepFlags& flags, RunnerOptions options) {
  SystemClock clock;
  auto store = Store::open(flags.store, Store::Mode::create);
  if (!store) return store.error();
  Runner runner(Environment::from_process(), std::move(options), clock);
  if (auto right = check_right_to_set(spec, *store, Environment::from_process(), runner.host());
      !right)
    return right.error();
  SweepProgress progress(flags.quiet, clock);
  LimitedSweep limited(Environment::from_process(), runner.host(), progress, flags.quiet);
  const auto result = run_sweep(spec, runner, *store, clock, limited);
  if (!result) return result.error();
  const auto record = store->load_experiment(result->experiment);
  if (!record) return record.error();
  if (!flags.quiet) {
    std::cerr << report::sweep_table(*record);
    std::cerr << fmt::format("\n{} runs measured, {} failed, {} were there before; all are in {}\n",
                             result->measured, result->failed, result->resumed, flags.store);
    const bool some = result->measured > result->failed || result->resumed > 0;
    if (!flags.power_limits.empty() && some)
      std::cerr << fmt::format("next: ergo advise {}\n", flags.store);
    std::cerr << fmt::format("next: ergo export {} --format csv\n", flags.store);
  }
  if (result->stop_signal) {
    std::cerr << "ergo: stopped by a signal; the same command goes on where it stopped\n";
    return 128 + *result->stop_signal;
  }
  return result->failed > 0 ? 1 : 0;
}

int sweep(const SweepFlags& flags, const std::vector<std::string>& command) {
  const auto fail = [](const Error& error) {
    print_error(error);
    return own_failure;
  };
  auto options = runner_options(flags.measure);
  if (!options) return fail(options.error());
  const auto spec = spec_of(flags, *options, command);
  if (!spec) return fail(spec.error());
  const auto code = flags.dry_run ? print_plan(*spec, flags, options->gpus)
                                  : measure_sweep(*spec, flags, std::move(*options));
  return code ? *code : fail(code.error());
}

}  // namespace

void add_sweep(CommandLine& line) {
  auto flags = std::make_shared<SweepFlags>();
  CLI::App* verb = line.app.add_subcommand("sweep",
                                           "Run a command over a grid of parameters: ergo sweep -p "
                                           "size=112..448:112 -r 5 -- ./infer {size}");
  verb->add_option("-p,--parameter", flags->parameters,
                   "NAME=V1,V2 or NAME=A..B:STEP; {NAME} stands for it in the command")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_power_limits_flag(*verb, flags->power_limits);
  verb->add_option("-r,--repeat", flags->repeat, "Runs of each cell")
      ->check(CLI::Range(1, 1'000'000));
  verb->add_option("-w,--warmup", flags->warmup, "Runs of each cell before that do not count")
      ->check(CLI::Range(0, 1'000));
  verb->add_option("--seed", flags->seed, "Seed of the random order");
  verb->add_option("--store", flags->store,
                   "SQLite file (default ergo-sweep.db); given again, the sweep goes on");
  verb->add_option("--cooldown", flags->cooldown, "Rest between runs");
  verb->add_option("--until", flags->until,
                   "Repeat a cell until its energy's interval over repeats is this narrow (2%)");
  verb->add_option("--max-repeats", flags->most_repeats, "With --until: at most so often")
      ->check(CLI::Range(1, 1'000'000));
  verb->add_option("--name", flags->name, "A title");
  verb->add_flag("--dry-run", flags->dry_run, "Print the plan and run nothing");
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_measure_flags(*verb, flags->measure);
  verb->prefix_command();
  verb->callback([flags, verb, &line] {
    line.exit_code = sweep(*flags, line.program.empty() ? verb->remaining() : line.program);
  });
}

}  // namespace ergo::cli
