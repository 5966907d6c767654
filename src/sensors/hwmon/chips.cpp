#include "ergo/core/parse.hpp"
#include "sensors/hwmon/chip.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

namespace ergo::hwmon {
namespace {

constexpr int most_inputs = 64;

struct Chip {
  std::filesystem::path folder;
  std::string name;    ///< the driver's name for it
  std::string unique;  ///< the name, numbered from the second of one name on ("ina226_2")
};

struct Search {
  const DiscoveryContext& context;
  Discovery& out;
  Provenance provenance;
  std::set<std::string> channels;
  int nodes = 0;

  /// "node", then "node1", …
  std::string next_node() {
    const int n = nodes++;
    return n == 0 ? "node" : fmt::format("node{}", n);
  }
};

bool is_ina(std::string_view name) {
  return name.starts_with("ina2") || name.starts_with("ina3");
}

/// Letters, digits and underscores, lower case: what a channel's name may hold.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0) {
      out += static_cast<char>(std::tolower(u));
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (!out.empty() && out.back() == '_')
    out.pop_back();
  return out;
}

bool whole_machine(std::string_view label) {
  constexpr std::array labels{"vdd_in", "power_total", "total_power", "system", "system_power"};
  const std::string name = plain(label);
  return std::any_of(labels.begin(), labels.end(), [&](const char* l) { return name == l; });
}

/// update_interval (ms) where the driver tells it.
PowerTraits chip_traits(const Chip& chip) {
  PowerTraits traits;
  const auto interval = sysfs::number(chip.folder / "update_interval");
  const bool known = interval && *interval > 0 && *interval < 1e6;
  const double period = known ? *interval * milli : 0.1;
  traits.update_period = Seconds(period);
  traits.averaging_window = Seconds(period);
  traits.gain_u95 = is_ina(chip.name) ? 0.03 : 0.10;
  traits.gain_kind = is_ina(chip.name) ? "ina" : "hwmon " + chip.name;
  traits.basis = fmt::format("{}; gain ±{:.0f} % assumed{}",
                             known ? "driver: update_interval" : "assumed: 100 ms",
                             traits.gain_u95 * 100.0, is_ina(chip.name) ? " (chip and shunt)" : "");
  return traits;
}

/// A channel that nothing else in this search uses.
std::string claim(Search& search, const std::string& wanted) {
  std::string channel = wanted;
  for (int n = 2; !search.channels.insert(channel).second; ++n)
    channel = fmt::format("{}_{}", wanted, n);
  return channel;
}

std::string channel_for(Search& search, const Chip& chip, std::string_view label, int number) {
  if (whole_machine(label)) return search.next_node();
  const std::string part = label.empty() ? std::to_string(number) : plain(label);
  return claim(search, fmt::format("{}.{}", plain(chip.unique), part));
}

void add_reading(Search& search, ChipSensor& sensor, SignalInfo info,
                 const std::vector<std::filesystem::path>& files, double scale) {
  if (auto reading = open_reading(std::move(info), files, scale, search.out.missing))
    sensor.add(std::move(*reading));
}

void keep(Search& search, std::unique_ptr<ChipSensor> sensor) {
  if (!sensor->signals().empty()) search.out.sensors.push_back(std::move(sensor));
}

/// ACPI power meter: one value, what it covers is said by power1_oem_info on some machines (NVIDIA
/// Grace).
void add_acpi_meter(Search& search, const Chip& chip) {
  const std::string label =
      sysfs::text(chip.folder / "device" / "power1_oem_info")
          .value_or(sysfs::text(chip.folder / "power1_oem_info").value_or(""));
  const std::size_t socket = label.rfind(' ');
  const int number =
      static_cast<int>(socket == std::string::npos
                           ? 0
                           : parse_uint(label.substr(socket)).value_or(std::uint64_t{0}) % 1000);
  std::string channel;
  Domain domain = Domain::node;
  if (label.starts_with("Grace")) {
    channel = fmt::format("cpu{}", number);
    domain = Domain::cpu;
  } else if (label.starts_with("Module") || label.starts_with("CPU") ||
             label.starts_with("SysIO")) {
    channel = fmt::format(
        "{}{}", plain(label.substr(0, label.find(' '))) + (label.starts_with("CPU") ? "_rail" : ""),
        number);
  } else {
    channel = search.next_node();
  }
  const std::string file =
      sysfs::number(chip.folder / "power1_average") ? "power1_average" : "power1_input";
  SignalInfo info = meter_info(SignalKind::power, claim(search, channel), domain,
                               "acpi.power_meter", search.provenance);
  info.in_total = domain == Domain::cpu;
  const auto interval = sysfs::number(chip.folder / "power1_average_interval");
  const bool known = interval && *interval > 0 && *interval < 1e7;
  info.traits.update_period = Seconds(known ? *interval * milli : 1.0);
  info.traits.averaging_window = info.traits.update_period;
  // power1_accuracy is "95.0%": what is missing to 100 % is the error.
  const auto accuracy =
      parse_fraction(sysfs::text(chip.folder / "power1_accuracy").value_or("none"));
  const bool stated = accuracy && *accuracy > 0 && *accuracy < 1;
  info.traits.gain_u95 = stated ? 1.0 - *accuracy : 0.05;
  info.traits.gain_kind = "acpi power meter";
  info.traits.basis =
      fmt::format("{}; gain {}", known ? "driver: power1_average_interval" : "assumed: 1 s",
                  stated ? "from power1_accuracy" : "±5 % assumed");
  auto sensor = std::make_unique<ChipSensor>(
      fmt::format("ACPI power meter{}{}", label.empty() ? "" : " ", label));
  add_reading(search, *sensor, std::move(info), {chip.folder / file}, micro);
  keep(search, std::move(sensor));
}

/// amd_energy: "Esocket0" is package 0. Of use only where RAPL itself was not readable; single
/// cores are left out.
void add_amd_energy(Search& search, const Chip& chip) {
  auto sensor = std::make_unique<ChipSensor>("CPU energy (amd_energy)");
  for (int n = 1; n <= 1024; ++n) {
    const auto label = sysfs::text(chip.folder / fmt::format("energy{}_label", n));
    if (!label) break;
    const auto socket = sysfs::number_after(*label, "Esocket");
    if (!socket) continue;
    const std::string channel = fmt::format("cpu{}", *socket);
    if (!search.channels.insert(channel).second) continue;
    SignalInfo info =
        meter_info(SignalKind::energy, channel, Domain::cpu, "hwmon.amd_energy", search.provenance);
    info.in_total = true;
    info.traits.update_period = Seconds(0.001);
    info.traits.gain_u95 = 0.15;
    info.traits.gain_kind = "rapl";
    info.traits.basis =
        "assumed: RAPL registers, renewed every 1 ms, gain ±15 % (AMD, a model: Schoene 2021)";
    add_reading(search, *sensor, std::move(info), {chip.folder / fmt::format("energy{}_input", n)},
                micro);
  }
  keep(search, std::move(sensor));
}

/// INA3221 gives voltage and current of three rails, not their product.
void add_ina3221(Search& search, const Chip& chip) {
  auto sensor = std::make_unique<ChipSensor>(fmt::format("Power rails ({})", chip.unique));
  for (int n = 1; n <= 3; ++n) {
    const auto current = chip.folder / fmt::format("curr{}_input", n);
    const auto voltage = chip.folder / fmt::format("in{}_input", n);
    if (!sysfs::number(current) || !sysfs::number(voltage)) continue;
    const std::string label = sysfs::text(chip.folder / fmt::format("in{}_label", n)).value_or("");
    SignalInfo info = meter_info(SignalKind::power, channel_for(search, chip, label, n),
                                 Domain::node, "hwmon.power", search.provenance);
    info.traits = chip_traits(chip);
    add_reading(search, *sensor, std::move(info), {current, voltage}, milli * milli);
  }
  keep(search, std::move(sensor));
}

/// Any other chip: all its energy files, and the power files that have no energy beside them. What
/// they cover is not known, so nothing of it is in the total.
void add_generic(Search& search, const Chip& chip) {
  auto sensor = std::make_unique<ChipSensor>(fmt::format("hwmon {}", chip.unique));
  for (int n = 1; n <= most_inputs; ++n) {
    const auto energy = chip.folder / fmt::format("energy{}_input", n);
    const auto average = chip.folder / fmt::format("power{}_average", n);
    const auto input = chip.folder / fmt::format("power{}_input", n);
    std::error_code ignored;
    const bool has_energy = std::filesystem::exists(energy, ignored);
    const bool has_average = std::filesystem::exists(average, ignored);
    if (!has_energy && !has_average && !std::filesystem::exists(input, ignored)) continue;
    const char* kind = has_energy ? "energy" : "power";
    const std::string label =
        sysfs::text(chip.folder / fmt::format("{}{}_label", kind, n)).value_or("");
    SignalInfo info = meter_info(has_energy ? SignalKind::energy : SignalKind::power,
                                 channel_for(search, chip, label, n), Domain::node,
                                 has_energy ? "hwmon.energy" : "hwmon.power", search.provenance);
    info.traits = chip_traits(chip);
    if (has_energy) info.traits.averaging_window = Seconds(0.0);
    add_reading(search, *sensor, std::move(info),
                {has_energy    ? energy
                 : has_average ? average
                               : input},
                micro);
  }
  keep(search, std::move(sensor));
}

/// Served elsewhere (GPUs), or a battery's second face.
bool skipped(const std::filesystem::path& sysfs_root, std::string_view name) {
  if (name.empty() || name == "amdgpu" || name == "i915" || name == "xe") return true;
  const auto supplies = sysfs::entries(sysfs_root / "class" / "power_supply");
  return std::any_of(supplies.begin(), supplies.end(), [&](std::string supply) {
    std::replace(supply.begin(), supply.end(), '-', '_');  // hwmon allows no hyphen in names
    return supply == name;
  });
}

}  // namespace

void discover_chips(const DiscoveryContext& context, Discovery& so_far) {
  Search search{context, so_far, sysfs::provenance(context.environment), {}, 0};
  for (const auto& sensor : so_far.sensors) {
    for (const SignalInfo& info : sensor->signals()) {
      if (!info.channel.empty()) search.channels.insert(info.channel);
    }
  }
  const auto root = context.environment.sysfs / "class" / "hwmon";
  std::map<std::string, int> seen;
  for (const std::string& entry : sysfs::entries(root)) {
    Chip chip{root / entry, sysfs::text(root / entry / "name").value_or(""), {}};
    if (skipped(context.environment.sysfs, chip.name)) continue;
    const int count = ++seen[chip.name];
    chip.unique = count == 1 ? chip.name : fmt::format("{}_{}", chip.name, count);
    if (chip.name == "power_meter") {
      add_acpi_meter(search, chip);
    } else if (chip.name == "amd_energy") {
      add_amd_energy(search, chip);
    } else if (chip.name == "ina3221") {
      add_ina3221(search, chip);
    } else {
      add_generic(search, chip);
    }
  }
}

}  // namespace ergo::hwmon
