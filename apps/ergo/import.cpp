#include "ergo/store/import.hpp"

#include "ergo/experiment/summary.hpp"
#include "ergo/report/sweep_table.hpp"
#include "ergo/store/store.hpp"
#include "verbs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <set>

namespace ergo::cli {
namespace {

struct ImportFlags {
  std::string path;
  std::string store = "ergo.db";
  std::string gpu;
  std::string workload;
  bool quiet = false;
};

/// What the user knows and the recording does not tell, or tells otherwise.
void apply_names(const ImportFlags& flags, ImportedExperiment& imported) {
  if (!flags.gpu.empty()) {
    for (GpuIdentity& gpu : imported.record.host.gpus)
      gpu.name = flags.gpu;
  }
  if (!flags.workload.empty()) {
    for (RunRecord& run : imported.record.runs)
      run.parameters["workload"] = flags.workload;
  }
}

/// Measured under two power limits or more: there is advice to be had.
bool has_limits(const ExperimentRecord& record) {
  std::set<double> limits;
  for (const RunRecord& run : record.runs) {
    if (run.power_limit && !run.energy.empty()) limits.insert(run.power_limit->value());
  }
  return limits.size() > 1;
}

Result<void> import_into(const ImportFlags& flags) {
  auto imported = import_recording(flags.path);
  if (!imported) return imported.error();
  apply_names(flags, *imported);
  imported->record.summary = summarize(imported->record.runs);
  auto store = Store::open(flags.store, Store::Mode::create);
  if (!store) return store.error();
  const auto id = store->save(imported->record, imported->timelines, imported->origin);
  if (!id) return id.error();
  if (flags.quiet) return {};
  std::cerr << fmt::format("{} runs from {} are experiment {} in {}\n",
                           imported->record.runs.size(), imported->origin, *id, flags.store);
  for (const std::string& note : imported->notes)
    std::cerr << "note: " << note << "\n";
  const auto& gpus = imported->record.host.gpus;
  if (std::any_of(gpus.begin(), gpus.end(),
                  [](const GpuIdentity& gpu) { return gpu.name == unnamed_gpu; }))
    std::cerr << "note: the recording does not name its GPU; --gpu NAME does\n";
  std::cerr << report::sweep_table(imported->record);
  if (has_limits(imported->record)) std::cerr << fmt::format("next: ergo advise {}\n", flags.store);
  std::cerr << fmt::format("next: ergo export {} --experiment {} --format csv\n", flags.store, *id);
  return {};
}

int import_path(const ImportFlags& flags) {
  const auto done = import_into(flags);
  if (done) return 0;
  print_error(done.error());
  return 1;
}

}  // namespace

void add_import(CommandLine& line) {
  auto flags = std::make_shared<ImportFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "import",
      "Take recordings of AIPowerMeter, gpyjoules, Zeus, Kernel Tuner or nvidia-smi into a store");
  verb->add_option("path", flags->path, "Their file or folder")->required();
  verb->add_option("--store", flags->store, "SQLite file (default ergo.db; made when missing)");
  verb->add_option("--gpu", flags->gpu, "Name of the GPU, where the recording has none or another");
  verb->add_option("--workload", flags->workload, "Name of what ran, likewise");
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  verb->callback([flags, &line] { line.exit_code = import_path(*flags); });
}

}  // namespace ergo::cli
