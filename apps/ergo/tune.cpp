#include "ergo/experiment/tune.hpp"

#include "ergo/control/power_limit.hpp"
#include "ergo/core/environment.hpp"
#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/recording.hpp"
#include "ergo/experiment/tune_events.hpp"
#include "ergo/report/format.hpp"
#include "ergo/store/store.hpp"
#include "limit_guard.hpp"
#include "output_files.hpp"
#include "progress.hpp"
#include "run_options.hpp"
#include "tune_text.hpp"
#include "verbs.hpp"
#include "watts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>

namespace ergo::cli {
namespace {

struct TuneFlags {
  MeasureFlags measure;
  std::string objective = "energy";
  std::string max_slowdown;
  std::string rule = "hybrid";
  std::string limits;
  std::string window = "4s";
  std::string json;
  std::string store;
  std::string name;
  bool quiet = false;
  bool dry_run = false;
};

/// Limits from the lowest that every GPU allows up to the one found, about thirty.
std::vector<double> fine_limits(double lowest_w, double found_w) {
  const double step = std::max(1.0, std::round((found_w - lowest_w) / 30));
  std::vector<double> limits;
  for (int i = 0; lowest_w + i * step < found_w - step / 2; ++i)
    limits.push_back(lowest_w + i * step);
  limits.push_back(found_w);
  return limits;
}

struct Cards {
  std::vector<std::string> uuids;
  double lowest_w = 0;
  double found_w = 0;
  std::string name;
};

/// The GPUs that are measured. They must stand under one limit, the one that savings are relative
/// to.
Result<Cards> cards_of(const Environment& environment, const HostRecord& host) {
  GpuSelection selection;
  selection.mode = GpuSelection::Mode::listed;
  Cards cards;
  for (const GpuIdentity& gpu : host.gpus) {
    selection.listed.push_back(gpu.uuid);
    cards.uuids.push_back(gpu.uuid);
  }
  if (cards.uuids.empty()) {
    return Error{Errc::not_found, "there is no GPU whose power limit could be tuned",
                 "ergo sensors says what is missing; ergo tune --sim v100 -- COMMAND tries it out"};
  }
  const auto overview = control::list(environment, selection);
  if (!overview) return overview.error();
  if (overview->no_gpus) return no_gpu(*overview->no_gpus);
  for (const control::GpuLimits& gpu : overview->gpus) {
    if (!gpu.set || !gpu.min) {
      return Error{
          Errc::not_supported, fmt::format("gpu{} does not tell its power limits", gpu.index), {}};
    }
    if (cards.found_w > 0 && gpu.set->value() != cards.found_w) {
      // Cards of two models as a rule have no limit in common.
      const bool alike = overview->gpus.front().name == gpu.name;
      return Error{
          Errc::invalid_argument, "the GPUs stand under different power limits",
          "tune them one by one: --gpus 0" +
              (alike ? ", or give them one limit: " + control::ergo_as_typed() + " limits set W"
                     : std::string())};
    }
    cards.found_w = gpu.set->value();
    cards.lowest_w = std::max(cards.lowest_w, gpu.min->value());
    cards.name = gpu.name;
  }
  return cards;
}

Result<TuneOptions> tune_options(const TuneFlags& flags, const Cards& cards) {
  TuneOptions options;
  const auto goal = TuneGoal::parse(flags.objective);
  if (!goal) return of_flag("--objective", goal.error());
  options.goal = *goal;
  if (!flags.max_slowdown.empty()) {
    const auto slowdown = parse_slowdown("--max-slowdown", flags.max_slowdown);
    if (!slowdown) return slowdown.error();
    options.max_slowdown = *slowdown;
  }
  options.rule = flags.rule == "exhaustive" ? TuneRule::exhaustive : TuneRule::hybrid;
  const auto window = parse_duration(flags.window);
  if (!window) return of_flag("--window", window.error());
  if (window->value() < 0.5 || window->value() > 600)
    return Error{Errc::invalid_argument, "--window: not from 0.5s to 10min", {}};
  options.shortest_window = *window;
  options.longest_window = *window * 3;
  options.revisit = *window * 15;
  if (flags.limits.empty()) {
    options.limits_w = fine_limits(cards.lowest_w, cards.found_w);
  } else {
    auto limits = parse_watts_list("--limits", flags.limits);
    if (!limits) return limits.error();
    if (const double least = *std::min_element(limits->begin(), limits->end());
        least < cards.lowest_w) {
      return Error{
          Errc::invalid_argument, fmt::format("--limits: {:g} W cannot be set", least),
          fmt::format("from {:g} W on, up to the {:g} W found", cards.lowest_w, cards.found_w)};
    }
    std::erase_if(*limits, [&](double w) { return w >= cards.found_w; });
    limits->push_back(cards.found_w);
    std::sort(limits->begin(), limits->end());
    limits->erase(std::unique(limits->begin(), limits->end()), limits->end());
    options.limits_w = std::move(*limits);
  }
  if (options.limits_w.size() < 2) {
    return Error{Errc::invalid_argument,
                 fmt::format("no limit below {:g} W, the one found, can be set", cards.found_w),
                 fmt::format("the lowest is {:g} W: 'ergo limits show'; a limit that was set "
                             "before goes with '{} limits restore'",
                             cards.lowest_w, control::ergo_as_typed())};
  }
  options.gpu = cards.name;
  options.gpus = static_cast<int>(cards.uuids.size());
  return options;
}

/// What the power sensor needs to forget the limit before.
Seconds settle_time(const Discovery& found) {
  Seconds window{0.0};
  for (const auto& sensor : found.sensors) {
    for (const SignalInfo& info : sensor->signals()) {
      if (info.domain == Domain::gpu && info.rank == 0)
        window = std::max(window, info.traits.averaging_window + info.traits.update_period);
    }
  }
  return std::max(Seconds(1.0), window * 2);
}

/// One tuned run, from the limit found back to it.
class TuneSession {
 public:
  TuneSession(const TuneFlags& flags, std::vector<std::string> command, RunnerOptions options)
      : flags_(flags),
        command_(std::move(command)),
        runner_(environment_, std::move(options), clock_) {}

  Result<int> run();
  /// Checks everything and says what would be done.
  Result<int> plan() const;

 private:
  Result<RunOutcome> run_tuned(Tuner& tuner, const Cards& cards, TuneResult& result,
                               RunWriter* writer);
  Result<void> open_store();
  Result<void> report(const TuneResult& result);

  const TuneFlags& flags_;
  std::vector<std::string> command_;
  Environment environment_ = Environment::from_process();
  SystemClock clock_;
  Runner runner_;
  std::optional<Store> store_;
  std::int64_t experiment_ = 0;
};

Result<void> TuneSession::open_store() {
  if (flags_.store.empty()) return {};
  auto store = Store::open(flags_.store, Store::Mode::create);
  if (!store) return store.error();
  store_.emplace(std::move(*store));
  ExperimentRecord head;
  head.name = flags_.name;
  head.command = command_;
  head.started = WallAnchor::now().iso(clock_.now());
  head.host = runner_.host();
  // Under which limit the job ran cannot be said in one number: models must not learn it.
  for (GpuIdentity& gpu : head.host.gpus)
    gpu.power_limit_w = 0;
  auto begun = store_->begin_experiment(head);
  if (!begun) return begun.error();
  experiment_ = *begun;
  return {};
}

Result<RunOutcome> TuneSession::run_tuned(Tuner& tuner, const Cards& cards, TuneResult& result,
                                          RunWriter* writer) {
  auto guard = LimitGuard::set(environment_, runner_.host(), Watts(cards.found_w));
  if (!guard) return guard.error();
  Progress progress("tune", !flags_.quiet);
  TuneLine line(tuner, progress, !flags_.quiet);
  TuneEventsOptions options;
  options.found = Watts(cards.found_w);
  const Seconds window = result.options.shortest_window;
  options.shortest_slice = std::min(Seconds(0.5), window / 4);
  options.wait_for_marks = std::min(Seconds(10.0), window * 5);
  options.set_limit = [&](Watts limit) -> Result<Watts> {
    if (auto changed = (*guard)->change(limit); !changed) return changed.error();
    return (*guard)->enforced();
  };
  CheckingEvents checking(guard->get(), line);
  RecordingEvents recording(writer, clock_.now(), checking);
  TuneEvents tuning(tuner, options, recording);
  auto outcome = runner_.run({command_, 0, false}, tuning);
  progress.clear();
  if (!outcome) return outcome.error();
  (*guard)->inspect(outcome->record);
  outcome->record.power_limit.reset();  // there was more than one
  if (tuning.failure()) result.failure = *tuning.failure();
  result.measure = tuning.work_measure();
  result.counted = tuning.counted();
  result.foreign_share = tuning.foreign_share();
  // Restored before anybody reads the report; a failure is the user's to know, as is the report.
  if (auto back = (*guard)->restore(); !back) print_error(back.error());
  return outcome;
}

Result<void> TuneSession::report(const TuneResult& result) {
  if (!flags_.quiet) std::cerr << tune_text(result);
  if (flags_.json.empty()) return {};
  const std::string text = tune_json(result);
  if (flags_.json == "-") {
    std::cout << text << std::flush;
    return {};
  }
  return write_text_atomically(flags_.json, text);
}

Result<int> TuneSession::plan() const {
  const HostRecord host = runner_.host();
  print_notes(left_over_limits(environment_, host.gpus));
  const auto cards = cards_of(environment_, host);
  if (!cards) return cards.error();
  const auto options = tune_options(flags_, *cards);
  if (!options) return options.error();
  const std::vector<double>& limits = options->limits_w;
  for (const double limit : limits) {
    const auto allowed = control::plan_power_limit(environment_, cards->uuids, Watts(limit));
    if (!allowed) return allowed.error();
  }
  for (const GpuIdentity& gpu : host.gpus)
    std::cout << fmt::format("gpu{}: found {:g} W, to which it would return\n", gpu.index,
                             cards->found_w);
  std::cout << fmt::format(
      "would choose from {} limits, {:g} to {:g} W, in windows of {:g} s or more\n", limits.size(),
      limits.front(), limits.back(), options->shortest_window.value());
  std::cout << "would run once:";
  for (const std::string& word : command_)
    std::cout << " " << word;
  std::cout << "\n";
  print_missing_right(host.gpus);
  return 0;
}

Result<int> TuneSession::run() {
  std::vector<std::string> uuids;
  for (const GpuIdentity& gpu : runner_.host().gpus)
    uuids.push_back(gpu.uuid);
  // Before the limit found is read, which all is compared with.
  const auto recovered = control::recover_left_over(environment_, uuids);
  if (!recovered) return recovered.error();
  if (!flags_.quiet) print_notes(*recovered);
  const auto cards = cards_of(environment_, runner_.host());
  if (!cards) return cards.error();
  auto options = tune_options(flags_, *cards);
  if (!options) return options.error();
  options->settle = settle_time(runner_.discovery());
  if (auto opened = open_store(); !opened) return opened.error();
  TuneResult result;
  result.options = *options;
  result.objective = flags_.objective;
  std::unique_ptr<RunWriter> writer;
  if (store_) {
    RunPlan plan;
    plan.begin = clock_.now();
    plan.started_unix_ns = WallAnchor::now().unix_ns_at(plan.begin);
    auto begun = store_->begin_run(experiment_, plan);
    if (!begun) return begun.error();
    writer = std::move(*begun);
  }
  Tuner tuner(*options);
  auto outcome = run_tuned(tuner, *cards, result, writer.get());
  if (!outcome) return outcome.error();
  result.report = tuner.report();
  outcome->record.warnings.insert(outcome->record.warnings.end(), recovered->begin(),
                                  recovered->end());
  result.run = outcome->record;
  if (outcome->launch_error) {
    print_error(*outcome->launch_error);
    return outcome->record.exit_code;
  }
  if (writer) {
    if (auto finished = writer->finish(outcome->record); !finished) return finished.error();
    if (auto finished = store_->finish_experiment(experiment_, SummaryRecord{}); !finished)
      return finished.error();
  }
  if (auto told = report(result); !told) return told.error();
  if (outcome->record.exit_code != 0) return outcome->record.exit_code;
  return outcome->stop_signal ? 128 + *outcome->stop_signal : 0;
}

int tune(const TuneFlags& flags, const std::vector<std::string>& command) {
  const auto fail = [](const Error& error) {
    print_error(error);
    return own_failure;
  };
  if (command.empty()) {
    return fail({Errc::invalid_argument, "there is no command to run",
                 "ergo tune [options] -- COMMAND..."});
  }
  auto options = runner_options(flags.measure);
  if (!options) return fail(options.error());
  if (!flags.json.empty() && flags.json != "-") {
    if (auto checked = check_output_file(flags.json); !checked) return fail(checked.error());
  }
  TuneSession session(flags, command, std::move(*options));
  const auto code = flags.dry_run ? session.plan() : session.run();
  return code ? *code : fail(code.error());
}

}  // namespace

void add_tune(CommandLine& line) {
  auto flags = std::make_shared<TuneFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "tune", "Find the best power limit of a job while it runs: ergo tune -- python train.py");
  verb->add_option("--objective", flags->objective,
                   "energy (default), edp, ed2p, or cost:ETA, Zeus's ETA x energy + (1 - ETA) x "
                   "highest limit x time");
  verb->add_option("--max-slowdown", flags->max_slowdown,
                   "At most this much slower than under the limit found: 5% or 0.05");
  verb->add_option("--rule", flags->rule,
                   "hybrid (default): two probes and a model; exhaustive: Zeus's, every limit once")
      ->check(CLI::IsMember({"hybrid", "exhaustive"}));
  verb->add_option("--limits", flags->limits,
                   "Watts to choose from: W1,W2 or A..B:STEP (default: about thirty)");
  verb->add_option("--window", flags->window, "Shortest stretch that is measured (default 4s)");
  add_measure_flags(*verb, flags->measure);
  verb->add_option("--store", flags->store, "Keep all readings in this SQLite file");
  verb->add_option("--json", flags->json, "Write JSON (schema ergo.tune/1) to this file, or '-'");
  verb->add_option("--name", flags->name, "A title");
  verb->add_flag("--dry-run", flags->dry_run,
                 "Check everything, say what would be done, and run nothing");
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  verb->prefix_command();
  verb->callback([flags, verb, &line] {
    line.exit_code = tune(*flags, line.program.empty() ? verb->remaining() : line.program);
  });
}

}  // namespace ergo::cli
