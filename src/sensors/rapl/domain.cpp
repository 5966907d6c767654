#include "sensors/rapl/domain.hpp"

#include "sensors/sysfs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ergo::rapl {
namespace {

// More than any package, memory or board that RAPL meters can draw.
constexpr double impossible_watts = 10'000.0;

std::string_view prefix(Part part) {
  switch (part) {
    case Part::package:
      return "cpu";
    case Part::core:
      return "core";
    case Part::uncore:
      return "uncore";
    case Part::dram:
      return "dram";
    case Part::psys:
      return "psys";
  }
  return "cpu";
}

/// Sandy Bridge and Ivy Bridge (family 6) computed their energy from activity.
bool intel_model_only(const CpuInfo& cpu) {
  constexpr std::array modelled{0x2A, 0x2D, 0x3A, 0x3E};
  return cpu.vendor == CpuVendor::intel && cpu.family == 6 &&
         std::find(modelled.begin(), modelled.end(), cpu.model_number) != modelled.end();
}

struct Gain {
  double u95;
  std::string_view why;
};

Gain gain_of(Part part, const CpuInfo& cpu) {
  if (part == Part::dram) return {0.20, "DRAM, Desrochers 2016"};
  if (intel_model_only(cpu)) return {0.20, "Intel before Haswell, a model: Hackenberg 2015"};
  if (part != Part::package)
    return {cpu.vendor == CpuVendor::amd ? 0.15 : 0.10, "no comparison known"};
  if (cpu.vendor == CpuVendor::amd) return {0.15, "AMD, a model: Schoene 2021"};
  return {0.05, "Intel package, Hackenberg 2015, Khan 2018"};
}

}  // namespace

std::map<Place, int> number_places(const std::set<Place>& places) {
  const bool dies =
      std::any_of(places.begin(), places.end(), [](const Place& p) { return p.die.has_value(); });
  std::map<Place, int> numbers;
  int next = 0;
  for (const Place& place : places)
    numbers[place] = dies ? next++ : place.package;
  return numbers;
}

std::string channel_name(Part part, int number) {
  if (part == Part::psys && number == 0) return "psys";
  return fmt::format("{}{}", prefix(part), number);
}

SignalInfo describe(Part part, int number, std::string_view source, Joules quantum,
                    const Facts& facts) {
  SignalInfo info;
  info.channel = channel_name(part, number);
  info.source = source;
  info.name = fmt::format("{}@{}", source, info.channel);
  info.kind = SignalKind::energy;
  info.unit = "J";
  info.device = part == Part::psys ? "node" : fmt::format("cpu{}", number);
  info.domain = part == Part::psys ? Domain::node : part == Part::dram ? Domain::dram : Domain::cpu;
  info.in_total = part == Part::package || part == Part::dram;
  info.provenance = facts.provenance;
  const bool filtered = facts.cpu.sgx;
  info.traits.update_period = Seconds(filtered ? 0.010 : 0.001);
  info.traits.quantum = quantum;
  const Gain gain = gain_of(part, facts.cpu);
  info.traits.gain_u95 = gain.u95;
  info.traits.gain_kind = "rapl";
  info.traits.basis =
      fmt::format("assumed: {}, gain ±{:.0f} % ({})",
                  filtered ? "renewed every 1 ms, taken as 10 ms because SGX filters readings"
                           : "renewed every 1 ms",
                  gain.u95 * 100.0, gain.why);
  sysfs::limit_to_simulation(info);
  return info;
}

std::string sensor_name(Part part, const Place& place, std::string_view interface) {
  if (part == Part::psys) return fmt::format("RAPL psys ({})", interface);
  const std::string die = place.die ? fmt::format(" die {}", *place.die) : std::string();
  return fmt::format("RAPL package {}{} ({})", place.package, die, interface);
}

double EnergyCounter::update(double raw_j, Instant at, bool& restarted) {
  restarted = false;
  if (!first_ && raw_j < last_raw_) {
    const double wrapped = range_j_ > 0 ? raw_j - last_raw_ + range_j_ : 0.0;
    const double elapsed = (at - last_at_).value();
    // Taken as a wrap, a restart (resume from suspend) would mean a power that no machine
    // draws.
    restarted = range_j_ <= 0 || (elapsed > 0 && wrapped / elapsed > impossible_watts);
    if (restarted) {
      carried_ = total_;
      counter_ = WrapCounter(range_j_);
    }
  }
  first_ = false;
  last_raw_ = raw_j;
  last_at_ = at;
  total_ = carried_ + counter_.update(raw_j);
  return total_;
}

}  // namespace ergo::rapl
