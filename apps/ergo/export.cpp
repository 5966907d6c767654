#include "ergo/core/files.hpp"
#include "ergo/report/aipowermeter.hpp"
#include "ergo/report/export_csv.hpp"
#include "ergo/report/json.hpp"
#include "ergo/store/store.hpp"
#include "verbs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace ergo::cli {
namespace {

struct ExportFlags {
  std::string store;
  std::string format = "csv";
  std::string output = "-";
  std::vector<std::int64_t> experiments;
};

/// The experiments that were asked for, or all.
Result<std::vector<ExperimentInfo>> chosen(const Store& store, const ExportFlags& flags) {
  auto all = store.experiments();
  if (!all || flags.experiments.empty()) return all;
  std::vector<ExperimentInfo> some;
  for (const std::int64_t id : flags.experiments) {
    const auto found =
        std::find_if(all->begin(), all->end(), [&](const ExperimentInfo& e) { return e.id == id; });
    if (found == all->end()) {
      return Error{Errc::not_found, fmt::format("{} has no experiment {}", flags.store, id),
                   fmt::format("it has {} experiments, numbered from 1", all->size())};
    }
    some.push_back(*found);
  }
  return some;
}

Result<void> write(const std::string& output, const std::string& text) {
  if (output != "-") return write_text_atomically(output, text);
  std::cout << text << std::flush;
  if (!std::cout) return Error{Errc::io, "standard output could not be written", {}};
  return {};
}

Result<void> export_folders(const Store& store, const std::vector<ExperimentInfo>& experiments,
                            const ExportFlags& flags) {
  if (flags.output == "-") {
    return Error{Errc::invalid_argument, "AIPowerMeter's layout is a folder",
                 "name it with -o DIR"};
  }
  std::optional<Error> last;
  std::size_t written_runs = 0;
  for (const ExperimentInfo& experiment : experiments) {
    auto record = store.load_experiment(experiment.id);
    if (!record) return record.error();
    const auto runs = store.runs(experiment.id);
    if (!runs) return runs.error();
    std::filesystem::path base = flags.output;
    if (experiments.size() > 1) base /= fmt::format("experiment_{}", experiment.id);
    for (std::size_t i = 0; i < record->runs.size(); ++i) {
      const RunRecord& run = record->runs[i];
      if (run.warmup || run.invalid || run.exit_code != 0) continue;
      auto timeline = store.load_timeline((*runs)[i].id);
      if (!timeline) return timeline.error();
      report::AipowermeterOptions options;
      options.description = record->name;
      if (auto written = report::write_aipowermeter(report::aipowermeter_folder(base, run), run,
                                                    **timeline, options);
          !written) {
        if (written.error().code != Errc::not_supported) return written;
        std::cerr << fmt::format("experiment {}, run {} is left out: {}\n", experiment.id,
                                 run.index, written.error().message);
        last = written.error();
        continue;
      }
      ++written_runs;
    }
  }
  if (written_runs > 0) return {};
  return last.value_or(Error{Errc::not_found, flags.store + " holds no run that ended well", {}});
}

Result<void> export_tables(const Store& store, const std::vector<ExperimentInfo>& experiments,
                           const ExportFlags& flags) {
  std::vector<ExperimentRecord> records;
  for (const ExperimentInfo& experiment : experiments) {
    auto record = store.load_experiment(experiment.id);
    if (!record) return record.error();
    records.push_back(std::move(*record));
  }
  if (flags.format == "csv") return write(flags.output, report::sweep_csv(records));
  if (flags.format == "sweep") {
    const auto table = report::model_csv(records);
    return table ? write(flags.output, *table) : table.error();
  }
  std::string text;
  for (const ExperimentRecord& record : records) {
    text += flags.format == "json" ? report::run_json(record) : report::run_csv(record);
  }
  return write(flags.output, text);
}

int export_store(const ExportFlags& flags) {
  const auto fail = [](const Error& error) {
    print_error(error);
    return 1;
  };
  const auto store = Store::open(flags.store, Store::Mode::read);
  if (!store) return fail(store.error());
  const auto experiments = chosen(*store, flags);
  if (!experiments) return fail(experiments.error());
  if (experiments->empty())
    return fail({Errc::not_found, flags.store + " holds no experiment",
                 "fill it with ergo run --store or ergo sweep --store"});
  const auto done = flags.format == "aipowermeter" ? export_folders(*store, *experiments, flags)
                                                   : export_tables(*store, *experiments, flags);
  return done ? 0 : fail(done.error());
}

}  // namespace

void add_export(CommandLine& line) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* verb =
      line.app.add_subcommand("export", "Write what a store holds as a table or as folders");
  verb->add_option("store", flags->store, "The store")->required();
  verb->add_option("--format", flags->format,
                   "csv (one row per run), sweep (the table for predict and advise), runs (one row "
                   "per run, window and "
                   "channel), json, aipowermeter (folders)")
      ->check(CLI::IsMember({"csv", "sweep", "runs", "json", "aipowermeter"}));
  verb->add_option("-o,--output", flags->output, "File or folder (default: standard output)");
  verb->add_option("--experiment", flags->experiments, "Only these, by number (default: all)");
  verb->callback([flags, &line] { line.exit_code = export_store(*flags); });
}

}  // namespace ergo::cli
