#include "ergo/report/plot.hpp"

#include "chosen_experiment.hpp"
#include "ergo/core/files.hpp"
#include "ergo/experiment/child.hpp"
#include "ergo/store/store.hpp"
#include "report_files.hpp"
#include "verbs.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>

namespace ergo::cli {
namespace {

struct PlotFlags {
  std::string store;
  std::string kind = "energy";
  std::string format = "svg";
  std::string output;
  std::string title;
  std::vector<std::string> quantities;
  std::int64_t experiment = 0;
  int run = -1;
};

/// The run that was asked for, else the last that counts.
Result<std::size_t> run_to_plot(const ExperimentRecord& record, const PlotFlags& flags) {
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < record.runs.size(); ++i) {
    const RunRecord& run = record.runs[i];
    const bool fits = flags.run >= 0 ? static_cast<int>(i) == flags.run : !run.warmup;
    if (fits) chosen = i;
  }
  if (chosen) return *chosen;
  return Error{Errc::not_found,
               flags.run >= 0 ? fmt::format("the experiment has no run {}", flags.run)
                              : "the experiment has no run",
               fmt::format("its runs are numbered from 0; there are {}", record.runs.size())};
}

Result<report::Figure> power_over_time(const Store& store, std::int64_t experiment,
                                       const PlotFlags& flags) {
  const auto record = store.load_experiment(experiment);
  if (!record) return record.error();
  const auto index = run_to_plot(*record, flags);
  if (!index) return index.error();
  const auto runs = store.runs(experiment);
  if (!runs) return runs.error();
  const auto timeline = store.load_timeline((*runs)[*index].id);
  if (!timeline) return timeline.error();
  constexpr std::size_t buckets = 1500;
  return report::power_figure(report::trace_of(record->runs[*index], **timeline, buckets));
}

Result<report::Figure> figure_of(const PlotFlags& flags) {
  const auto store = Store::open(flags.store, Store::Mode::read);
  if (!store) return store.error();
  const auto experiment = chosen_experiment(*store, flags.store, flags.experiment);
  if (!experiment) return experiment.error();
  if (flags.kind == "power") return power_over_time(*store, *experiment, flags);
  const auto report = build_report(*store, *experiment, nullptr, false);
  if (!report) return report.error();
  return flags.kind == "latency" ? report::latency_figure(report->results, flags.quantities)
                                 : report::axis_figure(report->results, flags.quantities);
}

Result<void> run_gnuplot(const std::filesystem::path& script, const std::filesystem::path& log) {
  const Fd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!output) return system_error("cannot write " + log.string(), errno);
  ChildSpec spec;
  spec.argv = {"gnuplot", script.string()};
  // Nothing of the user's own start-up files: the figure is the same everywhere.
  spec.argv.insert(spec.argv.begin() + 1, "-d");
  spec.output_fd = output.get();
  auto child = launch(spec);
  if (!child && child.error().code == Errc::not_found)
    return Error{Errc::not_found, "gnuplot, which draws the figures, is not installed",
                 "sudo apt-get install gnuplot-nox, or --format gnuplot for the script alone"};
  if (!child) return child.error();
  const auto end = child->wait();
  if (!end) return end.error();
  if (end->exit_code == 0) return {};
  const auto said = read_text(log);
  return Error{Errc::io,
               fmt::format("gnuplot failed with exit code {}: {}", end->exit_code,
                           said ? *said : std::string()),
               "--format gnuplot shows the script"};
}

Result<void> put(const std::string& output, const std::string& text) {
  if (output == "-") {
    std::cout << text << std::flush;
    if (!std::cout) return Error{Errc::io, "standard output could not be written", {}};
    return {};
  }
  if (auto written = write_text_atomically(output, text); !written) return written;
  std::cerr << "Written: " << output << "\n";
  return {};
}

Result<void> plot(const PlotFlags& flags) {
  auto figure = figure_of(flags);
  if (!figure) return figure.error();
  if (!flags.title.empty()) figure->title = flags.title;
  if (flags.format == "gnuplot")
    return put(flags.output.empty() ? "-" : flags.output,
               report::gnuplot_script(*figure, report::FigureFormat::script));
  const auto folder = TemporaryFolder::create("ergo-plot");
  if (!folder) return folder.error();
  const auto drawn = folder->path() / ("figure." + flags.format);
  const auto format = flags.format == "png" ? report::FigureFormat::png : report::FigureFormat::svg;
  const auto script = folder->path() / "figure.gp";
  if (auto written =
          write_text_atomically(script, report::gnuplot_script(*figure, format, drawn.string()));
      !written)
    return written;
  if (auto run = run_gnuplot(script, folder->path() / "log"); !run) return run;
  const auto picture = read_text(drawn);
  if (!picture) return picture.error();
  return put(flags.output.empty() ? fmt::format("{}.{}", flags.kind, flags.format) : flags.output,
             *picture);
}

}  // namespace

void add_plot(CommandLine& line) {
  auto flags = std::make_shared<PlotFlags>();
  CLI::App* verb = line.app.add_subcommand("plot", "Draw a figure from a store, for papers");
  verb->add_option("store", flags->store, "The store")->required();
  verb->add_option("--kind", flags->kind,
                   "energy (against the axis), latency (energy against it) or power (over a run)")
      ->check(CLI::IsMember({"energy", "latency", "power"}));
  verb->add_option("--format", flags->format,
                   "svg, png (drawn by gnuplot) or gnuplot (the script itself)")
      ->check(CLI::IsMember({"svg", "png", "gnuplot"}));
  verb->add_option("-o,--output", flags->output,
                   "File (default KIND.FORMAT; a script: standard output); - is standard output");
  verb->add_option("--experiment", flags->experiment, "Its number (default: the newest)");
  verb->add_option("--run", flags->run, "With power: the run, from 0 (default: the last)")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--quantity", flags->quantities,
                   "What to draw in place of the energies, as study.csv names it (time_s, sm, …); "
                   "several of one unit");
  verb->add_option("--title", flags->title, "A title in place of the experiment's");
  verb->callback([flags, &line] {
    const auto done = plot(*flags);
    if (!done) print_error(done.error());
    line.exit_code = done ? 0 : 1;
  });
}

}  // namespace ergo::cli
