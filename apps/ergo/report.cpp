#include "chosen_experiment.hpp"
#include "ergo/core/files.hpp"
#include "ergo/report/study_report.hpp"
#include "report_files.hpp"
#include "verbs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>

namespace ergo::cli {
namespace {

struct ReportFlags {
  std::string store;
  std::string format = "html";
  std::string output;
  std::int64_t experiment = 0;
};

std::string text_of(const StudyReport& report, const std::string& format) {
  if (format == "json") return report::study_json(report.results);
  if (format == "csv") return report::study_csv(report.results);
  if (format == "md") return report::study_markdown(report.results);
  return report::study_html(report.results, report.traces, report.traces_left_out);
}

Result<void> write_one(const ReportFlags& flags) {
  const auto store = Store::open(flags.store, Store::Mode::read);
  if (!store) return store.error();
  const auto experiment = chosen_experiment(*store, flags.store, flags.experiment);
  if (!experiment) return experiment.error();
  const bool html = flags.format == "html";
  const auto report = build_report(*store, *experiment, nullptr, html);
  if (!report) return report.error();
  const std::string text = text_of(*report, flags.format);
  if (flags.output == "-") {
    std::cout << text << std::flush;
    if (!std::cout) return Error{Errc::io, "standard output could not be written", {}};
    return {};
  }
  const std::string file = flags.output.empty() ? "report." + flags.format : flags.output;
  if (auto written = write_text_atomically(file, text); !written) return written;
  std::cerr << "Written: " << file << "\n";
  return {};
}

}  // namespace

void add_report(CommandLine& line) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* verb =
      line.app.add_subcommand("report", "Show a run, sweep or study of a store as a page");
  verb->add_option("store", flags->store, "The store")->required();
  verb->add_option("--format", flags->format, "html, md, json or csv")
      ->check(CLI::IsMember({"html", "md", "json", "csv"}));
  verb->add_option("-o,--output", flags->output,
                   "File (default report.html, .md, .json or .csv); - is standard output");
  verb->add_option("--experiment", flags->experiment, "Its number (default: the newest)");
  verb->callback([flags, &line] {
    const auto done = write_one(*flags);
    if (!done) print_error(done.error());
    line.exit_code = done ? 0 : 1;
  });
}

}  // namespace ergo::cli
