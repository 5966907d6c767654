#include "ergo/core/environment.hpp"
#include "ergo/experiment/host.hpp"
#include "ergo/report/format.hpp"
#include "ergo/sensors/probe.hpp"
#include "ergo/sensors/registry.hpp"
#include "limit_guard.hpp"
#include "verbs.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iostream>

namespace ergo::cli {
namespace {

using Json = nlohmann::ordered_json;

struct SensorsFlags {
  std::string gpus;
  bool json = false;
  bool quick = false;
};

struct Probed {
  const Sensor* sensor;
  std::optional<SensorProbe> probe;
};

std::vector<Probed> probe_all(Discovery& found, bool quick, Clock& clock) {
  std::vector<Probed> all;
  for (const auto& sensor : found.sensors) {
    Probed one{sensor.get(), std::nullopt};
    if (!quick) one.probe = probe_update_period(*sensor, clock);
    all.push_back(std::move(one));
  }
  return all;
}

/// An estimate has a new value at every read, so there is nothing to find out.
const SignalProbe* probe_of(const Probed& probed, const SignalInfo& signal) {
  if (!probed.probe || signal.provenance == Provenance::estimated) return nullptr;
  for (const SignalProbe& p : probed.probe->signals) {
    if (p.signal == signal.name) return &p;
  }
  return nullptr;
}

bool meters_energy(const SignalInfo& s) {
  return s.kind == SignalKind::energy || s.kind == SignalKind::power;
}

std::string gain_text(const PowerTraits& traits) {
  if (traits.gain_low != 0 || traits.gain_high != 0) {
    return fmt::format("{:+.0f} % / {:+.0f} %", traits.gain_low * 100, traits.gain_high * 100);
  }
  return fmt::format("±{:.1f} %", traits.gain_u95 * 100);
}

void print_signal(const SignalInfo& s, const SignalProbe* probe) {
  const PowerTraits& t = s.traits;
  std::string line = fmt::format("    {:<8} {:<22} {:<7} gain {}", s.channel, s.source,
                                 s.kind == SignalKind::energy ? "energy" : "power", gain_text(t));
  line += t.update_period.value() > 0
              ? fmt::format(", new value each {}", report::format_duration(t.update_period))
              : ", fresh at each read";
  if (t.averaging_window.value() > 0) {
    line += fmt::format(", mean over {}", report::format_duration(t.averaging_window));
  }
  if (t.sampled_fraction < 1)
    line += fmt::format(", looks at {:.0f} % of the time", t.sampled_fraction * 100);
  if (!t.basis.empty()) line += fmt::format(" ({})", t.basis);
  std::cout << line << "\n";
  if (probe != nullptr && probe->update_period) {
    std::cout << fmt::format("             measured now: new value each {} (±{})\n",
                             report::format_duration(*probe->update_period),
                             report::format_duration(probe->resolution));
    if (const std::string disagreement = describe_disagreement(*probe); !disagreement.empty()) {
      std::cout << "             " << disagreement << "\n";
    }
  }
  if (s.provenance != Provenance::measured) {
    std::cout << fmt::format("             {}, not measured\n", name_of(s.provenance));
  }
}

void print_sensor(const Probed& probed) {
  std::cout << "  " << probed.sensor->name();
  if (probed.probe && probed.probe->call_median) {
    std::cout << fmt::format("   (one read costs {}, at most {})",
                             report::format_duration(*probed.probe->call_median),
                             report::format_duration(*probed.probe->call_max));
  }
  std::cout << "\n";
  std::string others;
  for (const SignalInfo& s : probed.sensor->signals()) {
    if (meters_energy(s)) {
      print_signal(s, probe_of(probed, s));
    } else {
      others += (others.empty() ? "" : ", ") + s.name;
    }
  }
  if (!others.empty()) std::cout << "    also: " << others << "\n";
}

void print_text(const HostRecord& host, const Discovery& found, const std::vector<Probed>& probed) {
  std::cout << fmt::format("{} ({}, {})\n\nfound\n", host.name, host.cpu, host.kernel);
  if (probed.empty()) std::cout << "  nothing that meters energy\n";
  for (const Probed& p : probed)
    print_sensor(p);
  if (!found.missing.empty()) std::cout << "\nmissing\n";
  for (const Missing& m : found.missing) {
    std::cout << fmt::format("  {} ({}): {}\n", m.what, m.backend, m.why);
    if (!m.fix.empty()) std::cout << "      to change that: " << m.fix << "\n";
  }
  for (const std::string& warning : found.warnings)
    std::cout << "\nnote: " << warning << "\n";
}

Json signal_json(const SignalInfo& s, const SignalProbe* probe) {
  Json json{{"name", s.name}, {"unit", s.unit}};
  if (!meters_energy(s)) return json;
  json.update({{"kind", s.kind == SignalKind::energy ? "energy" : "power"},
               {"channel", s.channel},
               {"domain", name_of(s.domain)},
               {"device", s.device},
               {"source", s.source},
               {"provenance", name_of(s.provenance)},
               {"in_total", s.in_total},
               {"update_period_s", s.traits.update_period.value()},
               {"averaging_window_s", s.traits.averaging_window.value()},
               {"sampled_fraction", s.traits.sampled_fraction},
               {"gain_u95", s.traits.gain_u95},
               {"basis", s.traits.basis}});
  if (s.traits.gain_low != 0 || s.traits.gain_high != 0) {
    json["gain_low"] = s.traits.gain_low;
    json["gain_high"] = s.traits.gain_high;
  }
  if (probe != nullptr && probe->update_period) {
    json["measured_update_period_s"] = probe->update_period->value();
    json["measured_resolution_s"] = probe->resolution.value();
    json["disagrees"] = probe->disagrees;
  }
  return json;
}

void print_json(const HostRecord& host, const Discovery& found, const std::vector<Probed>& probed) {
  Json json{{"schema", "ergo.sensors/1"},
            {"host", {{"name", host.name}, {"cpu", host.cpu}, {"kernel", host.kernel}}}};
  json["sensors"] = Json::array();
  for (const Probed& p : probed) {
    Json sensor{{"name", p.sensor->name()}, {"signals", Json::array()}};
    if (p.probe && p.probe->call_median) {
      sensor["call_median_s"] = p.probe->call_median->value();
      sensor["call_max_s"] = p.probe->call_max->value();
    }
    for (const SignalInfo& s : p.sensor->signals())
      sensor["signals"].push_back(signal_json(s, probe_of(p, s)));
    json["sensors"].push_back(std::move(sensor));
  }
  json["missing"] = Json::array();
  for (const Missing& m : found.missing) {
    json["missing"].push_back(
        {{"backend", m.backend}, {"what", m.what}, {"why", m.why}, {"fix", m.fix}});
  }
  json["warnings"] = found.warnings;
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

int run_sensors(const SensorsFlags& flags) {
  DiscoveryContext context;
  context.environment = Environment::from_process();
  if (!flags.gpus.empty()) {
    auto selection = GpuSelection::parse(flags.gpus);
    if (!selection) {
      print_error(selection.error());
      return 2;
    }
    context.gpus = std::move(*selection);
  }
  SystemClock clock;
  Discovery found = discover(context);
  const std::vector<Probed> probed = probe_all(found, flags.quick, clock);
  const HostRecord host = describe_host(context.environment, found.gpus);
  for (std::string& text : left_over_limits(context.environment, host.gpus))
    found.warnings.push_back(std::move(text));
  flags.json ? print_json(host, found, probed) : print_text(host, found, probed);
  return 0;
}

}  // namespace

void add_sensors(CommandLine& line) {
  auto flags = std::make_shared<SensorsFlags>();
  CLI::App* verb = line.app.add_subcommand(
      "sensors",
      "What can be measured here, how well, what is missing and the command that unlocks it");
  verb->add_option("--gpus", flags->gpus, "all, none, indices (0,1) or UUIDs");
  verb->add_flag("--json", flags->json, "Print JSON (schema ergo.sensors/1)");
  verb->add_flag("--quick", flags->quick,
                 "Do not measure update periods and call costs (saves two seconds a sensor)");
  verb->callback([flags, &line] { line.exit_code = run_sensors(*flags); });
}

}  // namespace ergo::cli
