#include "ergo/experiment/compare.hpp"

#include "compare_sides.hpp"
#include "ergo/core/environment.hpp"
#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/plan.hpp"
#include "ergo/report/compare.hpp"
#include "ergo/report/sweep_table.hpp"
#include "progress.hpp"
#include "run_options.hpp"
#include "verbs.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <memory>

namespace ergo::cli {
namespace {

struct CompareFlags {
  MeasureFlags measure;
  std::vector<std::string> stored;
  std::string parameter;
  int pairs = 6;
  int warmup = 1;
  std::uint64_t seed = 1;
  std::string cooldown = "0";
  std::string resolution = "1%";
  std::string store;
  std::string json;
  std::string name;
  bool dry_run = false;
  bool quiet = false;
};

/// Tells on stderr how far the comparison is.
class CompareProgress final : public CompareEvents {
 public:
  explicit CompareProgress(bool quiet) : quiet_(quiet), line_("compare", !quiet) {}
  void on_run(std::size_t number, std::size_t total, const ComparedRun& run, bool warmup) override {
    label_ = fmt::format("[{}/{}] {}{}", number, total, run.side == 0 ? "A" : "B",
                         warmup ? " (warm-up)" : "");
  }
  void on_record(const RunRecord& record, const ComparedRun& /*run*/) override {
    line_.clear();
    if (!quiet_) std::cerr << fmt::format("{}: {}\n", label_, report::run_line(record));
  }
  RunEvents& run_events() override { return line_; }

 private:
  bool quiet_;
  Progress line_;
  std::string label_;
};

Result<void> two_command_lines(const std::vector<std::string>& words, CompareSpec& spec) {
  if (words.size() != 2)
    return Error{
        Errc::invalid_argument,
        fmt::format("two commands are compared, each as one word; there are {}", words.size()),
        "ergo compare -- 'COMMAND A' 'COMMAND B', or ergo compare -p NAME=A,B -- COMMAND "
        "{NAME}"};
  for (std::size_t i = 0; i < 2; ++i) {
    spec.values[i] = words[i];
    spec.commands[i] = {"/bin/sh", "-c", words[i]};
  }
  // The store knows the sides by these texts.
  if (spec.values[0] == spec.values[1]) spec.values = {"A: " + words[0], "B: " + words[1]};
  return {};
}

Result<void> two_values(const std::string& parameter, const std::vector<std::string>& words,
                        CompareSpec& spec) {
  const auto axis = Axis::parse(parameter);
  if (!axis) return axis.error();
  if (axis->values.size() != 2)
    return Error{
        Errc::invalid_argument,
        fmt::format("-p {}: a comparison has two values, not {}", axis->name, axis->values.size()),
        "for more, ergo sweep"};
  spec.axis = axis->name;
  for (std::size_t i = 0; i < 2; ++i) {
    spec.values[i] = axis->values[i];
    auto command = substitute(words, {{axis->name, axis->values[i]}});
    if (!command) return command.error();
    spec.commands[i] = std::move(*command);
  }
  return {};
}

Result<CompareSpec> spec_for(const CompareFlags& flags, const std::vector<std::string>& words) {
  CompareSpec spec;
  spec.name = flags.name;
  spec.pairs = flags.pairs;
  spec.warmup = flags.warmup;
  spec.seed = flags.seed;
  const auto cooldown = parse_duration(flags.cooldown);
  if (!cooldown) return cooldown.error();
  spec.cooldown = *cooldown;
  auto filled = flags.parameter.empty() ? two_command_lines(words, spec)
                                        : two_values(flags.parameter, words, spec);
  if (!filled) return filled.error();
  return spec;
}

Result<void> show(const Comparison& comparison, const CompareFlags& flags) {
  if (!flags.quiet && flags.json != "-") std::cout << report::compare_text(comparison);
  if (flags.json == "-") std::cout << report::compare_json(comparison);
  std::cout << std::flush;
  if (!std::cout) return Error{Errc::io, "standard output could not be written", {}};
  if (flags.json.empty() || flags.json == "-") return {};
  return write_text_atomically(flags.json, report::compare_json(comparison));
}

Result<int> compare_and_show(const std::array<CompareSide, 2>& sides, bool paired,
                             const CompareFlags& flags) {
  const auto resolution = parse_fraction(flags.resolution);
  if (!resolution || *resolution <= 0)
    return Error{Errc::invalid_argument,
                 fmt::format("--resolve: '{}' is not a share above 0", flags.resolution),
                 "write 1% or 0.01"};
  const auto comparison = compare(sides[0], sides[1], {paired, *resolution, flags.seed});
  if (!comparison) {
    print_error(comparison.error());
    return 1;
  }
  if (auto shown = show(*comparison, flags); !shown) return shown.error();
  return 0;
}

Result<int> print_order(const CompareSpec& spec, const std::string& store) {
  std::vector<ComparedRun> order = compare_order(spec.pairs, spec.seed);
  std::error_code ignored;
  if (!store.empty() && std::filesystem::exists(store, ignored)) {
    const auto opened = Store::open(store, Store::Mode::read);
    if (!opened) return opened.error();
    auto remaining = remaining_comparison(spec, *opened);
    if (!remaining) return remaining.error();
    order = std::move(*remaining);
  }
  for (const ComparedRun& run : order) {
    std::cout << fmt::format("{} pair {}:", run.side == 0 ? "A" : "B", run.repeat);
    for (const std::string& word : spec.commands[static_cast<std::size_t>(run.side)])
      std::cout << " " << word;
    std::cout << "\n";
  }
  if (!store.empty())
    std::cout << fmt::format("{} runs to make, {} pairs in {} are whole\n", order.size(),
                             static_cast<std::size_t>(spec.pairs) - order.size() / 2, store);
  return 0;
}

Result<int> compare_commands(const CompareFlags& flags, const std::vector<std::string>& words) {
  const auto spec = spec_for(flags, words);
  if (!spec) return spec.error();
  auto options = runner_options(flags.measure);
  if (!options) return options.error();
  if (flags.dry_run) return print_order(*spec, flags.store);
  std::optional<Store> store;
  if (!flags.store.empty()) {
    auto opened = Store::open(flags.store, Store::Mode::create);
    if (!opened) return opened.error();
    store.emplace(std::move(*opened));
  }
  SystemClock clock;
  Runner runner(Environment::from_process(), std::move(*options), clock);
  CompareProgress progress(flags.quiet);
  const auto done = run_comparison(*spec, runner, store ? &*store : nullptr, clock, progress);
  if (!done) {
    print_error(done.error());
    return done.error().code == Errc::canceled ? 1 : own_failure;
  }
  if (done->stop_signal) {
    print_error({Errc::canceled, "stopped by a signal: nothing is compared",
                 store ? "the same command goes on where it stopped"
                       : "with --store FILE it goes on where it stopped"});
    return 128 + *done->stop_signal;
  }
  if (done->resumed > 0 && !flags.quiet)
    std::cerr << fmt::format(
        "{} in {} before and count{}\n",
        done->resumed == 1 ? "1 pair was" : fmt::format("{} pairs were", done->resumed),
        flags.store, done->resumed == 1 ? "s" : "");
  std::array<CompareSide, 2> sides;
  for (std::size_t i = 0; i < sides.size(); ++i) {
    sides[i].label = flags.parameter.empty() ? spec->values[i] : spec->axis + "=" + spec->values[i];
    sides[i].host = done->record.host;
    for (const RunRecord& run : done->record.runs) {
      if (run.parameters.at(spec->axis) == spec->values[i]) sides[i].runs.push_back(run);
    }
  }
  return compare_and_show(sides, true, flags);
}

Result<int> compare_stored(const CompareFlags& flags) {
  const auto sides =
      load_sides(flags.stored.front(), flags.stored.size() > 1 ? flags.stored[1] : std::string());
  if (!sides) {
    print_error(sides.error());
    return 1;
  }
  return compare_and_show(sides->sides, sides->paired, flags);
}

Result<int> compare_what(const CompareFlags& flags, const std::vector<std::string>& program) {
  if (program.empty() == flags.stored.empty())
    return Error{Errc::invalid_argument,
                 program.empty() ? "there is nothing to compare"
                                 : "stored runs and commands cannot be compared in one call",
                 "ergo compare A B (stored runs), or ergo compare -- 'COMMAND A' 'COMMAND B'"};
  return program.empty() ? compare_stored(flags) : compare_commands(flags, program);
}

}  // namespace

void add_compare(CommandLine& line) {
  auto flags = std::make_shared<CompareFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "compare",
      "Say whether B costs more or less than A: ergo compare A B (stored runs), or ergo compare "
      "-- 'COMMAND A' 'COMMAND B'");
  verb->add_option("runs", flags->stored,
                   "STORE[@EXPERIMENT][:NAME=VALUE,...], once for A and once for B; one store is "
                   "enough when it holds two cells")
      ->expected(0, 2);
  verb->add_option("-p,--parameter", flags->parameter,
                   "NAME=A,B: the two sides of one command, which has {NAME} in it");
  verb->add_option("-r,--repeat", flags->pairs, "Pairs of runs (default 6)")
      ->check(CLI::Range(2, 100'000));
  verb->add_option("-w,--warmup", flags->warmup,
                   "Runs of each before that do not count (default 1)")
      ->check(CLI::Range(0, 1'000));
  verb->add_option("--seed", flags->seed, "Seed of the order and of the test");
  verb->add_option("--cooldown", flags->cooldown, "Rest between runs");
  verb->add_option("--resolve", flags->resolution,
                   "Say how many more runs would resolve this difference (default 1%)");
  verb->add_option("--store", flags->store,
                   "Keep the runs in this SQLite file; given again, the comparison goes on");
  verb->add_option("--json", flags->json, "Write the result as JSON to a file, or - for stdout");
  verb->add_option("--name", flags->name, "A title in the store");
  verb->add_flag("--dry-run", flags->dry_run, "Print the order and run nothing");
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  add_measure_flags(*verb, flags->measure);
  verb->callback([flags, &line] {
    const auto code = compare_what(*flags, line.program);
    if (!code) print_error(code.error());
    line.exit_code = code ? *code : own_failure;
  });
}

}  // namespace ergo::cli
