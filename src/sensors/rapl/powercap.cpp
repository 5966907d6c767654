#include "sensors/rapl/powercap.hpp"

#include "sensors/sysfs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace ergo::rapl {
namespace {

constexpr double joules_per_microjoule = 1e-6;
constexpr double register_values = 4294967296.0;  // 2^32

/// A zone's folder, before its counter is opened.
struct ZoneFolder {
  std::filesystem::path path;
  Part part = Part::package;
  Place place;
};

struct Zone {
  sysfs::Attribute file;
  EnergyCounter counter;
  bool lost = false;
};

class PowercapSensor final : public Sensor {
 public:
  explicit PowercapSensor(std::string name) { name_ = std::move(name); }

  void add(SignalInfo info, Zone zone) {
    signals_.push_back(std::move(info));
    zones_.push_back(std::move(zone));
  }

 private:
  Result<void> do_read(const Clock& clock, Batch& out) override {
    std::optional<Error> failure;
    bool any = false;
    Instant before = clock.now();
    for (std::size_t i = 0; i < zones_.size(); ++i) {
      Zone& zone = zones_[i];
      if (zone.lost) continue;
      const auto microjoules = zone.file.number();
      const Instant after = clock.now();
      if (!microjoules) {
        failure = microjoules.error();
        zone.lost = failure->code == Errc::lost;
        if (zone.lost)
          notices_.push_back(fmt::format("{}: {}", signals_[i].channel, failure->message));
      } else if (*microjoules) {
        add_sample(i, **microjoules * joules_per_microjoule, before, after, out);
        any = true;
      }
      before = after;
    }
    if (std::all_of(zones_.begin(), zones_.end(), [](const Zone& z) { return z.lost; })) {
      return Error{Errc::lost, name_ + ": all its counters are gone", {}};
    }
    if (!any && failure && failure->code != Errc::lost) return *failure;
    return {};
  }

  void add_sample(std::size_t signal, double joules, Instant before, Instant after, Batch& out) {
    bool restarted = false;
    const double total = zones_[signal].counter.update(joules, after, restarted);
    if (restarted)
      notices_.push_back(fmt::format("{}: the RAPL counter restarted", signals_[signal].channel));
    out.add(signal, total, before, after);
  }

  std::vector<Zone> zones_;
};

/// "package-0" or "package-0-die-1".
std::optional<Place> parse_package(std::string_view name) {
  const std::size_t die = name.find("-die-");
  const auto package = sysfs::number_after(name.substr(0, die), "package-");
  if (!package) return std::nullopt;
  Place place{*package, std::nullopt};
  if (die != std::string_view::npos) {
    place.die = sysfs::number_after(name.substr(die), "-die-");
    if (!place.die) return std::nullopt;
  }
  return place;
}

std::optional<Part> parse_part(std::string_view name) {
  if (name == "core") return Part::core;
  if (name == "uncore") return Part::uncore;
  if (name == "dram") return Part::dram;
  return std::nullopt;
}

/// A top zone (package or psys) and its sub-zones, which stand inside it or, as links, beside it.
void append_zones(const std::filesystem::path& root, const std::string& top,
                  std::vector<ZoneFolder>& out) {
  const std::string name = sysfs::text(root / top / "name").value_or("");
  if (name == "psys") {
    out.push_back({root / top, Part::psys, Place{}});
    return;
  }
  const auto place = parse_package(name);
  if (!place) return;
  out.push_back({root / top, Part::package, *place});
  std::map<std::string, std::filesystem::path> children;
  for (const std::filesystem::path& folder : {root, root / top}) {
    for (const std::string& entry : sysfs::entries(folder)) {
      if (sysfs::number_after(entry, top + ":")) children.emplace(entry, folder / entry);
    }
  }
  for (const auto& [entry, path] : children) {
    if (const auto part = parse_part(sysfs::text(path / "name").value_or("")))
      out.push_back({path, *part, *place});
  }
}

std::vector<ZoneFolder> find_zones(const std::filesystem::path& root) {
  std::vector<ZoneFolder> zones;
  for (const std::string_view prefix : {"intel-rapl:", "intel-rapl-mmio:"}) {
    std::vector<ZoneFolder> more;
    for (const std::string& entry : sysfs::entries(root)) {
      if (sysfs::number_after(entry, prefix)) append_zones(root, entry, more);
    }
    std::erase_if(more, [&](const ZoneFolder& zone) {
      return std::any_of(zones.begin(), zones.end(), [&](const ZoneFolder& z) {
        return z.part == zone.part && z.place == zone.place;
      });
    });
    zones.insert(zones.end(), more.begin(), more.end());
  }
  return zones;
}

/// Waits a few update periods for a counter that reads 0.
bool stays_zero(sysfs::Attribute& file) {
  for (int i = 0; i < zero_tries; ++i) {
    const auto value = file.number();
    if (value && *value && **value > 0) return false;
    ::usleep(zero_pause_us);
  }
  return true;
}

}  // namespace

Found open_powercap(const std::filesystem::path& sysfs, const Facts& facts,
                    const std::set<std::string>& skip) {
  Found found;
  const std::vector<ZoneFolder> folders = find_zones(sysfs / "class" / "powercap");
  found.present = !folders.empty();
  std::set<Place> places;
  for (const ZoneFolder& folder : folders) {
    if (folder.part != Part::psys) places.insert(folder.place);
  }
  const auto numbers = number_places(places);
  std::map<std::string, std::unique_ptr<PowercapSensor>> sensors;
  int next_psys = 0;
  for (const ZoneFolder& folder : folders) {
    if (folder.part == Part::core && facts.core_is_one_core) continue;
    const int number = folder.part == Part::psys ? next_psys++ : numbers.at(folder.place);
    const std::string channel = channel_name(folder.part, number);
    if (skip.contains(channel) || found.channels.contains(channel)) continue;
    auto file = sysfs::Attribute::open(folder.path / "energy_uj");
    if (!file) {
      found.denied.push_back({channel, file.error()});
      continue;
    }
    if (stays_zero(*file)) {
      found.dead.push_back(channel);
      continue;
    }
    // max_energy_range_uj is the largest value, one unit below the wrap (intel_rapl_common.c).
    const double largest = sysfs::number(folder.path / "max_energy_range_uj").value_or(0.0);
    const double unit = largest > 0 ? largest / (register_values - 1) : 0.0;
    const double range = largest > 0 ? (largest + unit) * joules_per_microjoule : 0.0;
    found.channels.insert(channel);
    const std::string name = sensor_name(folder.part, folder.place, "powercap");
    auto& sensor = sensors[name];
    if (!sensor) sensor = std::make_unique<PowercapSensor>(name);
    sensor->add(
        describe(folder.part, number, "rapl.powercap", Joules(unit * joules_per_microjoule), facts),
        Zone{std::move(*file), EnergyCounter(range)});
  }
  for (auto& [name, sensor] : sensors)
    found.sensors.push_back(std::move(sensor));
  return found;
}

}  // namespace ergo::rapl
