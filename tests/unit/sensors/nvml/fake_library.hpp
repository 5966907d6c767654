#pragma once
// A private copy of the fake NVML library for one test, with symbols missing at will.

#include "ergo/core/files.hpp"
#include "sensors/nvml/nvml.hpp"
#include "unit/sensors/nvml/fake_nvml.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ergo::nvml {

/// Copies the library's file to a folder of its own, so that each test has a state of its own, and
/// renames the symbols in `missing` in the copy: to dlsym they are as absent as in an old driver.
class FakeLibrary {
 public:
  explicit FakeLibrary(const std::vector<std::string>& missing = {}) {
    auto folder = TemporaryFolder::create("ergo-fake-nvml");
    auto image = read_text(ERGO_FAKE_NVML);
    EXPECT_TRUE(folder.ok() && image.ok());
    folder_ = std::make_unique<TemporaryFolder>(std::move(folder).value());
    std::string bytes = std::move(image).value();
    for (const std::string& symbol : missing) {
      const std::string entry = '\0' + symbol + '\0';
      std::size_t found = 0;
      for (std::size_t i = bytes.find(entry); i != std::string::npos;
           i = bytes.find(entry, i + 1)) {
        bytes[i + 1] = 'x';
        ++found;
      }
      EXPECT_GT(found, 0U) << symbol << " is not in the fake";
    }
    EXPECT_TRUE(write_text_atomically(path(), bytes).ok());
    handle_ = ::dlopen(path().c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(handle_, nullptr) << ::dlerror();
    state_ = reinterpret_cast<FakeNvmlState*>(::dlsym(handle_, "fake_nvml_state"))();
    for (unsigned i = 0; i < fake::max_devices; ++i) {
      std::snprintf(device(i).uuid, sizeof device(i).uuid, "GPU-%u%u%u%u0000-aaaa", i, i, i, i);
    }
  }
  FakeLibrary(const FakeLibrary&) = delete;
  FakeLibrary& operator=(const FakeLibrary&) = delete;
  ~FakeLibrary() { ::dlclose(handle_); }

  [[nodiscard]] std::string path() const {
    return (folder_->path() / "libnvidia-ml.so.1").string();
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_->path(); }
  fake::FakeNvml& operator*() { return *state_; }
  fake::FakeNvml* operator->() { return state_; }
  fake::FakeDevice& device(unsigned index = 0) { return state_->devices[index]; }

  fake::FakeField& add_field(unsigned id, int type, unsigned device_index = 0) {
    fake::FakeDevice& d = device(device_index);
    fake::FakeField& field = d.fields[d.field_count++];
    field.id = id;
    field.type = type;
    return field;
  }
  /// The fields of a current driver: counter, instantaneous and mean power, throttle time.
  /// An H100 with the driver that its counter was studied with.
  void be_hopper() {
    fake::FakeDevice& board = device();
    board.architecture = abi::architecture::hopper;
    board.capability_major = 9;
    board.capability_minor = 0;
    std::snprintf(state_->driver_version, sizeof state_->driver_version, "580.159.04");
  }
  void add_current_fields(unsigned device_index = 0) {
    add_field(abi::field::total_energy, abi::value_unsigned_long_long, device_index).value.ull =
        5'000'000;
    add_field(abi::field::power_instant, abi::value_unsigned_int, device_index).value.ui = 61'000;
    add_field(abi::field::power_average, abi::value_unsigned_int, device_index).value.ui = 62'000;
    add_field(abi::field::perf_policy_power, abi::value_unsigned_long_long, device_index)
        .value.ull = 700;
  }

  [[nodiscard]] DiscoveryContext context() const {
    DiscoveryContext context;
    context.environment.nvml_library = path();
    context.environment.sysfs = folder();
    context.environment.procfs = folder();
    context.gpus.mode = GpuSelection::Mode::all;
    return context;
  }
  [[nodiscard]] Discovery discover() const { return discover(context()); }
  [[nodiscard]] static Discovery discover(const DiscoveryContext& context) {
    Discovery found;
    nvml::discover(context, found);
    return found;
  }

 private:
  std::unique_ptr<TemporaryFolder> folder_;
  void* handle_ = nullptr;
  fake::FakeNvml* state_ = nullptr;
};

/// What a read yielded, by signal name.
inline std::map<std::string, double> read_values(Sensor& sensor, const Clock& clock) {
  Batch batch;
  const auto result = sensor.read(clock, batch);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().text());
  std::map<std::string, double> values;
  for (const auto& entry : batch.entries()) {
    values[sensor.signals()[entry.signal].name] = entry.sample.value;
  }
  return values;
}

inline std::set<std::string> names_of(const Sensor& sensor) {
  std::set<std::string> names;
  for (const SignalInfo& info : sensor.signals())
    names.insert(info.name);
  return names;
}

inline const SignalInfo* find_signal(const Sensor& sensor, const std::string& name) {
  for (const SignalInfo& info : sensor.signals()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

}  // namespace ergo::nvml
