#include "ergo/model/advise.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/report/export_csv.hpp"
#include "verbs.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

namespace ergo::cli {
namespace {

using Json = nlohmann::ordered_json;

struct AdviseFlags {
  std::string data;
  std::string objective = "energy";
  std::string max_slowdown;
  std::string limits;
  std::string method = "ergo";
  std::string json;
};

const std::map<std::string, Objective>& objectives() {
  static const std::map<std::string, Objective> names = {{"energy", Objective::energy},
                                                         {"edp", Objective::edp},
                                                         {"ed2p", Objective::ed2p},
                                                         {"time", Objective::time}};
  return names;
}

Json to_json(const Estimate& e) {
  return {{"value", e.value}, {"low", e.low}, {"high", e.high}};
}

Json to_json(const Advice& a) {
  Json json{{"gpu", a.gpu},
            {"workload", a.workload},
            {"config", a.config},
            {"measured_limits", a.measured},
            {"default_limit_w", a.default_limit_w}};
  if (a.host_w) json["host_w"] = *a.host_w;
  if (a.refusal) json["refused"] = {{"why", a.refusal->message}, {"remedy", a.refusal->remedy}};
  if (a.limit_w) {
    json["power_limit_w"] = *a.limit_w;
    json["limit_measured"] = a.limit_measured;
    json["saving"] = to_json(*a.saving);
    json["energy_saving"] = to_json(*a.energy_saving);
    json["slowdown"] = to_json(*a.slowdown);
    json["time_s"] = to_json(*a.time_s);
    json["energy_j"] = to_json(*a.energy_j);
    json["expected_loss"] = a.expected_loss;
  }
  if (a.repeat_w) json["repeat_limit_w"] = *a.repeat_w;
  if (a.next) json["next_probe"] = {{"power_limit_w", a.next->limit_w}, {"value", a.next->value}};
  return json;
}

Json to_json(const std::vector<Advice>& all, const AdviseFlags& flags,
             const AdviseOptions& options) {
  Json json{{"schema", "ergo.advise/1"}, {"objective", flags.objective}, {"method", flags.method}};
  if (options.max_slowdown) json["max_slowdown"] = *options.max_slowdown;
  json["advice"] = Json::array();
  for (const Advice& advice : all)
    json["advice"].push_back(to_json(advice));
  return json;
}

std::string percent(const Estimate& e) {
  return fmt::format("{:.1f} % ({:.1f} to {:.1f})", e.value * 100, e.low * 100, e.high * 100);
}

/// What an objective lowers, as a user names it.
std::string cost_name(const AdviseFlags& flags) {
  if (flags.objective == "edp") return "energy-delay product";
  if (flags.objective == "ed2p") return "energy-delay-squared product";
  return flags.objective;
}

void print_advice(const Advice& a, const AdviseFlags& flags) {
  std::cout << fmt::format("{}, {}{}{}\n", a.gpu, a.workload, a.config.empty() ? "" : ", ",
                           a.config);
  if (a.refusal) {
    std::cout << fmt::format("  no advice: {}\n  next: {}\n", a.refusal->message,
                             a.refusal->remedy);
    return;
  }
  if (*a.limit_w == a.default_limit_w) {
    std::cout << fmt::format("  keep {} W, the default\n", shortest(*a.limit_w));
  } else {
    std::cout << fmt::format("  set {} W ({})\n", shortest(*a.limit_w),
                             a.limit_measured ? "measured" : "predicted, not measured");
    if (flags.objective != "energy")
      std::cout << fmt::format("  saves {} of the {}\n", percent(*a.saving), cost_name(flags));
    std::cout << fmt::format("  saves {} of the energy{}\n", percent(*a.energy_saving),
                             a.host_w ? fmt::format(", host included at {:.0f} W", *a.host_w) : "");
    std::cout << fmt::format("  takes {} longer than under {} W\n", percent(*a.slowdown),
                             shortest(a.default_limit_w));
  }
  if (a.repeat_w) {
    std::cout << fmt::format(
        "  measure it under {} W again: it was faster under a lower limit, which cannot be\n",
        shortest(*a.repeat_w));
  }
  if (a.next) {
    std::cout << fmt::format(
        "  one more run, under {} W, would lower the {} by about {:.1f} % more\n",
        shortest(a.next->limit_w), cost_name(flags), a.next->value * 100);
  }
}

Result<AdviseOptions> options_of(const AdviseFlags& flags) {
  AdviseOptions options;
  options.objective = objectives().at(flags.objective);
  options.method = flags.method;
  if (!flags.max_slowdown.empty()) {
    const auto slowdown = parse_fraction(flags.max_slowdown);
    if (!slowdown) return slowdown.error();
    options.max_slowdown = *slowdown;
  }
  if (!flags.limits.empty()) {
    auto limits = parse_numbers(flags.limits);
    if (!limits) return limits.error();
    options.limits = std::move(limits).value();
  }
  return options;
}

/// Prints what is wanted where it is wanted. 3: no advice for any row of the table.
int show(const std::vector<Advice>& all, const AdviseFlags& flags, const AdviseOptions& options) {
  if (flags.json != "-") {
    for (const Advice& advice : all)
      print_advice(advice, flags);
  }
  if (!flags.json.empty()) {
    const std::string text =
        to_json(all, flags, options).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
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

int run_advise(const AdviseFlags& flags) {
  const auto options = options_of(flags);
  if (!options) {
    print_error(options.error());
    return 2;
  }
  const auto table = report::load_model_table(flags.data);
  if (!table) {
    print_error(table.error());
    return 1;
  }
  const auto advice = advise(*table, *options);
  if (!advice) {
    print_error(advice.error());
    return 2;
  }
  return show(*advice, flags, *options);
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
  verb->add_option("--json", flags->json, "Write JSON (schema ergo.advise/1) to this file, or '-'");
  verb->callback([flags, &line] { line.exit_code = run_advise(*flags); });
}

}  // namespace ergo::cli
