#include "ergo/core/environment.hpp"
#include "ergo/core/files.hpp"
#include "ergo/experiment/recording.hpp"
#include "ergo/experiment/runner.hpp"
#include "ergo/experiment/summary.hpp"
#include "ergo/report/aipowermeter.hpp"
#include "ergo/report/console.hpp"
#include "ergo/report/export_csv.hpp"
#include "ergo/report/json.hpp"
#include "ergo/store/store.hpp"
#include "limit_guard.hpp"
#include "live_line.hpp"
#include "output_files.hpp"
#include "progress.hpp"
#include "run_options.hpp"
#include "verbs.hpp"
#include "watts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace ergo::cli {
namespace {

struct RunFlags {
  MeasureFlags measure;
  int repeat = 1;
  int warmup = 0;
  std::string store;
  std::string json;
  std::string csv;
  std::string aipowermeter;
  std::string name;
  std::string power_limit;  ///< empty: as it is
  bool dry_run = false;
  std::string budget;
  bool quiet = false;
  bool explain = false;
};

/// Where the runs of one `ergo run` go: the store while they happen, the files at the end.
class RunSession {
 public:
  RunSession(const RunFlags& flags, std::vector<std::string> command, RunnerOptions options)
      : flags_(flags),
        period_(options.period),
        runner_(Environment::from_process(), std::move(options), clock_) {
    record_.name = flags.name;
    record_.command = std::move(command);
    record_.started = WallAnchor::now().iso(clock_.now());
    record_.host = runner_.host();
  }

  Result<int> run();
  /// Checks the power limit and says what would be done.
  Result<int> plan() const;

 private:
  Result<void> open_store();
  Result<void> set_power_limit();
  Result<std::optional<int>> run_once(int index, bool warmup);
  LiveOptions live_options(LiveLine& line, std::optional<std::string>& stop) const;
  Result<void> save_run(const RunOutcome& outcome, RunWriter* writer);
  Result<void> write_reports();

  const RunFlags& flags_;
  Seconds period_;
  SystemClock clock_;
  Runner runner_;
  ExperimentRecord record_;
  std::optional<Store> store_;
  std::unique_ptr<LimitGuard> limit_;
  std::vector<std::string> left_over_;  ///< limits that others left set
  std::int64_t experiment_ = 0;
  int exit_code_ = 0;
  bool stopped_ = false;
};

Result<void> RunSession::open_store() {
  if (flags_.store.empty()) return {};
  auto store = Store::open(flags_.store, Store::Mode::create);
  if (!store) return store.error();
  store_.emplace(std::move(*store));
  auto experiment = store_->begin_experiment(record_);
  if (!experiment) return experiment.error();
  experiment_ = *experiment;
  return {};
}

Result<void> RunSession::set_power_limit() {
  if (flags_.power_limit.empty()) {
    left_over_ = left_over_limits(Environment::from_process(), record_.host.gpus);
    return {};
  }
  const auto watts = parse_watts("--power-limit", flags_.power_limit);
  if (!watts) return watts.error();
  auto limit = LimitGuard::set(Environment::from_process(), record_.host, *watts);
  if (!limit) return limit.error();
  limit_ = std::move(*limit);
  return {};
}

/// What the run leaves on disk. A failure is returned only after everything else was tried.
Result<void> RunSession::save_run(const RunOutcome& outcome, RunWriter* writer) {
  Result<void> first_failure;
  const auto keep = [&](Result<void> result) {
    if (!result && first_failure.ok()) first_failure = std::move(result);
  };
  if (writer != nullptr) keep(writer->finish(outcome.record));
  if (!flags_.aipowermeter.empty() && !outcome.record.warmup) {
    std::filesystem::path folder = flags_.aipowermeter;
    if (flags_.repeat > 1) folder /= fmt::format("run_{}", outcome.record.index);
    report::AipowermeterOptions options;
    options.description = record_.name;
    options.pid = outcome.pid;
    auto written = report::write_aipowermeter(folder, outcome.record, *outcome.timeline, options);
    // Nothing was measured that the format can hold: a fact about this machine, told but no
    // failure.
    if (!written && written.error().code == Errc::not_supported) {
      print_error(written.error());
    } else {
      keep(std::move(written));
    }
  }
  return first_failure;
}

/// `stop` gets the reason when the budget ends the run.
LiveOptions RunSession::live_options(LiveLine& line, std::optional<std::string>& stop) const {
  LiveOptions options;
  if (!flags_.budget.empty()) options.budget = parse_energy(flags_.budget).value();
  options.on_status = [&line](const LiveStatus& status) { line.tell(status); };
  options.on_stop = [&line, &stop](const BudgetStop& reason) {
    stop = stop_text(reason);
    line.say(*stop);
  };
  return options;
}

/// Returns the exit code when nothing further should be run.
Result<std::optional<int>> RunSession::run_once(int index, bool warmup) {
  std::unique_ptr<RunWriter> writer;
  const Instant begin = clock_.now();
  if (store_) {
    RunPlan plan;
    plan.index = index;
    plan.cell.repeat = index;
    plan.cell.warmup = warmup;
    plan.begin = begin;
    plan.started_unix_ns = WallAnchor::now().unix_ns_at(begin);
    auto begun = store_->begin_run(experiment_, plan);
    if (!begun) return begun.error();
    writer = std::move(*begun);
  }
  Progress progress(warmup ? fmt::format("warm-up {}/{}", index + 1, flags_.warmup)
                           : fmt::format("run {}/{}", index + 1, flags_.repeat),
                    !flags_.quiet);
  CheckingEvents checking(limit_.get(), progress);
  RecordingEvents recording(writer.get(), begin, checking);
  LiveLine line(progress, !flags_.quiet);
  std::optional<std::string> budget_stop;
  LiveTotal events(live_options(line, budget_stop), recording);
  auto outcome = runner_.run({record_.command, index, warmup}, events);
  progress.clear();
  if (!outcome) return outcome.error();
  if (limit_) limit_->inspect(outcome->record);
  outcome->record.warnings.insert(outcome->record.warnings.end(), left_over_.begin(),
                                  left_over_.end());
  if (budget_stop) outcome->record.warnings.push_back(*budget_stop);
  if (!flags_.budget.empty() && !outcome->record.total.measured && !outcome->record.total.estimated)
    outcome->record.warnings.emplace_back("the budget could not be watched: no energy is known");
  if (outcome->launch_error) {
    print_error(*outcome->launch_error);
    return std::optional<int>(outcome->record.exit_code);
  }
  if (exit_code_ == 0) exit_code_ = outcome->record.exit_code;
  const auto saved = save_run(*outcome, writer.get());
  record_.runs.push_back(std::move(outcome->record));
  if (!saved) return saved.error();
  if (outcome->stop_signal) {
    stopped_ = true;
    return std::optional<int>(exit_code_ != 0 ? exit_code_ : 128 + *outcome->stop_signal);
  }
  return std::optional<int>();
}

Result<void> RunSession::write_reports() {
  record_.summary = summarize(record_.runs);
  if (!flags_.quiet) {
    const bool color = ::isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    std::cerr << report::console_report(record_, {color, flags_.explain, period_});
  }
  Result<void> first_failure;
  const auto keep = [&](Result<void> result) {
    if (!result && first_failure.ok()) first_failure = std::move(result);
  };
  if (store_) keep(store_->finish_experiment(experiment_, record_.summary));
  if (flags_.json == "-") {
    std::cout << report::run_json(record_) << std::flush;
  } else if (!flags_.json.empty()) {
    keep(write_text_atomically(flags_.json, report::run_json(record_)));
  }
  if (!flags_.csv.empty()) keep(write_text_atomically(flags_.csv, report::run_csv(record_)));
  return first_failure;
}

Result<int> RunSession::plan() const {
  print_notes(left_over_limits(Environment::from_process(), record_.host.gpus));
  if (!flags_.power_limit.empty()) {
    const auto watts = parse_watts("--power-limit", flags_.power_limit);
    if (!watts) return watts.error();
    if (auto planned = print_limit_plan(Environment::from_process(), record_.host, *watts);
        !planned)
      return planned.error();
  }
  const int times = flags_.warmup + flags_.repeat;
  std::cout << (times == 1 ? std::string("would run once:")
                           : fmt::format("would run {} times:", times));
  for (const std::string& word : record_.command)
    std::cout << " " << word;
  std::cout << "\n";
  return 0;
}

Result<int> RunSession::run() {
  if (auto opened = open_store(); !opened) return opened.error();
  if (auto set = set_power_limit(); !set) return set.error();
  for (int i = 0; i < flags_.warmup + flags_.repeat; ++i) {
    const bool warmup = i < flags_.warmup;
    auto ended = run_once(warmup ? i : i - flags_.warmup, warmup);
    if (!ended) {
      // What was taken before is reported all the same.
      if (!record_.runs.empty()) std::ignore = write_reports();
      return ended.error();
    }
    if (*ended && !stopped_) return **ended;
    if (*ended) {
      exit_code_ = **ended;
      break;
    }
  }
  limit_.reset();  // before anybody reads the report
  if (auto written = write_reports(); !written) return written.error();
  return exit_code_;
}

/// What cannot be written is noticed before the program runs, not after.
Result<void> check_outputs(const RunFlags& flags) {
  for (const std::string& file : {flags.json, flags.csv}) {
    if (file.empty() || file == "-") continue;
    if (auto checked = check_output_file(file); !checked) return checked;
  }
  return flags.aipowermeter.empty() ? Result<void>() : check_output_folder(flags.aipowermeter);
}

int run_command(const RunFlags& flags, const std::vector<std::string>& command) {
  const auto fail = [](const Error& error) {
    print_error(error);
    return own_failure;
  };
  if (command.empty()) {
    return fail(
        {Errc::invalid_argument, "there is no command to run", "ergo run [options] -- COMMAND..."});
  }
  if (!flags.power_limit.empty()) {
    if (const auto watts = parse_watts("--power-limit", flags.power_limit); !watts)
      return fail(watts.error());
  }
  if (!flags.budget.empty()) {
    if (const auto budget = parse_energy(flags.budget); !budget)
      return fail(
          {budget.error().code, "--budget: " + budget.error().message, budget.error().remedy});
  }
  auto options = runner_options(flags.measure);
  if (!options) return fail(options.error());
  if (auto checked = check_outputs(flags); !checked) return fail(checked.error());
  RunSession session(flags, command, std::move(*options));
  const auto code = flags.dry_run ? session.plan() : session.run();
  return code ? *code : fail(code.error());
}

}  // namespace

void add_run(CommandLine& line) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "run", "Run a command and report what it costs: ergo run [options] -- COMMAND…");
  verb->add_option("-r,--repeat", flags->repeat, "Run it so often")
      ->check(CLI::Range(1, 1'000'000));
  verb->add_option("-w,--warmup", flags->warmup, "Runs before that do not count")
      ->check(CLI::Range(0, 1'000'000));
  add_measure_flags(*verb, flags->measure);
  verb->add_option("--power-limit", flags->power_limit,
                   "Set this power limit (W) on the GPUs, and put the one found back at the end");
  verb->add_flag("--dry-run", flags->dry_run,
                 "Check the power limit, say what would be done, and run nothing");
  verb->add_option("--budget", flags->budget,
                   "Ask the program to end (SIGINT) when it has used this energy, or surely will: "
                   "2kWh, 1.5MJ, 500J; each run by itself");
  verb->add_option("--store", flags->store,
                   "Keep all readings in this SQLite file (made when missing)");
  verb->add_option("--json", flags->json, "Write the report as JSON to a file, or - for stdout");
  verb->add_option("--csv", flags->csv, "Write one row per run and channel");
  verb->add_option("--aipowermeter", flags->aipowermeter,
                   "Write a folder that AIPowerMeter's readers load");
  verb->add_option("--name", flags->name, "A title for the report");
  verb->add_flag("--quiet", flags->quiet, "Print no report");
  verb->add_flag("--explain", flags->explain, "Show every part of the error budget");
  verb->prefix_command();
  verb->callback([flags, verb, &line] {
    std::vector<std::string> command = line.program.empty() ? verb->remaining() : line.program;
    line.exit_code = run_command(*flags, command);
  });
}

}  // namespace ergo::cli
