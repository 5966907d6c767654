#include "sensors/rapl/perf.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "sensors/sysfs.hpp"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace ergo::rapl {
namespace {

constexpr std::size_t max_events = 8;

// The kernel reports counts of 2^-32 J whatever the register's step is; that step is 61 µJ on
// nearly all parts, and 1 J for psys on Sapphire Rapids and later servers.
constexpr double usual_quantum_j = 1.0 / 16384;
constexpr double psys_quantum_j = 1.0;

/// Events of one package that one system call reads.
struct Group {
  Fd fd;
  std::vector<std::size_t> signals;
};

struct Counter {
  double joules_per_count = 0.0;
  /// Whether 0 is believed. Parts that a machine lacks (a graphics unit, psys) count nothing for
  /// ever.
  bool seen = false;
  double last = 0.0;
};

class PerfSensor final : public Sensor {
 public:
  explicit PerfSensor(std::string name) { name_ = std::move(name); }

  /// `joins`: the event was opened in the group of leader().
  void add(SignalInfo info, double joules_per_count, Fd fd, bool joins) {
    const std::size_t signal = signals_.size();
    signals_.push_back(std::move(info));
    counters_.push_back({joules_per_count});
    if (joins) {
      members_.push_back(std::move(fd));  // read through its leader
      groups_.front().signals.push_back(signal);
    } else {
      groups_.push_back({std::move(fd), {signal}});
    }
  }

  [[nodiscard]] int leader() const { return groups_.empty() ? -1 : groups_.front().fd.get(); }

  /// The channels that count after a few update periods; the others of package and memory are dead.
  std::vector<std::string> dead() {
    const SystemClock clock;
    for (int i = 0; i < zero_tries; ++i) {
      Batch ignored;
      if (!do_read(clock, ignored)) break;
      if (silent().empty()) break;
      ::usleep(zero_pause_us);
    }
    return silent();
  }

 private:
  [[nodiscard]] std::vector<std::string> silent() const {
    std::vector<std::string> channels;
    for (std::size_t i = 0; i < signals_.size(); ++i) {
      if (!counters_[i].seen && signals_[i].in_total) channels.push_back(signals_[i].channel);
    }
    return channels;
  }

  Result<void> do_read(const Clock& clock, Batch& out) override {
    for (const Group& group : groups_) {
      std::array<std::uint64_t, 1 + max_events> raw{};
      const std::size_t expected = (1 + group.signals.size()) * sizeof(std::uint64_t);
      const Instant before = clock.now();
      const ssize_t size = ::read(group.fd.get(), raw.data(), expected);
      const Instant after = clock.now();
      // An event whose CPU went offline reads as an empty file from then on.
      if (size == 0 || (size < 0 && errno == ENODEV)) {
        return Error{Errc::lost, name_ + ": its perf event ended (CPU offline?)", {}};
      }
      if (size < 0) return system_error("cannot read " + name_, errno);
      if (static_cast<std::size_t>(size) != expected || raw[0] != group.signals.size()) {
        return Error{
            Errc::corrupt, name_ + ": a perf event returned an unexpected number of bytes", {}};
      }
      for (std::size_t i = 0; i < group.signals.size(); ++i) {
        add_sample(group.signals[i], static_cast<double>(raw[i + 1]), before, after, out);
      }
    }
    return {};
  }

  void add_sample(std::size_t signal, double count, Instant before, Instant after, Batch& out) {
    Counter& counter = counters_[signal];
    counter.seen = counter.seen || count > 0;
    if (!counter.seen) return;
    // Counts since opening, in 64 bits: they only grow. Should one fall, the last value stands.
    counter.last = std::max(counter.last, count * counter.joules_per_count);
    out.add(signal, counter.last, before, after);
  }

  std::vector<Group> groups_;
  std::vector<Fd> members_;
  std::vector<Counter> counters_;
};

/// "event=0x02" -> 2.
std::optional<std::uint64_t> parse_event(std::string_view text) {
  constexpr std::string_view key = "event=0x";
  if (!text.starts_with(key)) return std::nullopt;
  text.remove_prefix(key.size());
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

/// "0,24" or "0-1" -> CPU numbers.
std::vector<int> parse_cpumask(std::string_view text) {
  std::vector<int> cpus;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t dash = part.find('-');
    const auto first = parse_int(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_int(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last - *first > 4096) continue;
    for (std::int64_t cpu = *first; cpu <= *last; ++cpu)
      cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

std::map<Place, int> places_of(const std::filesystem::path& sysfs, const std::vector<int>& cpus) {
  std::map<int, std::vector<int>> by_package;
  const auto topology = [&](int cpu, const char* file) {
    const auto path = sysfs / "devices/system/cpu" / fmt::format("cpu{}", cpu) / "topology" / file;
    return static_cast<int>(sysfs::number(path).value_or(0.0));
  };
  for (const int cpu : cpus)
    by_package[topology(cpu, "physical_package_id")].push_back(cpu);
  std::map<Place, int> places;
  for (const auto& [package, members] : by_package) {
    for (const int cpu : members) {
      Place place{package, std::nullopt};
      if (members.size() > 1) place.die = topology(cpu, "die_id");
      places.emplace(place, cpu);
    }
  }
  return places;
}

struct Package {
  const Place& place;
  int cpu;
  int number;
  int psys_number;
};

/// Opens the events of one package whose channel is not in `skip`.
std::unique_ptr<PerfSensor> open_package(const PerfPlan& plan, const Package& package,
                                         const Facts& facts, const PerfOpen& open,
                                         const std::vector<std::string>& skip,
                                         std::vector<Denied>& denied) {
  auto sensor = std::make_unique<PerfSensor>(sensor_name(Part::package, package.place, "perf"));
  for (const PerfEvent& event : plan.events) {
    const bool psys = event.part == Part::psys;
    SignalInfo info = describe(event.part, psys ? package.psys_number : package.number, "rapl.perf",
                               Joules(psys ? psys_quantum_j : usual_quantum_j), facts);
    if (std::find(skip.begin(), skip.end(), info.channel) != skip.end()) continue;
    bool joins = sensor->leader() >= 0;
    int fd = open(plan.type, event.config, package.cpu, sensor->leader());
    if (fd < 0 && joins) {
      joins = false;
      fd = open(plan.type, event.config, package.cpu, -1);
    }
    if (fd < 0) {
      denied.push_back({info.channel, system_error("perf event for " + info.channel, -fd)});
      continue;
    }
    sensor->add(std::move(info), event.joules_per_count, Fd(fd), joins);
  }
  return sensor;
}

}  // namespace

std::optional<PerfPlan> plan_perf(const std::filesystem::path& sysfs, const CpuInfo& cpu) {
  const auto root = sysfs / "bus/event_source/devices/power";
  const auto type = sysfs::number(root / "type");
  const auto cpumask = sysfs::text(root / "cpumask");
  if (!type || !cpumask) return std::nullopt;
  PerfPlan plan;
  plan.type = static_cast<std::uint32_t>(*type);
  plan.cpu_of = places_of(sysfs, parse_cpumask(*cpumask));
  constexpr std::array<std::pair<std::string_view, Part>, 5> names{{{"energy-pkg", Part::package},
                                                                    {"energy-ram", Part::dram},
                                                                    {"energy-cores", Part::core},
                                                                    {"energy-gpu", Part::uncore},
                                                                    {"energy-psys", Part::psys}}};
  for (const auto& [name, part] : names) {
    if (cpu.vendor == CpuVendor::amd && part != Part::package) continue;
    const auto file = root / "events" / name;
    const auto config = parse_event(sysfs::text(file).value_or(""));
    const auto scale = sysfs::number(file.string() + ".scale");
    const auto unit = sysfs::text(file.string() + ".unit");
    if (config && scale && *scale > 0 && unit == "Joules")
      plan.events.push_back({part, *config, *scale});
  }
  return plan;
}

int perf_open(std::uint32_t type, std::uint64_t config, int cpu, int group_fd) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = type;
  attributes.config = config;
  attributes.read_format = PERF_FORMAT_GROUP;
  const long fd =
      ::syscall(SYS_perf_event_open, &attributes, -1, cpu, group_fd, PERF_FLAG_FD_CLOEXEC);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

Found open_perf(const PerfPlan& plan, const Facts& facts, const PerfOpen& open) {
  Found found;
  found.present = true;
  std::set<Place> places;
  for (const auto& [place, cpu] : plan.cpu_of)
    places.insert(place);
  const auto numbers = number_places(places);
  int psys_number = 0;
  for (const auto& [place, cpu] : plan.cpu_of) {
    const Package package{place, cpu, numbers.at(place), psys_number++};
    auto sensor = open_package(plan, package, facts, open, {}, found.denied);
    if (const auto dead = sensor->dead(); !dead.empty()) {
      found.dead.insert(found.dead.end(), dead.begin(), dead.end());
      std::vector<Denied> known;  // the same refusals as at the first opening
      sensor = open_package(plan, package, facts, open, dead, known);
    }
    if (sensor->signals().empty()) continue;
    for (const SignalInfo& info : sensor->signals())
      found.channels.insert(info.channel);
    found.sensors.push_back(std::move(sensor));
  }
  return found;
}

}  // namespace ergo::rapl
