#include "advise_text.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/report/format.hpp"
#include "report/text_table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace ergo::cli {
namespace {

using Json = nlohmann::ordered_json;

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

std::string percent(const Estimate& e) {
  return fmt::format("{:.1f} % ({:.1f} to {:.1f})", e.value * 100, e.low * 100, e.high * 100);
}

/// What an objective lowers, as a user names it.
std::string cost_name(const std::string& objective) {
  if (objective == "edp") return "energy-delay product";
  if (objective == "ed2p") return "energy-delay-squared product";
  return objective;
}

void append_advice(std::string& out, const Advice& a, const std::string& objective) {
  out += fmt::format("{}, {}{}{}\n", a.gpu, a.workload, a.config.empty() ? "" : ", ", a.config);
  if (a.refusal) {
    out += fmt::format("  no advice: {}\n  next: {}\n", a.refusal->message, a.refusal->remedy);
    return;
  }
  if (*a.limit_w == a.default_limit_w) {
    out += fmt::format("  keep {} W, the default\n", shortest(*a.limit_w));
  } else {
    out += fmt::format("  set {} W ({})\n", shortest(*a.limit_w),
                       a.limit_measured ? "measured" : "predicted, not measured");
    if (objective != "energy")
      out += fmt::format("  saves {} of the {}\n", percent(*a.saving), cost_name(objective));
    out += fmt::format("  saves {} of the energy{}\n", percent(*a.energy_saving),
                       a.host_w ? fmt::format(", host included at {:.0f} W", *a.host_w) : "");
    out += fmt::format("  takes {} longer than under {} W\n", percent(*a.slowdown),
                       shortest(a.default_limit_w));
  }
  if (a.repeat_w) {
    out += fmt::format(
        "  measure it under {} W again: it was faster under a lower limit, which cannot be\n",
        shortest(*a.repeat_w));
  }
  if (a.next) {
    out += fmt::format("  one more run, under {} W, would lower the {} by about {:.1f} % more\n",
                       shortest(a.next->limit_w), cost_name(objective), a.next->value * 100);
  }
}

/// One piece of work on several GPUs, each under the limit advised for it.
struct SideBySide {
  const Advice* first = nullptr;  ///< of this work
  std::vector<const Advice*> gpus;
};

std::vector<SideBySide> side_by_side(const std::vector<Advice>& all) {
  std::vector<SideBySide> groups;
  for (const Advice& a : all) {
    if (!a.limit_w) continue;
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const SideBySide& group) {
      return group.first->workload == a.workload && group.first->config == a.config;
    });
    if (same == groups.end()) {
      groups.push_back({&a, {&a}});
    } else {
      same->gpus.push_back(&a);
    }
  }
  std::erase_if(groups, [](const SideBySide& group) { return group.gpus.size() < 2; });
  return groups;
}

/// No other GPU does the work in less time and with less energy.
bool on_front(const Advice& a, const SideBySide& group) {
  return std::none_of(group.gpus.begin(), group.gpus.end(), [&](const Advice* other) {
    const bool no_worse =
        other->time_s->value <= a.time_s->value && other->energy_j->value <= a.energy_j->value;
    return no_worse &&
           (other->time_s->value < a.time_s->value || other->energy_j->value < a.energy_j->value);
  });
}

/// Energies are of the same things: with the host, or without it.
bool comparable(const SideBySide& group) {
  return std::all_of(group.gpus.begin(), group.gpus.end(), [&](const Advice* a) {
    return a->host_w.has_value() == group.first->host_w.has_value();
  });
}

std::string time_text(const Estimate& e) {
  return fmt::format("{} ({} to {})", report::format_duration(Seconds(e.value)),
                     report::format_duration(Seconds(e.low)),
                     report::format_duration(Seconds(e.high)));
}

std::string energy_text(const Estimate& e) {
  return fmt::format("{} ({})", report::format_energy(Joules(e.value)),
                     report::format_range(Joules(e.low), Joules(e.high)));
}

void append_side_by_side(std::string& out, const SideBySide& group) {
  const Advice& first = *group.first;
  report::TextTable table({{"GPU"}, {"limit", true}, {"time"}, {"energy"}, {"EDP", true}, {""}});
  for (const Advice* a : group.gpus) {
    table.row({a->gpu, fmt::format("{} W", shortest(*a->limit_w)), time_text(*a->time_s),
               energy_text(*a->energy_j),
               fmt::format("{:.4g} J s", a->time_s->value * a->energy_j->value),
               comparable(group) && on_front(*a, group) ? "on the front" : ""});
  }
  out += fmt::format("\n{}{}{} on {} GPUs, each under its limit{}\n", first.workload,
                     first.config.empty() ? "" : ", ", first.config, group.gpus.size(),
                     first.host_w && comparable(group) ? "; energy with the host's" : "");
  out += table.text(2, [](const std::string& head) { return head; });
  if (!comparable(group))
    out += "  energies do not compare: the host's was measured beside some of these GPUs only\n";
}

Json to_json(const SideBySide& group) {
  Json json{{"workload", group.first->workload},
            {"config", group.first->config},
            {"comparable", comparable(group)},
            {"gpus", Json::array()}};
  for (const Advice* a : group.gpus) {
    Json gpu{{"gpu", a->gpu},
             {"power_limit_w", *a->limit_w},
             {"time_s", a->time_s->value},
             {"energy_j", a->energy_j->value},
             {"edp_js", a->time_s->value * a->energy_j->value}};
    if (comparable(group)) gpu["on_front"] = on_front(*a, group);
    json["gpus"].push_back(std::move(gpu));
  }
  return json;
}

}  // namespace

std::string advice_text(const std::vector<Advice>& all, const std::string& objective,
                        bool simulated) {
  std::string out;
  for (const Advice& advice : all)
    append_advice(out, advice, objective);
  for (const SideBySide& group : side_by_side(all))
    append_side_by_side(out, group);
  if (simulated) out += "note: simulated GPUs: not measured on a real card\n";
  return out;
}

std::string advice_json(const std::vector<Advice>& all, const std::string& objective,
                        const AdviseOptions& options, bool simulated) {
  Json json{{"schema", "ergo.advise/1"}, {"objective", objective}, {"method", options.method}};
  if (simulated) json["provenance"] = "simulated";
  if (options.max_slowdown) json["max_slowdown"] = *options.max_slowdown;
  json["advice"] = Json::array();
  for (const Advice& advice : all)
    json["advice"].push_back(to_json(advice));
  if (const auto groups = side_by_side(all); !groups.empty()) {
    json["comparison"] = Json::array();
    for (const SideBySide& group : groups)
      json["comparison"].push_back(to_json(group));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ergo::cli
