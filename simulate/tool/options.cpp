#include "tool/options.hpp"

#include "ergo/core/files.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <sstream>

namespace ergo::sim {
namespace {

Error bad(std::string message, std::string remedy) {
  return Error{Errc::invalid_argument, std::move(message), std::move(remedy)};
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

std::optional<double> to_number(const std::string& text) {
  std::size_t used = 0;
  try {
    const double value = std::stod(text, &used);
    if (used == text.size() && std::isfinite(value)) return value;
  } catch (const std::exception&) {  // not a number: answered below
  }
  return std::nullopt;
}

// Lines of "seconds,compute,memory[,memory_bound]"; "#" begins a comment.
Result<void> read_trace(const std::filesystem::path& path, LoadSpec& load) {
  auto text = read_text(path, std::size_t{1} << 20U);
  if (!text) return text.error();
  load.kind = LoadKind::trace;
  for (const std::string& line : split(*text, '\n')) {
    if (line.front() == '#') continue;
    std::vector<double> numbers;
    for (const std::string& field : split(line, ',')) {
      const auto value = to_number(field);
      if (!value || *value < 0.0)
        return bad(path.string() + ": \"" + line + "\" is no phase", "seconds,compute,memory");
      numbers.push_back(*value);
    }
    if (numbers.size() < 3 || load.phase_count >= static_cast<std::int32_t>(kMaxPhases)) {
      return bad(fmt::format("{}: a trace has up to {} lines of three or four numbers",
                             path.string(), kMaxPhases),
                 "seconds,compute,memory[,memory_bound]");
    }
    LoadPhase& phase = load.trace[static_cast<std::size_t>(load.phase_count++)];
    phase.duration_s = numbers[0];
    phase.demand = {numbers[1], numbers[2], numbers.size() > 3 ? numbers[3] : 0.0};
  }
  if (load.phase_count == 0)
    return bad(path.string() + " holds no phase", "seconds,compute,memory");
  return {};
}

Result<LoadSpec> load_of(const NodeArguments& arguments, const std::string& kind) {
  LoadSpec load;
  load.demand = {arguments.compute, arguments.memory, arguments.memory_bound};
  load.period_s = arguments.period_s;
  load.duty = arguments.duty;
  load.noise = arguments.noise;
  if (kind == "idle") {
    load.kind = LoadKind::idle;
  } else if (kind == "steady") {
    load.kind = LoadKind::steady;
  } else if (kind == "square") {
    load.kind = LoadKind::square;
  } else if (kind == "bursty") {
    load.kind = LoadKind::bursty;
  } else if (kind.starts_with("trace:")) {
    if (auto read = read_trace(kind.substr(6), load); !read) return read.error();
  } else {
    return bad("there is no load called \"" + kind + "\"",
               "choose from: idle, steady, square, bursty, trace:FILE");
  }
  return load;
}

// "0@1.5": GPU 0, at 1.5 s.
Result<void> add_fault(std::vector<GpuOptions>& gpus, const std::string& text,
                       std::int64_t Faults::*time) {
  const auto parts = split(text, '@');
  const auto gpu = parts.size() == 2 ? to_number(parts[0]) : std::nullopt;
  const auto at_s = parts.size() == 2 ? to_number(parts[1]) : std::nullopt;
  if (!gpu || !at_s || *gpu < 0 || *gpu >= static_cast<double>(gpus.size()) || *at_s < 0) {
    return bad("\"" + text + "\" names no GPU and time", "GPU@SECONDS, for example 0@1.5");
  }
  gpus[static_cast<std::size_t>(*gpu)].faults.*time = std::llround(*at_s * 1e9);
  return {};
}

// "0@210": GPU 0 is held to 210 W from outside.
Result<void> add_external_limit(std::vector<GpuOptions>& gpus, const std::string& text) {
  const auto parts = split(text, '@');
  const auto gpu = parts.size() == 2 ? to_number(parts[0]) : std::nullopt;
  const auto watts = parts.size() == 2 ? to_number(parts[1]) : std::nullopt;
  if (!gpu || !watts || *gpu < 0 || *gpu >= static_cast<double>(gpus.size()) || *watts <= 0 ||
      *watts > 1e5) {
    return bad("\"" + text + "\" names no GPU and watts", "GPU@WATTS, for example 0@210");
  }
  gpus[static_cast<std::size_t>(*gpu)].faults.external_limit_mw =
      static_cast<std::uint32_t>(std::lround(*watts * 1e3));
  return {};
}

Result<std::optional<double>> gain_of(const std::string& text) {
  if (text == "drawn") return std::optional<double>{};
  if (text == "exact") return std::optional<double>{1.0};
  const auto value = to_number(text);
  if (!value || *value <= 0.0)
    return bad("\"" + text + "\" is no gain", "exact, drawn or a number such as 1.03");
  return value;
}

Result<Permission> permission_of(const std::string& text) {
  if (text == "allowed") return Permission::allowed;
  if (text == "root") return Permission::root_only;
  if (text == "denied") return Permission::denied;
  return bad("\"" + text + "\" is no permission", "choose from: allowed, root, denied");
}

}  // namespace

void add_node_options(CLI::App& command, NodeArguments& a) {
  command.add_option("--gpus", a.gpus,
                     "GPUs: v100, t4, k80, a100, h200, separated by commas; or none");
  command.add_option("--packages", a.packages, "CPU packages (0 to 4)");
  command.add_option("--seed", a.seed, "Seed of everything random");
  command.add_option("--gain", a.gain, "Gain of the sensors: drawn, exact, or a number");
  command.add_option("--gain-u95", a.gain_u95, "95 % half-width of the drawn gains");
  command.add_option("--load", a.load,
                     "Load of the GPUs: idle, steady, square, bursty, trace:FILE");
  command.add_option("--cpu-load", a.cpu_load, "Load of the packages (default: as --load)");
  command.add_option("--compute", a.compute,
                     "Activity of the arithmetic units while the load is on, 0..1");
  command.add_option("--memory", a.memory,
                     "Share of the memory bandwidth while the load is on, 0..1");
  command.add_option("--memory-bound", a.memory_bound,
                     "Share of the time that does not depend on the core clock");
  command.add_option("--load-period", a.period_s, "Period of square and bursty loads, s");
  command.add_option("--duty", a.duty, "Share of the period that the load is on");
  command.add_option("--noise", a.noise, "Relative standard deviation of the load's level");
  command.add_flag("--manual-clock", a.manual_clock,
                   "Time stands still until a program or `ergo-sim advance` moves it");
  command.add_option("--permission", a.permission,
                     "Who may set power limits: allowed, root, denied");
  command.add_flag("--clamp-limits", a.clamp_limits,
                   "Clamp impossible power limits silently instead of refusing them");
  command.add_flag("--counter-exact", a.counter_exact, "Energy counters integrate the true power");
  command.add_option("--heat-drift", a.heat_drift,
                     "Growth of idle power per kelvin, for example 0.004");
  command.add_option("--counter-wrap", a.wrap_j, "Energy counters start again at so many joules");
  command.add_option("--latency-us", a.latency_us, "Time that each device query takes");
  command.add_option("--driver", a.driver, "Driver version, for example 535.161.08");
  command.add_option("--lose", a.lost, "GPU@SECONDS: this GPU falls off the bus then");
  command.add_option("--reset-counter", a.reset,
                     "GPU@SECONDS: this GPU's energy counter starts at zero then");
  command.add_option("--external-limit", a.external_limits,
                     "GPU@WATTS: another limiter holds this GPU to so much");
  command
      .add_option("--sysfs", a.sysfs,
                  "rapl, psys, amdgpu, amdgpu-mi300, i915, xe, acpi, ina, battery, none")
      ->delimiter(',');
  command.add_option("--max-energy-range-uj", a.max_energy_range_uj, "Where RAPL counters wrap");
  command.add_option("--dir", a.folder,
                     "Folder for the state and the sysfs tree (default: a new one in $TMPDIR)");
  command.add_option("--library", a.library,
                     "The simulated NVML library (default: beside this program)");
}

Result<NodeOptions> node_options(const NodeArguments& arguments) {
  NodeOptions options;
  const auto load = load_of(arguments, arguments.load);
  const auto cpu_load =
      load_of(arguments, arguments.cpu_load.empty() ? arguments.load : arguments.cpu_load);
  const auto gain = gain_of(arguments.gain);
  const auto permission = permission_of(arguments.permission);
  if (!load) return load.error();
  if (!cpu_load) return cpu_load.error();
  if (!gain) return gain.error();
  if (!permission) return permission.error();
  for (const std::string& preset : split(arguments.gpus == "none" ? "" : arguments.gpus, ',')) {
    GpuOptions gpu;
    gpu.preset = preset;
    gpu.load = *load;
    gpu.gain = *gain;
    gpu.faults.counter_wrap_j = arguments.wrap_j;
    options.gpus.push_back(gpu);
  }
  for (const std::string& text : arguments.lost) {
    if (auto added = add_fault(options.gpus, text, &Faults::lost_at_ns); !added)
      return added.error();
  }
  for (const std::string& text : arguments.reset) {
    if (auto added = add_fault(options.gpus, text, &Faults::counter_reset_at_ns); !added)
      return added.error();
  }
  for (const std::string& text : arguments.external_limits) {
    if (auto added = add_external_limit(options.gpus, text); !added) return added.error();
  }
  options.packages = arguments.packages;
  options.package_load = *cpu_load;
  options.package_gain = *gain;
  options.gain_u95 = arguments.gain_u95;
  options.seed = arguments.seed;
  options.manual_clock = arguments.manual_clock;
  options.permission = *permission;
  options.clamp_limits = arguments.clamp_limits;
  options.counter_exact = arguments.counter_exact;
  options.heat_drift_per_k = arguments.heat_drift;
  options.call_latency_us = arguments.latency_us;
  options.driver = arguments.driver;
  return options;
}

Result<SysfsOptions> sysfs_options(const NodeArguments& arguments) {
  SysfsOptions options;
  options.rapl = false;
  options.max_energy_range_uj = arguments.max_energy_range_uj;
  for (const std::string& part : arguments.sysfs) {
    if (part == "rapl") {
      options.rapl = true;
    } else if (part == "psys") {
      options.rapl = options.psys = true;
    } else if (part == "amdgpu") {
      options.amdgpu = AmdMetrics::v1_3;
    } else if (part == "amdgpu-mi300") {
      options.amdgpu = AmdMetrics::v1_4;
    } else if (part == "i915") {
      options.i915 = true;
    } else if (part == "xe") {
      options.xe = true;
    } else if (part == "acpi") {
      options.acpi_power_meter = true;
    } else if (part == "ina") {
      options.ina = true;
    } else if (part == "battery") {
      options.battery = true;
    } else if (part != "none") {
      return bad(
          "there is no simulated sysfs meter called \"" + part + "\"",
          "choose from: rapl, psys, amdgpu, amdgpu-mi300, i915, xe, acpi, ina, battery, none");
    }
  }
  return options;
}

}  // namespace ergo::sim
