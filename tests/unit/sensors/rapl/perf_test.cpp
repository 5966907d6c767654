// The perf events of RAPL behind a stand-in for perf_event_open: its descriptors are pipes that
// hold what reads return.

#include "sensors/rapl/perf.hpp"

#include "contract/fake_root.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <vector>

namespace ergo {
namespace {

using testing::FakeRoot;
using testing::has_sample;
using testing::value_of;

constexpr double joules_per_count = 1.0 / 4294967296.0;

std::uint64_t counts(double joules) {
  return static_cast<std::uint64_t>(joules / joules_per_count);
}

void add_pmu(const FakeRoot& root, const std::string& cpumask,
             const std::vector<std::pair<std::string, int>>& events) {
  const std::string pmu = "sys/bus/event_source/devices/power/";
  root.write(pmu + "type", "9\n");
  root.write(pmu + "cpumask", cpumask + "\n");
  for (const auto& [name, code] : events) {
    root.write(pmu + "events/" + name, "event=0x0" + std::to_string(code) + "\n");
    root.write(pmu + "events/" + name + ".scale", "2.3283064365386962890625e-10\n");
    root.write(pmu + "events/" + name + ".unit", "Joules\n");
  }
}

/// Pretends to be the kernel: one pipe per group leader.
class FakePerf {
 public:
  struct Leader {
    int write_end = -1;
    int members = 1;
    int cpu = 0;
  };

  int open(std::uint64_t config, int cpu, int group_fd) {
    if (const auto refused = errors_.find(config); refused != errors_.end())
      return -refused->second;
    if (group_fd >= 0) {
      if (!grouping) return -EINVAL;
      ++leaders_.at(group_fd).members;
      return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
    leaders_[ends[0]] = Leader{ends[1], 1, cpu};
    return ends[0];
  }
  void refuse(std::uint64_t config, int error) { errors_[config] = error; }

  /// What the next read of the leader on this CPU returns.
  void answer(int cpu, const std::vector<std::uint64_t>& values) {
    for (auto& [fd, leader] : leaders_) {
      if (leader.cpu != cpu || leader.write_end < 0) continue;
      std::vector<std::uint64_t> raw{values.size()};
      raw.insert(raw.end(), values.begin(), values.end());
      ASSERT_EQ(::write(leader.write_end, raw.data(), raw.size() * 8),
                static_cast<ssize_t>(raw.size() * 8));
    }
  }
  void offline(int cpu) {
    for (auto& [fd, leader] : leaders_) {
      if (leader.cpu == cpu) ::close(std::exchange(leader.write_end, -1));
    }
  }
  ~FakePerf() {
    for (auto& [fd, leader] : leaders_) {
      if (leader.write_end >= 0) ::close(leader.write_end);
    }
  }

  bool grouping = true;

 private:
  std::map<int, Leader> leaders_;
  std::map<std::uint64_t, int> errors_;
};

/// Opens package and DRAM of one package on CPU 0; the first look of discovery sees `first`.
rapl::Found open_two(FakePerf& perf, const std::vector<std::uint64_t>& first) {
  rapl::PerfPlan plan;
  plan.type = 9;
  plan.cpu_of[rapl::Place{}] = 0;
  plan.events = {{rapl::Part::package, 2, joules_per_count},
                 {rapl::Part::dram, 3, joules_per_count}};
  // The answer must be in the pipe before discovery reads: the last event to be opened puts it
  // there.
  const auto open = [&](std::uint32_t, std::uint64_t config, int cpu, int group) {
    const int fd = perf.open(config, cpu, group);
    if (config == 3) perf.answer(0, first);
    return fd;
  };
  return rapl::open_perf(plan, {}, open);
}

TEST(RaplPerf, ThePlanHasOneCpuPerPackage) {
  const FakeRoot root;
  add_pmu(root, "0,24", {{"energy-pkg", 2}, {"energy-ram", 3}, {"energy-cores", 1}});
  root.write("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n");
  root.write("sys/devices/system/cpu/cpu24/topology/physical_package_id", "1\n");
  CpuInfo intel;
  intel.vendor = CpuVendor::intel;
  const auto plan = rapl::plan_perf(root.sys(), intel);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->type, 9U);
  EXPECT_EQ(plan->cpu_of.at(rapl::Place{1, std::nullopt}), 24);
  EXPECT_EQ(plan->events.size(), 3U);
  EXPECT_DOUBLE_EQ(plan->events[0].joules_per_count, joules_per_count);
}

TEST(RaplPerf, DiesOfOnePackageGetACpuEach) {
  const FakeRoot root;
  add_pmu(root, "0,24", {{"energy-pkg", 2}});
  for (const char* cpu : {"0", "24"}) {
    root.write(std::string("sys/devices/system/cpu/cpu") + cpu + "/topology/physical_package_id",
               "0\n");
    root.write(std::string("sys/devices/system/cpu/cpu") + cpu + "/topology/die_id",
               cpu[0] == '0' ? "0\n" : "1\n");
  }
  const auto plan = rapl::plan_perf(root.sys(), {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->cpu_of.at(rapl::Place{0, 1}), 24);
}

TEST(RaplPerf, AmdEventsThatTheHardwareLacksAreLeftOut) {
  const FakeRoot root;
  add_pmu(root, "0", {{"energy-pkg", 2}, {"energy-ram", 3}, {"energy-cores", 1}});
  CpuInfo amd;
  amd.vendor = CpuVendor::amd;
  const auto plan = rapl::plan_perf(root.sys(), amd);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->events.size(), 1U);
  EXPECT_EQ(plan->events[0].part, rapl::Part::package);
}

TEST(RaplPerf, BrokenPmuFilesYieldNoEvents) {
  const FakeRoot root;
  EXPECT_FALSE(rapl::plan_perf(root.sys(), {}));
  add_pmu(root, "0", {{"energy-pkg", 2}});
  root.write("sys/bus/event_source/devices/power/events/energy-pkg", "config=zz");
  EXPECT_TRUE(rapl::plan_perf(root.sys(), {})->events.empty());
  root.write("sys/bus/event_source/devices/power/events/energy-pkg", "event=0x02");
  root.write("sys/bus/event_source/devices/power/events/energy-pkg.unit", "Furlongs");
  EXPECT_TRUE(rapl::plan_perf(root.sys(), {})->events.empty());
}

TEST(RaplPerf, OneReadServesAllEventsOfAPackage) {
  FakePerf perf;
  auto found = open_two(perf, {counts(1), counts(0.5)});
  ASSERT_EQ(found.sensors.size(), 1U);
  Sensor& sensor = *found.sensors[0];
  perf.answer(0, {counts(3), counts(1.5)});
  ManualClock clock;
  const Batch batch = testing::read_batch(sensor, clock);
  EXPECT_NEAR(value_of(sensor, batch, "rapl.perf@cpu0"), 3.0, 1e-6);
  EXPECT_NEAR(value_of(sensor, batch, "rapl.perf@dram0"), 1.5, 1e-6);
  EXPECT_EQ(found.channels, (std::set<std::string>{"cpu0", "dram0"}));
}

TEST(RaplPerf, EventsThatCannotBeGroupedAreReadOneByOne) {
  FakePerf perf;
  perf.grouping = false;
  rapl::PerfPlan plan;
  plan.cpu_of[rapl::Place{}] = 0;
  plan.events = {{rapl::Part::package, 2, joules_per_count},
                 {rapl::Part::dram, 3, joules_per_count}};
  const auto open = [&](std::uint32_t, std::uint64_t config, int cpu, int group) {
    const int fd = perf.open(config, cpu, group);
    if (config == 3 && group < 0) perf.answer(0, {counts(1)});
    return fd;
  };
  auto found = rapl::open_perf(plan, {}, open);
  ASSERT_EQ(found.sensors.size(), 1U);
  perf.answer(0, {counts(2)});
  ManualClock clock;
  EXPECT_EQ(testing::read_batch(*found.sensors[0], clock).entries().size(), 2U);
}

TEST(RaplPerf, ACounterThatNeverMovesIsDropped) {
  FakePerf perf;
  rapl::PerfPlan plan;
  plan.cpu_of[rapl::Place{}] = 0;
  plan.events = {{rapl::Part::package, 2, joules_per_count},
                 {rapl::Part::dram, 3, joules_per_count}};
  const auto open = [&](std::uint32_t, std::uint64_t config, int cpu, int group) {
    const int fd = perf.open(config, cpu, group);
    for (int i = 0; config == 3 && i < rapl::zero_tries; ++i)
      perf.answer(0, {counts(1), 0});
    return fd;
  };
  const auto found = rapl::open_perf(plan, {}, open);
  ASSERT_EQ(found.sensors.size(), 1U);
  EXPECT_EQ(found.sensors[0]->signals().size(), 1U);
  EXPECT_EQ(found.dead, std::vector<std::string>{"dram0"});
}

TEST(RaplPerf, RefusedEventsAreReportedWithTheirChannel) {
  FakePerf perf;
  perf.refuse(2, EACCES);
  perf.refuse(3, EACCES);
  const auto found = open_two(perf, {});
  EXPECT_TRUE(found.sensors.empty());
  ASSERT_EQ(found.denied.size(), 2U);
  EXPECT_EQ(found.denied[0].channel, "cpu0");
  EXPECT_EQ(found.denied[0].error.code, Errc::permission);
}

TEST(RaplPerf, ACpuThatGoesOfflineLosesItsSensor) {
  FakePerf perf;
  auto found = open_two(perf, {counts(1), counts(1)});
  ASSERT_EQ(found.sensors.size(), 1U);
  perf.offline(0);
  ManualClock clock;
  Batch batch;
  const auto read = found.sensors[0]->read(clock, batch);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Errc::lost);
  EXPECT_TRUE(batch.entries().empty());
}

TEST(RaplPerf, AShortReadIsNoValue) {
  FakePerf perf;
  auto found = open_two(perf, {counts(1), counts(1)});
  ASSERT_EQ(found.sensors.size(), 1U);
  perf.answer(0, {counts(5)});  // one value where two are due
  ManualClock clock;
  Batch batch;
  const auto read = found.sensors[0]->read(clock, batch);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Errc::corrupt);
  EXPECT_TRUE(batch.entries().empty());
}

}  // namespace
}  // namespace ergo
