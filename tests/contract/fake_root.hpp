#pragma once
// Stand-ins for /sys and /proc in a temporary folder, for the tests of the backends that read them.

#include "ergo/core/environment.hpp"
#include "ergo/core/files.hpp"
#include "ergo/sensors/registry.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

namespace ergo::testing {

class FakeRoot {
 public:
  FakeRoot() : folder_(std::move(TemporaryFolder::create("ergo-root").value())) {
    std::filesystem::create_directories(sys());
    std::filesystem::create_directories(proc());
  }

  [[nodiscard]] std::filesystem::path path() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path sys() const { return folder_.path() / "sys"; }
  [[nodiscard]] std::filesystem::path proc() const { return folder_.path() / "proc"; }

  /// Writes in place, as `echo >` does.
  void write(const std::string& name, const std::string& text) const {
    const auto file = folder_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  /// Writes beside it and renames.
  void replace(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(write_text_atomically(folder_.path() / name, text).ok());
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(folder_.path() / name); }

  [[nodiscard]] DiscoveryContext context() const {
    DiscoveryContext context;
    context.environment.sysfs = sys();
    context.environment.sysfs_replaced = true;
    context.environment.procfs = proc();
    return context;
  }

  // RAPL
  static constexpr double range_uj = 262'143'328'850.0;

  /// A zone such as ("intel-rapl:0", "package-0", 1'000'000); children as
  /// ("intel-rapl:0/intel-rapl:0:0", "dram", …).
  void add_zone(const std::string& zone, const std::string& name, long long energy_uj,
                const std::string& range = "262143328850") const {
    write(zone_folder(zone) + "/name", name + "\n");
    write(zone_folder(zone) + "/max_energy_range_uj", range + "\n");
    set_energy(zone, energy_uj);
  }
  void set_energy(const std::string& zone, long long energy_uj) const {
    write(zone_folder(zone) + "/energy_uj", std::to_string(energy_uj) + "\n");
  }
  static std::string zone_folder(const std::string& zone) { return "sys/class/powercap/" + zone; }

  // Graphics cards and chips
  /// The hwmon folder of card N, relative to the root.
  [[nodiscard]] std::string add_card(int card, const std::string& vendor,
                                     const std::string& chip) const {
    const std::string device = card_folder(card);
    write(device + "/vendor", vendor + "\n");
    write(device + "/hwmon/hwmon" + std::to_string(card) + "/name", chip + "\n");
    return device + "/hwmon/hwmon" + std::to_string(card);
  }
  static std::string card_folder(int card) {
    return "sys/class/drm/card" + std::to_string(card) + "/device";
  }
  [[nodiscard]] std::string add_chip(int number, const std::string& name) const {
    const std::string folder = "sys/class/hwmon/hwmon" + std::to_string(number);
    write(folder + "/name", name + "\n");
    return folder;
  }

  // /proc
  void add_cpuinfo(const std::string& vendor, const std::string& model, int threads,
                   const std::string& flags, int packages = 1) const {
    std::string text;
    for (int i = 0; i < threads; ++i) {
      text += "processor\t: " + std::to_string(i) + "\nvendor_id\t: " + vendor +
              "\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: " + model +
              "\nphysical id\t: " + std::to_string(i % packages) + "\nflags\t\t: fpu " + flags +
              "\n\n";
    }
    write("proc/cpuinfo", text);
  }
  /// Ticks of 10 ms.
  void set_stat(long long busy, long long idle) const {
    write("proc/stat", "cpu  " + std::to_string(busy) + " 0 0 " + std::to_string(idle) +
                           " 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\n");
  }

 private:
  TemporaryFolder folder_;
};

/// The sample of the signal in the batch; fails the test and gives NaN when there is none.
inline double value_of(const Sensor& sensor, const Batch& batch, const std::string& signal) {
  for (const Batch::Entry& entry : batch.entries()) {
    if (sensor.signals()[entry.signal].name == signal) return entry.sample.value;
  }
  ADD_FAILURE() << "no sample of " << signal;
  return std::numeric_limits<double>::quiet_NaN();
}

inline bool has_sample(const Sensor& sensor, const Batch& batch, const std::string& signal) {
  for (const Batch::Entry& entry : batch.entries()) {
    if (sensor.signals()[entry.signal].name == signal) return true;
  }
  return false;
}

/// The declared signal, or null.
inline const SignalInfo* find_signal(const Discovery& found, const std::string& name) {
  for (const auto& sensor : found.sensors) {
    for (const SignalInfo& info : sensor->signals()) {
      if (info.name == name) return &info;
    }
  }
  return nullptr;
}

/// Reads once and returns the batch; fails the test on an error.
inline Batch read_batch(Sensor& sensor, const Clock& clock) {
  Batch batch;
  const auto read = sensor.read(clock, batch);
  EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.error().text());
  return batch;
}

}  // namespace ergo::testing
