#include "ergo/model/evaluate.hpp"

#include "ergo/core/files.hpp"
#include "ergo/model/method.hpp"
#include "ergo/report/export_csv.hpp"
#include "verbs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <iostream>
#include <memory>

namespace ergo::cli {
namespace {

using Json = nlohmann::ordered_json;

struct EvaluateFlags {
  std::vector<std::string> data;
  std::string leave_out = "workload";
  std::string method = "ergo";
  std::string json;
  int probes = 1;
  int threads = 0;
};

struct Column {
  const char* key;
  const char* title;
  std::optional<double> Scores::*field;
};

constexpr Column columns[] = {
    {"time_mape", "time", &Scores::time_mape},
    {"energy_mape", "energy", &Scores::energy_mape},
    {"edp_mape", "EDP", &Scores::edp_mape},
    {"energy_regret", "energy", &Scores::energy_regret},
    {"edp_regret", "EDP", &Scores::edp_regret},
    {"slowdown_regret", "<=5% slow", &Scores::slowdown_regret},
    {"violations", "violated", &Scores::violations},
    {"worst_edp_regret", "worst EDP", &Scores::worst_edp_regret},
    {"time_coverage", "time", &Scores::time_coverage},
    {"energy_coverage", "energy", &Scores::energy_coverage},
    {"edp_coverage", "EDP", &Scores::edp_coverage},
};

Json scores_json(const Scores& scores) {
  Json json{{"curves", scores.curves}};
  for (const Column& column : columns) {
    if (scores.*column.field) json[column.key] = *(scores.*column.field);
  }
  return json;
}

Json to_json(const std::vector<MethodScores>& methods, const EvaluateFlags& flags) {
  Json json{{"schema", "ergo.evaluate/1"}, {"leave_out", flags.leave_out},
            {"probes", flags.probes},      {"allowed_slowdown", 0.05},
            {"violation_above", 0.06},     {"methods", Json::array()}};
  for (const MethodScores& method : methods) {
    Json entry{{"method", method.method},
               {"macro", scores_json(method.macro)},
               {"domains", Json::array()}};
    for (const DomainScores& domain : method.domains) {
      Json d{
          {"source", domain.source}, {"gpu", domain.gpu}, {"scores", scores_json(domain.scores)}};
      d["curves"] = Json::array();
      for (const CurveScores& curve : domain.curves) {
        d["curves"].push_back({{"workload", curve.workload},
                               {"config", curve.config},
                               {"scores", scores_json(curve.scores)}});
      }
      entry["domains"].push_back(std::move(d));
    }
    json["methods"].push_back(std::move(entry));
  }
  return json;
}

void print_scores(const std::string& name, const Scores& scores) {
  std::string row = fmt::format("{:<34}", name);
  for (const Column& column : columns) {
    const auto& value = scores.*column.field;
    row += value ? fmt::format(" {:>9.1f}", *value * 100) : fmt::format(" {:>9}", "-");
  }
  std::cout << row << "\n";
}

void print_table(const std::vector<MethodScores>& methods, const EvaluateFlags& flags) {
  std::cout << fmt::format("whole {}s left out, {} probe{}; all numbers in %\n\n", flags.leave_out,
                           flags.probes, flags.probes == 1 ? "" : "s");
  std::cout << fmt::format("{:<34} {:-^29} {:-^49} {:-^29}\n", "", " mean error ", " regret ",
                           " 95 % interval holds ");
  std::string header = fmt::format("{:<34}", "method, domain");
  for (const Column& column : columns)
    header += fmt::format(" {:>9}", column.title);
  std::cout << header << "\n";
  for (const MethodScores& method : methods) {
    print_scores(method.method, method.macro);
    for (const DomainScores& domain : method.domains) {
      const std::string source = std::filesystem::path(domain.source).stem().string();
      print_scores(fmt::format("  {} ({})", source, domain.gpu), domain.scores);
    }
  }
}

Result<std::vector<MethodScores>> scores_of(const EvaluateFlags& flags) {
  std::vector<DataSource> sources;
  for (const std::string& file : flags.data) {
    auto data = report::load_model_data(file);
    if (!data) return data.error();
    sources.push_back({file, std::move(data->table)});
  }
  EvaluateOptions options;
  options.leave_out = flags.leave_out == "gpu"      ? LeaveOut::gpu
                      : flags.leave_out == "config" ? LeaveOut::config
                                                    : LeaveOut::workload;
  options.probes = flags.probes;
  options.threads = flags.threads;
  options.methods = flags.method == "all" ? method_names() : std::vector<std::string>{flags.method};
  return evaluate(sources, options);
}

int run_evaluate(const EvaluateFlags& flags) {
  const auto methods = scores_of(flags);
  if (!methods) {
    print_error(methods.error());
    return methods.error().code == Errc::invalid_argument ? 2 : 1;
  }
  if (flags.json != "-") print_table(*methods, flags);
  if (flags.json.empty()) return 0;
  const std::string text =
      to_json(*methods, flags).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  if (flags.json == "-") {
    std::cout << text;
    return 0;
  }
  if (const auto written = write_text_atomically(flags.json, text); !written) {
    print_error(written.error());
    return 1;
  }
  return 0;
}

}  // namespace

void add_evaluate(CommandLine& line) {
  auto flags = std::make_shared<EvaluateFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "evaluate", "How well predictions would have done on complete sweeps");
  verb->add_option("data", flags->data, "Complete sweeps (CSV), or stores; one or more")
      ->required();
  verb->add_option("--leave-out", flags->leave_out, "What the prediction has never seen")
      ->check(CLI::IsMember({"workload", "config", "gpu"}));
  verb->add_option("--probes", flags->probes, "How many limits are measured first")
      ->check(CLI::Range(0, 3));
  auto names = method_names();
  names.emplace_back("all");
  verb->add_option("--method", flags->method, fmt::format("{}", fmt::join(names, ", ")))
      ->check(CLI::IsMember(names));
  verb->add_option("--threads", flags->threads, "0: one per CPU")->check(CLI::Range(0, 256));
  verb->add_option("--json", flags->json,
                   "Write JSON (schema ergo.evaluate/1) to this file, or '-'");
  verb->callback([flags, &line] { line.exit_code = run_evaluate(*flags); });
}

}  // namespace ergo::cli
