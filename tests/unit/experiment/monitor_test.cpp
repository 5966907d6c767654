// Windows of a program that measures itself, against a simulated GPU whose true energy is known.

#include "ergo/experiment/monitor.hpp"

#include "monitored_node.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>

namespace ergo {
namespace {

using ::testing::HasSubstr;
using testing::MonitoredNode;

/// A monitor whose time a test moves, together with the node's.
class MonitorOnANode : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = Monitor::start(node_.environment(), {}, clock_);
    ASSERT_TRUE(started.ok()) << started.error().text();
    monitor_ = std::move(*started);
  }
  void TearDown() override { monitor_.reset(); }

  [[nodiscard]] Instant newest() const {
    const Timeline& timeline = monitor_->timeline();
    return timeline.last(*timeline.find("nvml.power_instant@gpu0"))->time;
  }
  /// Tenths of a second pass; the monitor reads at each of them.
  void pass(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      const Instant next = clock_.now() + Seconds(0.1);
      node_.node().set_time_ns(next.ns);
      clock_.set(next);
      while (newest() < next)
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
  [[nodiscard]] double truth_since(Instant begin) { return node_.truth(begin.ns, clock_.now().ns); }

  MonitoredNode node_;
  ManualClock clock_{Instant{node_.node().now_ns()}};
  std::unique_ptr<Monitor> monitor_;
};

void expect_holds(const WindowRecord& window, double truth) {
  ASSERT_EQ(window.energy.size(), 1U);
  const ChannelEnergy& gpu = window.energy.front();
  EXPECT_EQ(gpu.channel, "gpu0");
  EXPECT_EQ(gpu.provenance, Provenance::simulated);
  EXPECT_LE(gpu.low.value(), truth);
  EXPECT_GE(gpu.high.value(), truth);
  // The interval is not so wide that it would hold anything.
  EXPECT_NEAR(gpu.joules.value(), truth, 0.05 * truth);
  EXPECT_LT(gpu.high - gpu.low, 0.25 * gpu.joules);
  ASSERT_TRUE(window.total.measured);
  EXPECT_DOUBLE_EQ(window.total.measured->value(), gpu.joules.value());
}

TEST_F(MonitorOnANode, AWindowHoldsTheTrueEnergyWithinItsInterval) {
  pass(10);
  const Instant begin = clock_.now();
  const auto window = monitor_->begin("epoch");
  EXPECT_NE(window, 0U);
  pass(50);
  const double truth = truth_since(begin);
  const auto ended = monitor_->end(window, 60'000);
  ASSERT_TRUE(ended.ok()) << ended.error().text();
  expect_holds(*ended, truth);
  EXPECT_EQ(ended->name, "epoch");
  EXPECT_EQ(ended->index, 0);
  EXPECT_EQ(ended->count, 60'000);
  EXPECT_EQ(ended->pid, ::getpid());
  EXPECT_NEAR(ended->start.value(), 1.0, 1e-6);
  EXPECT_NEAR(ended->duration.value(), 5.0, 1e-6);
}

TEST_F(MonitorOnANode, NestedWindowsAddUpToTheirOuterOne) {
  const auto outer = monitor_->begin("training");
  pass(20);
  double parts = 0.0;
  for (int i = 0; i < 3; ++i) {
    const auto inner = monitor_->begin("epoch");
    pass(20);
    const auto ended = monitor_->end(inner);
    ASSERT_TRUE(ended.ok());
    EXPECT_EQ(ended->index, i);
    EXPECT_FALSE(ended->count);
    parts += ended->energy.front().joules.value();
  }
  const auto whole = monitor_->end(outer);
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->index, 0);
  const double all = whole->energy.front().joules.value();
  const double before =
      node_.truth(clock_.now().ns - 8'000'000'000, clock_.now().ns - 6'000'000'000);
  EXPECT_NEAR(parts + before, all, 0.04 * all);
}

TEST_F(MonitorOnANode, WindowsOfOneNameMayOverlap) {
  const Instant start = clock_.now();
  const auto first = monitor_->begin("request");
  pass(20);
  const Instant later = clock_.now();
  const auto second = monitor_->begin("request");
  EXPECT_NE(first, second);
  pass(20);
  EXPECT_EQ(monitor_->open_windows(), 2U);
  const auto one = monitor_->end(first);
  const double true_one = truth_since(start);
  pass(20);
  const auto two = monitor_->end(second);
  ASSERT_TRUE(one.ok() && two.ok());
  expect_holds(*one, true_one);
  expect_holds(*two, truth_since(later));
  EXPECT_EQ(one->index, 0);
  EXPECT_EQ(two->index, 1);
  EXPECT_EQ(monitor_->open_windows(), 0U);
}

TEST_F(MonitorOnANode, ACancelledWindowIsForgottenAndTakesNoNumber) {
  const auto cancelled = monitor_->begin("epoch");
  const auto kept = monitor_->begin("epoch");
  pass(10);
  EXPECT_TRUE(monitor_->cancel(cancelled).ok());
  EXPECT_EQ(monitor_->open_windows(), 1U);
  EXPECT_EQ(monitor_->end(cancelled).error().code, Errc::not_found);
  const auto ended = monitor_->end(kept);
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->index, 0);
}

TEST_F(MonitorOnANode, AWindowCanBeEndedOnlyOnceAndOnlyIfItWasBegun) {
  const auto window = monitor_->begin("epoch");
  pass(5);
  ASSERT_TRUE(monitor_->end(window).ok());
  const auto again = monitor_->end(window);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Errc::not_found);
  EXPECT_THAT(again.error().text(), HasSubstr("end or cancel each window once"));
  EXPECT_EQ(monitor_->cancel(window).error().code, Errc::not_found);
  EXPECT_EQ(monitor_->end(0).error().code, Errc::not_found);
  EXPECT_EQ(monitor_->end(window + 1).error().code, Errc::not_found);
}

TEST_F(MonitorOnANode, ASensorThatDiesLeavesAWarningAndNoInventedEnergy) {
  pass(10);
  const auto before = monitor_->begin("before");
  pass(20);
  ASSERT_TRUE(monitor_->end(before).ok());
  node_.node().update(0, [&](sim::Gpu& gpu) { gpu.faults.lost_at_ns = node_.node().now_ns(); });
  // Its readings stand still from here on, so only the clock moves.
  const auto after = monitor_->begin("after");
  clock_.advance(Seconds(5.0));
  node_.node().set_time_ns(clock_.now().ns);
  const auto ended = monitor_->end(after);
  ASSERT_TRUE(ended.ok());
  EXPECT_TRUE(ended->energy.empty());
  EXPECT_FALSE(ended->total.measured);
  const auto warnings = monitor_->warnings();
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const std::string& text) {
    return text.find("gpu0") != std::string::npos;
  })) << ::testing::PrintToString(warnings);
}

TEST_F(MonitorOnANode, AForkedChildIsToldToStartItsOwn) {
  const auto window = monitor_->begin("epoch");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto ended = monitor_->end(window);
    const bool right = !ended.ok() && ended.error().code == Errc::not_supported &&
                       monitor_->begin("child") == 0 && !monitor_->cancel(window).ok() &&
                       monitor_->open_windows() == 0 && monitor_->warnings().empty() &&
                       monitor_->own_cpu() == Seconds(0.0);
    monitor_.reset();  // must not wait for a thread that the child does not have
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  pass(5);
  EXPECT_TRUE(monitor_->end(window).ok()) << "the parent's windows are untouched";
}

TEST(Monitor, WithoutASensorWindowsHaveTimeButNoEnergy) {
  const auto folder = TemporaryFolder::create("ergo-monitor-test").value();
  Environment nothing;
  nothing.sysfs = folder.path();
  nothing.sysfs_replaced = true;
  nothing.procfs = folder.path();
  nothing.nvml_library = (folder.path() / "absent.so").string();
  ManualClock clock;
  auto monitor = Monitor::start(nothing, {}, clock);
  ASSERT_TRUE(monitor.ok()) << monitor.error().text();
  const auto window = (*monitor)->begin("epoch");
  clock.advance(Seconds(3.0));
  const auto ended = (*monitor)->end(window);
  ASSERT_TRUE(ended.ok());
  EXPECT_DOUBLE_EQ(ended->duration.value(), 3.0);
  EXPECT_TRUE(ended->energy.empty());
  EXPECT_FALSE(ended->total.measured);
  EXPECT_FALSE(ended->total.estimated);
  EXPECT_FALSE((*monitor)->discovery().missing.empty());
  for (const Missing& missing : (*monitor)->discovery().missing)
    EXPECT_FALSE(missing.why.empty()) << missing.what;
}

TEST(Monitor, RefusesAPeriodThatIsNone) {
  ManualClock clock;
  for (const double period : {0.0, -1.0, 0.0009, std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity()}) {
    const auto monitor = Monitor::start(Environment{}, {Seconds(period), {}}, clock);
    ASSERT_FALSE(monitor.ok()) << period;
    EXPECT_EQ(monitor.error().code, Errc::invalid_argument);
    EXPECT_FALSE(monitor.error().remedy.empty());
  }
}

TEST(MonitorThreads, ManyThreadsMayOpenAndCloseWindowsAtOnce) {
  const MonitoredNode node("v100", false);
  SystemClock clock;
  auto monitor = Monitor::start(node.environment(), {Seconds(0.005), {}}, clock);
  ASSERT_TRUE(monitor.ok()) << monitor.error().text();
  constexpr int threads = 6;
  constexpr int rounds = 20;
  std::atomic<int> ended{0};
  std::atomic<int> indices{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        const auto outer = (*monitor)->begin("outer");
        const auto inner = (*monitor)->begin("inner");
        const auto dropped = (*monitor)->begin("dropped");
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        const auto result = (*monitor)->end(inner, 1);
        if (result) indices += result->index;
        ended += static_cast<int>(result.ok());
        ended += static_cast<int>((*monitor)->cancel(dropped).ok());
        ended += static_cast<int>((*monitor)->end(outer).ok());
        (void)(*monitor)->warnings();
      }
    });
  }
  for (std::thread& worker : workers)
    worker.join();
  EXPECT_EQ(ended, 3 * threads * rounds);
  EXPECT_EQ((*monitor)->open_windows(), 0U);
  constexpr int n = threads * rounds;
  EXPECT_EQ(indices, n * (n - 1) / 2) << "each number is given once";
  EXPECT_GT((*monitor)->own_cpu(), Seconds(0.0));
}

}  // namespace
}  // namespace ergo
