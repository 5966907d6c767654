#include "ergo/model/advise.hpp"

#include "advise_text.hpp"
#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/report/export_csv.hpp"
#include "ergo/report/limits_report.hpp"
#include "table_notes.hpp"
#include "verbs.hpp"
#include "watts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

namespace ergo::cli {
namespace {

struct AdviseFlags {
  std::string data;
  std::string objective = "energy";
  std::optional<std::string> max_slowdown;
  std::optional<std::string> limits;
  std::string method = "ergo";
  std::string json;
  std::string page;
};

const std::map<std::string, Objective>& objectives() {
  static const std::map<std::string, Objective> names = {{"energy", Objective::energy},
                                                         {"edp", Objective::edp},
                                                         {"ed2p", Objective::ed2p},
                                                         {"time", Objective::time}};
  return names;
}

Result<AdviseOptions> options_of(const AdviseFlags& flags) {
  AdviseOptions options;
  options.objective = objectives().at(flags.objective);
  options.method = flags.method;
  if (flags.max_slowdown) {
    const auto slowdown = parse_slowdown("--max-slowdown", *flags.max_slowdown);
    if (!slowdown) return slowdown.error();
    options.max_slowdown = *slowdown;
  }
  if (flags.limits) {
    auto limits = parse_watts_list("--limits", *flags.limits);
    if (!limits) return limits.error();
    options.limits = std::move(limits).value();
  }
  return options;
}

/// Prints what is wanted where it is wanted. 3: no advice for any row of the table.
int show(const std::vector<Advice>& all, const AdviseFlags& flags, const AdviseOptions& options,
         bool simulated) {
  if (flags.json != "-") std::cout << advice_text(all, flags.objective, simulated);
  if (!flags.json.empty()) {
    const std::string text = advice_json(all, flags.objective, options, simulated);
    if (flags.json == "-") {
      std::cout << text;
    } else if (const auto written = write_text_atomically(flags.json, text); !written) {
      print_error(written.error());
      return 1;
    }
  }
  constexpr int all_refused = 3;
  return std::all_of(all.begin(), all.end(), [](const Advice& a) { return a.refusal.has_value(); })
             ? all_refused
             : 0;
}

/// Measured curves and the GPUs side by side as a page.
Result<void> write_page(const report::ModelData& data, const AdviseFlags& flags) {
  if (flags.page.empty()) return {};
  const auto results = limits_results(data.table);
  if (!results) return results.error();
  report::LimitsTitles titles;
  titles.title = "Power limits: " + std::filesystem::path(flags.data).filename().string();
  titles.provenance = data.simulated ? "simulated" : "measured";
  const bool markdown = flags.page.ends_with(".md");
  return write_text_atomically(flags.page, markdown ? report::limits_markdown(*results, titles)
                                                    : report::limits_html(*results, titles));
}

int run_advise(const AdviseFlags& flags) {
  const auto options = options_of(flags);
  if (!options) {
    print_error(options.error());
    return 2;
  }
  const auto data = report::load_model_data(flags.data);
  if (!data) {
    print_error(data.error());
    return 1;
  }
  note_unmeasured({&data->table}, data->table, options->limits);
  const auto advice = advise(data->table, *options);
  if (!advice) {
    print_error(advice.error());
    return 2;
  }
  if (const auto written = write_page(*data, flags); !written) {
    print_error(written.error());
    return 1;
  }
  return show(*advice, flags, *options, data->simulated);
}

}  // namespace

void add_advise(CommandLine& line) {
  auto flags = std::make_shared<AdviseFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "advise", "The power limit to set, what it saves and costs, and how sure that is");
  verb->add_option("data", flags->data, "Measured sweeps (CSV), or a store")->required();
  std::vector<std::string> names;
  for (const auto& [name, objective] : objectives())
    names.push_back(name);
  verb->add_option("--objective", flags->objective, "energy, edp, ed2p or time")
      ->check(CLI::IsMember(names));
  verb->add_option("--max-slowdown", flags->max_slowdown,
                   "At most this much slower than under the default limit: 5% or 0.05");
  verb->add_option("--limits", flags->limits,
                   "Watts to choose from: W1,W2 or A..B:STEP (default: those in the data)");
  verb->add_option("--method", flags->method, "As in 'ergo predict'")
      ->check(CLI::IsMember(method_names()));
  verb->add_option("--report", flags->page,
                   "Write curves, savings and the GPUs side by side to this page (.html or .md)");
  verb->add_option("--json", flags->json, "Write JSON (schema ergo.advise/1) to this file, or '-'");
  verb->callback([flags, &line] { line.exit_code = run_advise(*flags); });
}

}  // namespace ergo::cli
