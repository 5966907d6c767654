#include "ergo/control/power_limit.hpp"
#include "limit_guard.hpp"
#include "verbs.hpp"
#include "watts.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iostream>

namespace ergo::cli {
namespace {

using Json = nlohmann::ordered_json;
using control::LimitChange;
using control::Restored;
using control::SavedLimit;
using control::SavedState;

struct LimitsFlags {
  std::string gpus;
  std::string watts;
  bool json = false;
  bool dry_run = false;
};

int fail(const Error& error) {
  print_error(error);
  return 1;
}

Result<GpuSelection> selection_of(const LimitsFlags& flags) {
  return flags.gpus.empty() ? Result<GpuSelection>(GpuSelection{})
                            : GpuSelection::parse(flags.gpus);
}

std::string watts(std::optional<Watts> w) {
  return w ? fmt::format("{:g} W", w->value()) : "unknown";
}

std::string describe(const SavedState& state) {
  const SavedLimit& s = state.saved;
  if (!state.this_boot)
    return "from before a restart, which reset the limit: 'ergo limits restore' removes this";
  const std::string ergo = state.of_root ? "sudo ergo" : control::ergo_as_typed();
  if (s.kind == SavedLimit::Kind::kept)
    return fmt::format("set by '{0} limits set'; '{0} limits restore' puts it back", ergo);
  if (state.owner_alive) return fmt::format("process {} restores it at its end", s.pid);
  return fmt::format("process {} died: run '{} limits restore'", s.pid, ergo);
}

/// "gpu0", or the UUID of a GPU that is not shown.
std::string label_of(const std::vector<control::GpuLimits>& gpus, const std::string& uuid) {
  for (const control::GpuLimits& gpu : gpus) {
    if (gpu.uuid == uuid) return fmt::format("gpu{} ({})", gpu.index, uuid);
  }
  return uuid;
}

void print_overview(const control::Overview& overview) {
  for (const control::GpuLimits& g : overview.gpus) {
    std::cout << fmt::format("gpu{}  {}{}  {}\n", g.index, g.name,
                             g.simulated ? " (simulated)" : "", g.uuid);
    std::cout << fmt::format("      enforced {}, set {}, default {}, allowed {} to {}\n",
                             watts(g.enforced), watts(g.set), watts(g.standard), watts(g.min),
                             watts(g.max));
    if (!g.refusal.empty()) std::cout << "      cannot be set: " << g.refusal << "\n";
  }
  if (!overview.saved.empty()) std::cout << "\nsaved\n";
  for (const SavedState& s : overview.saved) {
    std::cout << fmt::format("  {}  found {}, changed to {}: {}\n",
                             label_of(overview.gpus, s.saved.uuid), watts(s.saved.found),
                             watts(s.saved.asked), describe(s));
  }
  for (const std::string& warning : overview.warnings)
    std::cout << "\nnote: " << warning << "\n";
}

void put(Json& json, const char* key, std::optional<Watts> w) {
  if (w) json[key] = w->value();
}

Json overview_json(const control::Overview& overview) {
  Json json{{"schema", "ergo.limits/1"}, {"gpus", Json::array()}, {"saved", Json::array()}};
  for (const control::GpuLimits& g : overview.gpus) {
    Json one{{"index", g.index}, {"uuid", g.uuid}, {"name", g.name}, {"simulated", g.simulated}};
    put(one, "enforced_w", g.enforced);
    put(one, "set_w", g.set);
    put(one, "default_w", g.standard);
    put(one, "min_w", g.min);
    put(one, "max_w", g.max);
    one["settable"] = g.refusal.empty();
    if (!g.refusal.empty()) one["refusal"] = g.refusal;
    if (g.persistent) one["persistent"] = *g.persistent;
    json["gpus"].push_back(std::move(one));
  }
  for (const SavedState& s : overview.saved) {
    json["saved"].push_back({{"uuid", s.saved.uuid},
                             {"kind", s.saved.kind == SavedLimit::Kind::run ? "run" : "kept"},
                             {"found_w", s.saved.found.value()},
                             {"asked_w", s.saved.asked.value()},
                             {"pid", s.saved.pid},
                             {"owner_alive", s.owner_alive},
                             {"this_boot", s.this_boot},
                             {"file", s.file.string()}});
  }
  json["warnings"] = overview.warnings;
  return json;
}

int show(const LimitsFlags& flags) {
  const auto selection = selection_of(flags);
  if (!selection) return fail(selection.error());
  const auto overview = control::list(Environment::from_process(), *selection);
  if (!overview) return fail(overview.error());
  if (flags.json) {
    std::cout << overview_json(*overview).dump(2, ' ', false, Json::error_handler_t::replace)
              << "\n";
  } else {
    print_overview(*overview);
  }
  return overview->no_gpus ? fail(no_gpu(*overview->no_gpus)) : 0;
}

/// What a user would find out too late: a limit that does not last, or that only root may set.
void tell_caveats(const std::vector<control::GpuLimits>& gpus, bool dry_run) {
  for (const control::GpuLimits& gpu : gpus) {
    if (gpu.persistent && !*gpu.persistent) {
      std::cerr << fmt::format(
          "note: gpu{0}: persistence mode is off: the driver forgets the limit when the last "
          "program on the GPU ends\n      nvidia-smi -i {0} -pm 1\n",
          gpu.index);
    }
  }
  std::vector<GpuIdentity> boards(gpus.size());
  for (std::size_t i = 0; i < gpus.size(); ++i)
    boards[i].simulated = gpus[i].simulated;
  if (dry_run) print_missing_right(boards);
}

int set(const LimitsFlags& flags, bool node_ends) {
  const auto limit = parse_watts("limits set", flags.watts);
  if (!limit) return fail(limit.error());
  const auto selection = selection_of(flags);
  if (!selection) return fail(selection.error());
  const Environment environment = Environment::from_process();
  const auto overview = control::list(environment, *selection);
  if (!overview) return fail(overview.error());
  if (overview->no_gpus) return fail(no_gpu(*overview->no_gpus));
  std::vector<std::string> uuids;
  for (const control::GpuLimits& gpu : overview->gpus)
    uuids.push_back(gpu.uuid);
  for (const std::string& warning : overview->warnings)
    std::cerr << "note: " << warning << "\n";
  const auto changes = flags.dry_run ? control::plan_power_limit(environment, uuids, *limit)
                                     : control::keep_power_limit(environment, uuids, *limit);
  if (!changes) return fail(changes.error());
  for (const LimitChange& c : *changes) {
    std::cout << fmt::format("gpu{}: {} {:g} W, found {:g} W\n", c.index,
                             flags.dry_run ? "would be set to" : "set to", c.set.value(),
                             c.found.value());
    if (c.set != c.asked)
      std::cerr << fmt::format("note: {:g} W was asked; the driver clamps\n", c.asked.value());
    if (c.enforced < c.set)
      std::cerr << fmt::format("note: another limiter enforces {:g} W\n", c.enforced.value());
  }
  tell_caveats(overview->gpus, flags.dry_run);
  if (node_ends) {
    std::cerr
        << "note: the simulated node ends with this command; one that stays: ergo-sim serve\n";
  } else if (!flags.dry_run) {
    std::cout << fmt::format("to put it back: {} limits restore\n", control::ergo_as_typed());
  }
  return 0;
}

/// False when the limit found is not back.
bool tell(const Restored& r, const std::string& label, bool dry_run) {
  switch (r.outcome) {
    case Restored::Outcome::restored:
      std::cout << fmt::format("{}: {} {:g} W\n", label,
                               dry_run ? "would be put back to" : "back at", r.saved.found.value());
      return true;
    case Restored::Outcome::discarded:
      std::cout << fmt::format(
          "{}: saved before the last restart, which has reset the limit to the driver's default; "
          "{}\n",
          label, dry_run ? "the file would be removed" : "the file is removed");
      return true;
    case Restored::Outcome::in_use:
      print_error(r.error.value_or(
          Error{Errc::busy,
                fmt::format("process {} (ergo) holds the power limit of {}", r.saved.pid, label),
                "it restores the limit at its end"}));
      return false;
    case Restored::Outcome::failed:
      print_error(*r.error);
      return false;
  }
  return false;
}

int restore(const LimitsFlags& flags) {
  const Environment environment = Environment::from_process();
  const auto report = control::restore_all(environment, flags.dry_run);
  if (!report) return fail(report.error());
  const auto overview = control::list(environment, {.mode = GpuSelection::Mode::all, .listed = {}});
  if (report->empty()) std::cout << "no limit is saved: there is nothing to put back\n";
  bool all = true;
  for (const Restored& one : *report)
    all = tell(one, overview ? label_of(overview->gpus, one.saved.uuid) : one.saved.uuid,
               flags.dry_run) &&
          all;
  return all ? 0 : 1;
}

}  // namespace

void add_limits(CommandLine& line) {
  auto flags = std::make_shared<LimitsFlags>();
  CLI::App* verb =
      line.app.add_subcommand("limits", "Power limits of the GPUs: show, set, restore");
  verb->require_subcommand(1);
  const auto gpus_flag = [flags](CLI::App* sub) {
    sub->add_option("--gpus", flags->gpus,
                    "all, indices (0,1) or UUIDs; default: what CUDA_VISIBLE_DEVICES shows");
  };
  CLI::App* show_verb = verb->add_subcommand("show", "The limits of each GPU, and what is saved");
  gpus_flag(show_verb);
  show_verb->add_flag("--json", flags->json, "Print JSON (schema ergo.limits/1)");
  show_verb->callback([flags, &line] { line.exit_code = show(*flags); });

  CLI::App* set_verb = verb->add_subcommand(
      "set", "Set a limit that stays until 'ergo limits restore' or a restart");
  set_verb->add_option("watts", flags->watts, "The limit in watts")->required();
  gpus_flag(set_verb);
  set_verb->add_flag("--dry-run", flags->dry_run, "Check everything and write nothing");
  set_verb->callback([flags, &line] { line.exit_code = set(*flags, line.node.has_value()); });

  CLI::App* restore_verb =
      verb->add_subcommand("restore", "Put back every limit that was found and is still saved");
  restore_verb->add_flag("--dry-run", flags->dry_run, "Say what would be done and write nothing");
  restore_verb->callback([flags, &line] { line.exit_code = restore(*flags); });

  // Started by ergo itself.
  CLI::App* guardian =
      verb->add_subcommand("guardian", "Watches over the limit of a running ergo")->group("");
  auto words = std::make_shared<std::vector<std::string>>();
  guardian->add_option("words", *words)->required();
  guardian->callback([words, &line] { line.exit_code = control::guardian_main(*words); });
}

}  // namespace ergo::cli
