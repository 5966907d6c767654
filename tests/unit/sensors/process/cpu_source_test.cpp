#include "sensors/process/cpu_source.hpp"

#include "ergo/experiment/child.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace ergo::process {
namespace {

InheritedSum::Item item(int pid, int ppid, std::uint64_t own, std::uint64_t inherited = 0,
                        std::uint64_t start = 1) {
  Stat stat;
  stat.pid = pid;
  stat.ppid = ppid;
  stat.start_ticks = start;
  return {stat, own, inherited};
}

TEST(InheritedSum, AWaitedForChildIsCountedOnce) {
  InheritedSum sum;
  EXPECT_EQ(sum.update({item(10, 1, 5), item(11, 10, 7)}), 12U);
  // The child went on for 3 more before it ended, and its parent waited.
  EXPECT_EQ(sum.update({item(10, 1, 6, 10)}), 16U);
}

TEST(InheritedSum, AChildThatNobodyWaitedForKeepsItsLastValue) {
  InheritedSum sum;
  EXPECT_EQ(sum.update({item(10, 1, 5), item(11, 10, 7)}), 12U);
  EXPECT_EQ(sum.update({item(10, 1, 6, 0)}), 13U);
  EXPECT_EQ(sum.update({item(10, 1, 6, 0)}), 13U);
}

TEST(InheritedSum, AWholeBranchIsInheritedByTheNearestForebear) {
  InheritedSum sum;
  EXPECT_EQ(sum.update({item(10, 1, 1), item(11, 10, 2, 4), item(12, 11, 8)}), 15U);
  EXPECT_EQ(sum.update({item(10, 1, 1, 16)}), 17U);
}

TEST(InheritedSum, TheEndOfAllKeepsTheTotal) {
  InheritedSum sum;
  EXPECT_EQ(sum.update({item(10, 1, 5), item(11, 10, 7)}), 12U);
  EXPECT_EQ(sum.update({}), 12U);
  EXPECT_EQ(sum.update({}), 12U);
}

TEST(InheritedSum, AReusedPidIsAnotherProcess) {
  InheritedSum sum;
  EXPECT_EQ(sum.update({item(10, 1, 5), item(11, 10, 7, 0, 1)}), 12U);
  EXPECT_EQ(sum.update({item(10, 1, 5, 7), item(11, 10, 1, 0, 2)}), 13U);
}

TEST(InheritedSum, ValuesThatFallDoNotLowerTheTotal) {
  InheritedSum sum;
  EXPECT_EQ(sum.update({item(10, 1, 50)}), 50U);
  EXPECT_EQ(sum.update({item(10, 1, 49)}), 50U);
}

TEST(InheritedSum, ACircleOfParentsEnds) {
  InheritedSum sum;
  EXPECT_EQ(sum.update({item(20, 21, 1), item(21, 20, 2)}), 3U);
  EXPECT_EQ(sum.update({}), 3U);
}

TEST(RunCgroup, HoldsTheChildFromBirthAndIsGoneAfterwards) {
  std::filesystem::path folder;
  {
    auto cgroup = RunCgroup::create(Environment{});
    if (!cgroup) GTEST_SKIP() << "no cgroup can be made here: " << cgroup.error().text();
    folder = cgroup->path().folder;
    ChildSpec spec;
    spec.argv = {"/bin/sh", "-c", "sleep 20 & exit 0"};
    spec.cgroup_fd = cgroup->fd();
    auto child = launch(spec);
    ASSERT_TRUE(child);
    EXPECT_TRUE(child->in_cgroup());
    EXPECT_EQ(child->wait()->exit_code, 0);
    const auto left = cgroup->path().pids();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_TRUE(cgroup->path().holds("/proc", left[0]));
    EXPECT_FALSE(cgroup->path().holds("/proc", ::getpid()));
    ::kill(left[0], SIGKILL);
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(RunCgroup, MovesSurvivorsOutBeforeItGoes) {
  auto cgroup = RunCgroup::create(Environment{});
  if (!cgroup) GTEST_SKIP() << "no cgroup can be made here: " << cgroup.error().text();
  const CgroupPath path = cgroup->path();
  ChildSpec spec;
  spec.argv = {"sleep", "20"};
  spec.cgroup_fd = cgroup->fd();
  auto child = launch(spec);
  ASSERT_TRUE(child);
  { const RunCgroup gone = std::move(*cgroup); }
  EXPECT_FALSE(std::filesystem::exists(path.folder));
  EXPECT_FALSE(path.holds("/proc", child->pid()));
  EXPECT_FALSE(child->wait_until(Instant{}).value());
  ASSERT_TRUE(child->send(SIGKILL));
  EXPECT_EQ(child->wait()->signal, SIGKILL);
}

TEST(RunCgroup, RemovesWhatAKilledErgoLeft) {
  auto parent = own_cgroup("/proc");
  if (!parent) GTEST_SKIP() << parent.error().text();
  const auto stale = parent->folder / "ergo-999999999-0";
  std::error_code failure;
  if (!std::filesystem::create_directory(stale, failure))
    GTEST_SKIP() << "no cgroup can be made here";
  auto cgroup = RunCgroup::create(Environment{});
  EXPECT_FALSE(std::filesystem::exists(stale));
}

TEST(RunCgroup, WithoutCgroupsItSaysWhy) {
  Environment environment;
  environment.procfs = "/nonexistent";
  auto cgroup = RunCgroup::create(environment);
  ASSERT_FALSE(cgroup);
  EXPECT_EQ(cgroup.error().code, Errc::not_supported);
}

TEST(RunCgroup, AFailedLaunchIntoAVanishedCgroupFallsBack) {
  auto cgroup = RunCgroup::create(Environment{});
  if (!cgroup) GTEST_SKIP() << "no cgroup can be made here: " << cgroup.error().text();
  std::filesystem::remove(cgroup->path().folder);
  ChildSpec spec;
  spec.argv = {"true"};
  spec.cgroup_fd = cgroup->fd();
  auto child = launch(spec);
  ASSERT_TRUE(child);
  EXPECT_FALSE(child->in_cgroup());
  EXPECT_EQ(child->wait()->exit_code, 0);
}

}  // namespace
}  // namespace ergo::process
