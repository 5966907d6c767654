#include "sensors/process/process.hpp"

#include "ergo/experiment/child.hpp"
#include "unit/sensors/process/fake_procfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <map>

namespace ergo::process {
namespace {

using namespace literals;
using testing::HasSubstr;

std::map<std::string, double> read(Sensor& sensor, const Clock& clock) {
  Batch batch;
  EXPECT_TRUE(sensor.read(clock, batch));
  std::map<std::string, double> out;
  for (const auto& entry : batch.entries())
    out[sensor.signals()[entry.signal].name] = entry.sample.value;
  return out;
}

std::vector<std::string> names(const Sensor& sensor) {
  std::vector<std::string> out;
  for (const SignalInfo& info : sensor.signals())
    out.push_back(info.name);
  return out;
}

FakeProcfs with_one_process() {
  FakeProcfs proc;
  proc.add({.pid = 10, .ppid = 1, .own_ticks = 200});
  proc.write(10, "statm", "900 100 50 1 0 10 0");
  proc.write(10, "smaps_rollup",
             "Rss: 400 kB\nPss: 300 kB\nPrivate_Clean: 40 kB\nPrivate_Dirty: 200 kB\n");
  std::ofstream(proc.root() / "meminfo") << "MemTotal: 9000 kB\nMemAvailable: 4000 kB\n";
  proc.write(10, "io", "read_bytes: 4096\nwrite_bytes: 100\n");
  proc.set_busy_ticks(5000);
  return proc;
}

TEST(ProcessSensor, ReadsAllSignalsOfAFakeProc) {
  FakeProcfs proc = with_one_process();
  ManualClock clock(Instant{1'000'000'000});
  auto sensor = open(10, proc.environment());
  ASSERT_TRUE(sensor);
  EXPECT_EQ((*sensor)->name(), "process tree (/proc)");
  read(**sensor, clock);
  clock.advance(1_s);
  const auto values = read(**sensor, clock);
  const double tick = 1.0 / ticks_per_second();
  EXPECT_DOUBLE_EQ(values.at("process.cpu_time"), 200 * tick);
  EXPECT_DOUBLE_EQ(values.at("machine.cpu_time"), 5000 * tick);
  EXPECT_EQ(values.at("process.memory_rss"), 100.0 * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(values.at("process.memory_pss"), 300.0 * 1024);
  EXPECT_EQ(values.at("process.memory_uss"), 240.0 * 1024);
  EXPECT_EQ(values.at("machine.memory_used"), 5000.0 * 1024);
  EXPECT_EQ(values.at("process.io_read"), 4096);
  EXPECT_EQ(values.at("process.io_write"), 100);
}

TEST(ProcessSensor, SaysWhyItCountsByProc) {
  FakeProcfs proc = with_one_process();
  auto sensor = open(10, proc.environment());
  ASSERT_TRUE(sensor);
  const auto notices = (*sensor)->take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_THAT(notices[0], HasSubstr("/proc"));
}

TEST(ProcessSensor, WhatCannotBeReadIsNotASignal) {
  FakeProcfs proc;
  proc.add({.pid = 10, .ppid = 1});
  proc.write(10, "statm", "900 100 50 1 0 10 0");
  std::filesystem::remove(proc.root() / "stat");
  auto sensor = open(10, proc.environment());
  ASSERT_TRUE(sensor);
  EXPECT_THAT(names(**sensor), testing::ElementsAre("process.cpu_time", "process.memory_rss"));
}

TEST(ProcessSensor, AMissingProcessIsAnError) {
  FakeProcfs proc;
  auto sensor = open(10, proc.environment());
  ASSERT_FALSE(sensor);
  EXPECT_EQ(sensor.error().code, Errc::not_found);
}

TEST(ProcessSensor, AMethodThatCannotWorkIsRefused) {
  FakeProcfs proc = with_one_process();
  Options options;
  options.method = Method::cgroup;
  EXPECT_FALSE(open(10, proc.environment(), options));
  options.method = Method::perf;
  EXPECT_FALSE(open(10, proc.environment(), options));
}

TEST(ProcessSensor, FilesThatTurnToGarbageYieldNothingAndNeverFall) {
  FakeProcfs proc = with_one_process();
  ManualClock clock(Instant{1'000'000'000});
  auto sensor = open(10, proc.environment());
  ASSERT_TRUE(sensor);
  read(**sensor, clock);
  clock.advance(1_s);
  const double before = read(**sensor, clock).at("process.cpu_time");
  for (const char* file : {"stat", "statm", "smaps_rollup", "io"})
    proc.write(10, file, "garbage");
  for (const char* file : {"stat", "meminfo"})
    std::ofstream(proc.root() / file) << "garbage";
  clock.advance(10_s);
  const auto values = read(**sensor, clock);
  EXPECT_EQ(values.at("process.cpu_time"), before);
  EXPECT_EQ(values.size(), 1U);
}

TEST(ProcessSensor, MemoryIsReadSeldomAndCpuTimeAtMostTenTimesASecond) {
  FakeProcfs proc = with_one_process();
  ManualClock clock(Instant{1'000'000'000});
  auto sensor = open(10, proc.environment());
  ASSERT_TRUE(sensor);
  std::map<std::string, int> times;
  for (int ms = 0; ms < 20'000; ms += 10) {
    for (const auto& [name, value] : read(**sensor, clock))
      ++times[name];
    clock.advance(10_ms);
  }
  EXPECT_GE(times["process.cpu_time"], 150);
  EXPECT_LE(times["process.cpu_time"], 230);
  EXPECT_GE(times["process.memory_rss"], 20);
  EXPECT_LE(times["process.memory_rss"], 50);
  EXPECT_GE(times["process.memory_pss"], 4);
  EXPECT_LE(times["process.memory_pss"], 10);
}

class EveryMethod : public testing::TestWithParam<Method> {
 protected:
  struct Outcome {
    std::map<std::string, double> last;
    ChildEnd end;
    std::string name;
  };

  /// Runs the helper under the sensor, as `ergo run` does.
  std::optional<Outcome> run(const std::vector<std::string>& arguments) {
    std::optional<RunCgroup> cgroup;
    if (GetParam() == Method::cgroup) {
      auto made = RunCgroup::create(environment_);
      if (!made) return std::nullopt;
      cgroup = std::move(*made);
    }
    std::unique_ptr<Sensor> sensor;
    const SystemClock clock;
    std::map<std::string, double> last;
    ChildSpec spec;
    spec.argv = {ERGO_CHILD_HELPER};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.adopt_orphans = true;
    if (cgroup) spec.cgroup_fd = cgroup->fd();
    spec.before_exec = [&](int pid) -> Result<void> {
      Options options;
      options.method = GetParam();
      options.before_exec = true;
      if (cgroup) options.cgroup = cgroup->path();
      options.tree =
          std::make_shared<ProcessTree>(pid, environment_, TreeOptions{::getpid(), options.cgroup});
      auto opened = open(pid, environment_, options);
      if (!opened) return opened.error();
      sensor = std::move(*opened);
      return {};
    };
    auto child = launch(spec);
    if (!child) return std::nullopt;
    std::optional<ChildEnd> end;
    while (!end) {
      for (const auto& [name, value] : read(*sensor, clock)) {
        EXPECT_GE(value, name == "process.cpu_time" ? last[name] : 0) << name;
        last[name] = value;
      }
      end = *child->wait_until(clock.now() + 50_ms);
    }
    for (const auto& [name, value] : read(*sensor, clock))
      last[name] = value;
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    return Outcome{last, *end, sensor->name()};
  }

  Environment environment_;
};

TEST_P(EveryMethod, NoCpuTimeOfAThousandShortLivedChildrenIsLost) {
  const auto outcome = run({"children", "1000"});
  if (!outcome) GTEST_SKIP() << "this machine does not offer the method";
  const double kernel = (outcome->end.usage.user + outcome->end.usage.system).value();
  EXPECT_GE(kernel, 0.4);
  // The kernel's own figure leaves out part of what fork and exit cost, and rounds; the sources may
  // see more.
  EXPECT_GE(outcome->last.at("process.cpu_time"), 0.93 * kernel - 0.02);
  EXPECT_LE(outcome->last.at("process.cpu_time"), 1.25 * kernel + 0.05);
}

TEST_P(EveryMethod, TheCpuTimeOfAnOrphanIsNotLost) {
  const auto outcome = run({"orphan"});
  if (!outcome) GTEST_SKIP() << "this machine does not offer the method";
  // By /proc up to one period (0.1 s) of what nobody waited for may be missed.
  const double least = GetParam() == Method::proc ? 0.08 : 0.19;
  EXPECT_GE(outcome->last.at("process.cpu_time"), least);
}

TEST_P(EveryMethod, TheMachineIsAtLeastAsBusyAsOneProcess) {
  const auto outcome = run({"burn", "0.3"});
  if (!outcome) GTEST_SKIP() << "this machine does not offer the method";
  EXPECT_NEAR(outcome->last.at("process.cpu_time"), 0.3, 0.05);
  EXPECT_GT(outcome->last.at("machine.cpu_time"), 0.2);
  EXPECT_GT(outcome->last.at("process.memory_rss"), 100'000);
  EXPECT_LT(outcome->last.at("process.memory_pss"), outcome->last.at("process.memory_rss") * 1.5);
}

INSTANTIATE_TEST_SUITE_P(Sensor, EveryMethod,
                         testing::Values(Method::cgroup, Method::perf, Method::proc),
                         [](const auto& info) -> std::string {
                           if (info.param == Method::cgroup) return "Cgroup";
                           return info.param == Method::perf ? "Perf" : "Proc";
                         });

TEST(ProcessSensor, AutomaticPrefersTheCgroup) {
  auto cgroup = RunCgroup::create(Environment{});
  if (!cgroup) GTEST_SKIP() << "no cgroup can be made here: " << cgroup.error().text();
  std::string name;
  ChildSpec spec;
  spec.argv = {"true"};
  spec.cgroup_fd = cgroup->fd();
  spec.before_exec = [&](int pid) -> Result<void> {
    Options options;
    options.cgroup = cgroup->path();
    name = open(pid, Environment{}, options).value()->name();
    return {};
  };
  auto child = launch(spec);
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait()->exit_code, 0);
  EXPECT_EQ(name, "process tree (cgroup v2)");
}

}  // namespace
}  // namespace ergo::process
