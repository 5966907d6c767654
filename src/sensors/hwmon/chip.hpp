#pragma once
// A device whose values stand in small files, one number each.

#include "ergo/sensors/registry.hpp"
#include "sensors/sysfs.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ergo::hwmon {

/// One signal and the files that make it: value = product of the numbers x scale (one file, or
/// current and voltage).
struct Reading {
  SignalInfo info;
  std::vector<sysfs::Attribute> files;
  double scale = 1.0;
  WrapCounter counter;  ///< energy signals
  bool lost = false;
};

class ChipSensor : public Sensor {
 public:
  explicit ChipSensor(std::string name) { name_ = std::move(name); }

  void add(Reading reading);
  /// Nothing is read while this file (power/runtime_status) says "suspended".
  void sleeps_by(std::optional<sysfs::Attribute> runtime_status) {
    runtime_status_ = std::move(runtime_status);
  }

 protected:
  Result<void> do_read(const Clock& clock, Batch& out) override;
  /// Index of a signal that do_read() does not serve.
  std::size_t add_signal(SignalInfo info);
  [[nodiscard]] bool asleep();

 private:
  /// The value now; absent when a file was empty at this instant.
  Result<std::optional<double>> read_one(Reading& reading);

  std::vector<Reading> readings_;
  std::vector<std::size_t> signal_of_;
  std::optional<sysfs::Attribute> runtime_status_;
};

/// Opens the files of a reading; nothing when one of them does not exist. A file that exists but
/// may not be read becomes an entry of `missing`.
std::optional<Reading> open_reading(SignalInfo info,
                                    const std::vector<std::filesystem::path>& files, double scale,
                                    std::vector<Missing>& missing);

/// SignalInfo of an energy or power signal, traits left to the caller.
SignalInfo meter_info(SignalKind kind, std::string channel, Domain domain, std::string source,
                      Provenance provenance);

/// SignalInfo of a metric such as "gpu0.temperature".
SignalInfo gauge_info(std::string name, std::string unit, Provenance provenance);

inline constexpr double micro = 1e-6;
inline constexpr double milli = 1e-3;

// The parts of discovery, one file each.
void discover_gpus(const DiscoveryContext& context, Discovery& so_far);
void discover_chips(const DiscoveryContext& context, Discovery& so_far);
void discover_battery(const DiscoveryContext& context, Discovery& so_far);

}  // namespace ergo::hwmon
