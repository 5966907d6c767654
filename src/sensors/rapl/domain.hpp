#pragma once
// What all RAPL counters share, whichever interface reads them.

#include "ergo/sensors/sensor.hpp"
#include "sensors/cpuinfo.hpp"

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::rapl {

enum class Part { package, core, uncore, dram, psys };

/// Where a counter sits. `die` only where a package has several.
struct Place {
  int package = 0;
  std::optional<int> die;
  auto operator<=>(const Place&) const = default;
};

/// N of "cpuN" for each place: the package's number, or a running number when packages have several
/// dies.
std::map<Place, int> number_places(const std::set<Place>& places);

/// What is known about this machine's counters.
struct Facts {
  CpuInfo cpu;
  Provenance provenance = Provenance::measured;
  /// AMD's core register belongs to one core of the package, not to all of them: of no use as a
  /// channel.
  bool core_is_one_core = false;
};

/// "cpu0", "dram1", "psys" (number 0), "psys1".
std::string channel_name(Part part, int number);

/// `source`: "rapl.perf" or "rapl.powercap". `quantum`: the counter's step.
SignalInfo describe(Part part, int number, std::string_view source, Joules quantum,
                    const Facts& facts);

/// "RAPL package 0 die 1 (perf)", "RAPL psys (powercap)".
std::string sensor_name(Part part, const Place& place, std::string_view interface);

/// Undoes wraps and recognises restarts (resume from suspend sets the registers to 0).
class EnergyCounter {
 public:
  /// `range_j`: the energy at which the raw value wraps to 0; 0 = it does not wrap.
  explicit EnergyCounter(double range_j) : range_j_(range_j), counter_(range_j) {}

  /// Joules since the first call; never falls. `restarted` is set when the raw value fell by what
  /// no load explains: what was counted so far is kept, and the energy between the two readings is
  /// unknown and left out.
  double update(double raw_j, Instant at, bool& restarted);

 private:
  double range_j_;
  WrapCounter counter_;
  double carried_ = 0.0;
  double total_ = 0.0;
  double last_raw_ = 0.0;
  Instant last_at_;
  bool first_ = true;
};

/// What a look for counters found.
struct Denied {
  std::string channel;
  Error error;
};
struct Found {
  std::vector<std::unique_ptr<Sensor>> sensors;
  std::set<std::string> channels;
  std::vector<Denied> denied;     ///< exist, but may not be read
  std::vector<std::string> dead;  ///< channels whose counter stays at 0
  bool present = false;           ///< the interface exists here
};

/// How long a counter may stay at 0 during discovery before it counts as dead: twenty update
/// periods.
inline constexpr int zero_tries = 10;
inline constexpr int zero_pause_us = 2000;

}  // namespace ergo::rapl
