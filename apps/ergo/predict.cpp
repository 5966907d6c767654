#include "ergo/model/predict.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/report/export_csv.hpp"
#include "table_notes.hpp"
#include "verbs.hpp"
#include "watts.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <optional>

namespace ergo::cli {
namespace {

struct PredictFlags {
  std::string train;
  std::string probes;
  std::optional<std::string> limits;
  std::string method = "ergo";
  std::string output = "-";
};

Result<std::string> predictions(const PredictFlags& flags) {
  SweepTable train;
  if (!flags.train.empty()) {
    auto data = report::load_model_data(flags.train);
    if (!data) return data.error();
    train = std::move(data->table);
  }
  const auto probes = report::load_model_data(flags.probes);
  if (!probes) return probes.error();
  PredictOptions options;
  options.method = flags.method;
  if (flags.limits) {
    auto limits = parse_watts_list("--limits", *flags.limits);
    if (!limits) return limits.error();
    options.limits = std::move(limits).value();
  }
  note_unmeasured({&train, &probes->table}, probes->table, options.limits);
  note_unknown_gpus(train, probes->table);
  const auto rows = predict_table(train, probes->table, options);
  if (!rows) return rows.error();
  return format_predictions(*rows, flags.method);
}

int run_predict(const PredictFlags& flags) {
  const auto text = predictions(flags);
  if (!text) {
    print_error(text.error());
    return text.error().code == Errc::invalid_argument ? 2 : 1;
  }
  if (flags.output == "-") {
    std::cout << *text;
    return 0;
  }
  if (const auto written = write_text_atomically(flags.output, *text); !written) {
    print_error(written.error());
    return 1;
  }
  return 0;
}

}  // namespace

void add_predict(CommandLine& line) {
  auto flags = std::make_shared<PredictFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "predict", "Time, energy and EDP under every power limit, from a few measured limits");
  verb->add_option(
      "--train", flags->train,
      "Measured sweeps of other workloads (CSV, or a store); better predictions with them");
  verb->add_option("--probes", flags->probes,
                   "The measured limits of what is to be predicted (CSV, or a store)")
      ->required();
  verb->add_option("--limits", flags->limits,
                   "Watts: W1,W2 or A..B:STEP (default: each limit that the tables show)");
  verb->add_option("--method", flags->method,
                   "ergo, or one of its parts or baselines (see 'ergo evaluate --help')");
  verb->add_option("-o,--output", flags->output, "Where the CSV goes ('-': standard output)");
  verb->callback([flags, &line] { line.exit_code = run_predict(*flags); });
}

}  // namespace ergo::cli
