#include "ergo/store/import.hpp"

#include "ergo/experiment/summary.hpp"
#include "ergo/report/sweep_table.hpp"
#include "ergo/store/store.hpp"
#include "verbs.hpp"

#include <fmt/format.h>

#include <iostream>

namespace ergo::cli {
namespace {

struct ImportFlags {
  std::string path;
  std::string store = "ergo.db";
  bool quiet = false;
};

Result<void> import_into(const ImportFlags& flags) {
  auto imported = import_recording(flags.path);
  if (!imported) return imported.error();
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
  std::cerr << report::sweep_table(imported->record);
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
  verb->add_flag("--quiet", flags->quiet, "Print nothing but errors");
  verb->callback([flags, &line] { line.exit_code = import_path(*flags); });
}

}  // namespace ergo::cli
