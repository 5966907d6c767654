// What every sensor must keep, whatever it reads (include/ergo/sensors/sensor.hpp).

#include "contract/rig.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace ergo {
namespace {

using testing::Rig;
using testing::RigMaker;

bool cumulative(SignalKind kind) {
  return kind == SignalKind::energy || kind == SignalKind::cpu_time || kind == SignalKind::counter;
}

bool is_channel(const SignalInfo& info) {
  return info.kind == SignalKind::energy || info.kind == SignalKind::power;
}

/// Content and time of change of every file below a folder.
std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> fingerprint(
    const std::filesystem::path& folder) {
  std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    std::string content;
    if (entry.is_regular_file()) {
      std::ifstream in(entry.path(), std::ios::binary);
      content.assign(std::istreambuf_iterator<char>(in), {});
    }
    files[entry.path().string()] = {content, std::filesystem::last_write_time(entry.path())};
  }
  return files;
}

class SensorContract : public ::testing::TestWithParam<RigMaker> {
 protected:
  void SetUp() override {
    rig_ = GetParam().make();
    if (!rig_->folder().empty()) before_ = fingerprint(rig_->folder());
    found_ = rig_->discover();
    ASSERT_FALSE(found_.sensors.empty()) << "the rig's device was not found";
  }

  /// Reads all sensors once. Values per signal name; checks what holds for every reading.
  std::map<std::string, double> read_all() {
    std::map<std::string, double> values;
    for (const auto& sensor : found_.sensors) {
      Batch batch;
      const auto read = sensor->read(rig_->clock(), batch);
      if (!read && read.error().code == Errc::lost) lost_.insert(sensor.get());
      if (!read) errors_.push_back(read.error().text());
      const Instant now = rig_->clock().now();
      for (const Batch::Entry& entry : batch.entries())
        check(*sensor, entry, now, values);
    }
    return values;
  }

  void check(const Sensor& sensor, const Batch::Entry& entry, Instant now,
             std::map<std::string, double>& values) {
    ASSERT_LT(entry.signal, sensor.signals().size());
    const SignalInfo& info = sensor.signals()[entry.signal];
    const Sample& sample = entry.sample;
    EXPECT_TRUE(std::isfinite(sample.value)) << info.name;
    EXPECT_GE(sample.value, 0.0) << info.name;
    EXPECT_LE(sample.time, now) << info.name << " is dated in the future";
    EXPECT_GE(sample.half_width_s, 0.0F) << info.name;
    const auto last = last_.find(info.name);
    if (last != last_.end()) {
      EXPECT_GE(sample.time, last->second.time) << info.name << " goes back in time";
      if (cumulative(info.kind)) {
        EXPECT_GE(sample.value, last->second.value) << info.name << " falls";
      }
    }
    last_[info.name] = sample;
    values[info.name] = sample.value;
  }

  template <class Visit>
  void for_each_signal(const Visit& visit) {
    for (const auto& sensor : found_.sensors) {
      for (const SignalInfo& info : sensor->signals())
        visit(info);
    }
  }

  std::unique_ptr<Rig> rig_;
  std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> before_;
  Discovery found_;
  std::map<std::string, Sample> last_;
  std::set<const Sensor*> lost_;
  std::vector<std::string> errors_;
};

TEST_P(SensorContract, NamesAreUniqueAndUnitsAreGiven) {
  std::set<std::string> names;
  for (const auto& sensor : found_.sensors) {
    EXPECT_FALSE(sensor->name().empty());
    EXPECT_FALSE(sensor->signals().empty()) << sensor->name();
  }
  for_each_signal([&](const SignalInfo& info) {
    EXPECT_FALSE(info.name.empty());
    EXPECT_TRUE(names.insert(info.name).second) << info.name << " is declared twice";
    if (info.kind != SignalKind::flags) {
      EXPECT_FALSE(info.unit.empty()) << info.name;
    }
  });
}

TEST_P(SensorContract, ChannelsSayWhereTheyComeFrom) {
  for_each_signal([](const SignalInfo& info) {
    if (!is_channel(info)) {
      EXPECT_FALSE(info.in_total) << info.name;
      return;
    }
    EXPECT_EQ(info.name, info.source + "@" + info.channel);
    EXPECT_FALSE(info.source.empty()) << info.name;
    EXPECT_FALSE(info.channel.empty()) << info.name;
    EXPECT_FALSE(info.device.empty()) << info.name;
    EXPECT_EQ(info.unit, info.kind == SignalKind::energy ? "J" : "W") << info.name;
  });
}

TEST_P(SensorContract, EachJouleCountsOnce) {
  std::set<std::pair<std::string, int>> ranks;
  for_each_signal([&](const SignalInfo& info) {
    if (!is_channel(info)) return;
    EXPECT_TRUE(ranks.emplace(info.channel, info.rank).second)
        << info.name << ": two sources of one channel and rank";
    if (!info.in_total) return;
    // Only these do not overlap; psys, core, uncore, a node meter and a battery do.
    const std::string kind = info.channel.substr(0, info.channel.find_first_of("0123456789"));
    const bool apart = (kind == "gpu" && info.domain == Domain::gpu) ||
                       (kind == "cpu" && info.domain == Domain::cpu) ||
                       (kind == "dram" && info.domain == Domain::dram);
    EXPECT_TRUE(apart) << info.name;
  });
}

TEST_P(SensorContract, TraitsAreSane) {
  for_each_signal([](const SignalInfo& info) {
    if (!is_channel(info)) return;
    const PowerTraits& t = info.traits;
    EXPECT_GE(t.update_period, Seconds(0.0)) << info.name;
    EXPECT_GE(t.averaging_window, Seconds(0.0)) << info.name;
    EXPECT_GT(t.sampled_fraction, 0.0) << info.name;
    EXPECT_LE(t.sampled_fraction, 1.0) << info.name;
    EXPECT_GE(t.quantum, Joules(0.0)) << info.name;
    EXPECT_GT(t.gain_u95, 0.0) << info.name << ": no device is exact";
    EXPECT_LE(t.gain_low, 0.0) << info.name;
    EXPECT_GE(t.gain_high, 0.0) << info.name;
    EXPECT_FALSE(t.gain_kind.empty()) << info.name;
    EXPECT_FALSE(t.basis.empty()) << info.name;
  });
}

TEST_P(SensorContract, ReadingsAreFiniteOrderedAndEnergyNeverFalls) {
  std::set<std::string> seen;
  for (int tick = 0; tick < 30; ++tick) {
    for (const auto& [name, value] : read_all())
      seen.insert(name);
    rig_->pass(Seconds(3.7));
  }
  EXPECT_TRUE(errors_.empty()) << errors_.front();
  for_each_signal([&](const SignalInfo& info) {
    if (is_channel(info)) {
      EXPECT_TRUE(seen.contains(info.name)) << info.name << " is declared and never read";
    }
  });
}

TEST_P(SensorContract, EnergyGrowsWhileTheDeviceConsumes) {
  const auto first = read_all();
  rig_->pass(Seconds(5));
  const auto second = read_all();
  for_each_signal([&](const SignalInfo& info) {
    if (info.kind != SignalKind::energy || !first.contains(info.name) ||
        !second.contains(info.name))
      return;
    EXPECT_GT(second.at(info.name), first.at(info.name)) << info.name;
  });
}

TEST_P(SensorContract, ReadingTwiceWithoutTimePassingIsHarmless) {
  const auto once = read_all();
  const auto twice = read_all();
  EXPECT_TRUE(errors_.empty()) << errors_.front();
  for_each_signal([&](const SignalInfo& info) {
    if (info.kind != SignalKind::energy || !once.contains(info.name) || !twice.contains(info.name))
      return;
    EXPECT_EQ(once.at(info.name), twice.at(info.name)) << info.name;
  });
  rig_->pass(Seconds(1));
  (void)read_all();
  EXPECT_TRUE(errors_.empty()) << errors_.front();
}

TEST_P(SensorContract, AVanishedDeviceIsLostOrAbsentAndNeverZero) {
  (void)read_all();
  rig_->pass(Seconds(1));
  (void)read_all();
  rig_->vanish();
  for (int tick = 0; tick < 3; ++tick) {
    const auto values = read_all();
    for_each_signal([&](const SignalInfo& info) {
      if (is_channel(info)) {
        EXPECT_FALSE(values.contains(info.name)) << info.name << " still has values";
      }
    });
  }
  for (const std::string& error : errors_)
    EXPECT_FALSE(error.empty());
}

TEST_P(SensorContract, NothingIsWritten) {
  if (rig_->folder().empty()) GTEST_SKIP() << "this device is not a folder";
  for (int tick = 0; tick < 3; ++tick)
    (void)read_all();
  EXPECT_EQ(before_, fingerprint(rig_->folder()));
}

TEST_P(SensorContract, NoticesAreHandedOutOnce) {
  (void)read_all();
  rig_->vanish();
  (void)read_all();
  for (const auto& sensor : found_.sensors) {
    for (const std::string& notice : sensor->take_notices())
      EXPECT_FALSE(notice.empty());
    EXPECT_TRUE(sensor->take_notices().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, SensorContract, ::testing::ValuesIn(testing::all_rigs()),
                         [](const ::testing::TestParamInfo<RigMaker>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace ergo
