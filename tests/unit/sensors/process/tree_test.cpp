#include "sensors/process/tree.hpp"

#include "ergo/experiment/child.hpp"
#include "unit/sensors/process/fake_procfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace ergo::process {
namespace {

using testing::UnorderedElementsAre;

std::vector<int> pids(const std::vector<Stat>& stats) {
  std::vector<int> out;
  for (const Stat& stat : stats)
    out.push_back(stat.pid);
  return out;
}

TEST(ProcessTree, HoldsDescendantsAndNobodyElse) {
  FakeProcfs proc;
  proc.add({.pid = 1, .ppid = 0});
  proc.add({.pid = 10, .ppid = 1});
  ProcessTree tree(10, proc.environment());
  proc.add({.pid = 11, .ppid = 10});
  proc.add({.pid = 12, .ppid = 11});
  proc.add({.pid = 20, .ppid = 1});
  EXPECT_TRUE(tree.contains(10));
  EXPECT_TRUE(tree.contains(12));
  EXPECT_FALSE(tree.contains(20));
  EXPECT_FALSE(tree.contains(1));
  EXPECT_FALSE(tree.contains(4711));
  EXPECT_THAT(pids(tree.members()), UnorderedElementsAre(10, 11, 12));
}

TEST(ProcessTree, AMemberThatLosesItsParentStaysAMember) {
  FakeProcfs proc;
  proc.add({.pid = 10, .ppid = 1});
  ProcessTree tree(10, proc.environment());
  proc.add({.pid = 11, .ppid = 10});
  EXPECT_TRUE(tree.contains(11));
  proc.remove(10);
  proc.add({.pid = 11, .ppid = 1});
  proc.add({.pid = 12, .ppid = 11});
  EXPECT_TRUE(tree.contains(11));
  EXPECT_TRUE(tree.contains(12));
  EXPECT_THAT(pids(tree.members()), UnorderedElementsAre(11, 12));
}

TEST(ProcessTree, AReusedPidIsNoMember) {
  FakeProcfs proc;
  proc.add({.pid = 10, .ppid = 1, .start_ticks = 1000});
  ProcessTree tree(10, proc.environment());
  proc.add({.pid = 11, .ppid = 10, .start_ticks = 1001});
  EXPECT_TRUE(tree.contains(11));
  proc.add({.pid = 11, .ppid = 1, .start_ticks = 2000});
  EXPECT_FALSE(tree.contains(11));
  proc.add({.pid = 10, .ppid = 1, .start_ticks = 3000});
  EXPECT_FALSE(tree.contains(10));
  EXPECT_THAT(pids(tree.members()), UnorderedElementsAre());
}

TEST(ProcessTree, OrphansTakenInByTheReaperAreMembersItsOwnChildrenAreNot) {
  FakeProcfs proc;
  proc.add({.pid = 5, .ppid = 1});
  proc.add({.pid = 6, .ppid = 5, .start_ticks = 1500});
  proc.add({.pid = 10, .ppid = 5, .start_ticks = 1000});
  ProcessTree tree(10, proc.environment(), {.reaper = 5, .cgroup = {}});
  proc.add({.pid = 11, .ppid = 5, .start_ticks = 1001});
  proc.add({.pid = 12, .ppid = 11, .start_ticks = 1002});
  EXPECT_TRUE(tree.contains(12));
  EXPECT_FALSE(tree.contains(6));
  EXPECT_FALSE(tree.contains(5));
  EXPECT_THAT(pids(tree.members()), UnorderedElementsAre(10, 11, 12));
}

TEST(ProcessTree, ACircleInProcEndsTheSearch) {
  FakeProcfs proc;
  proc.add({.pid = 10, .ppid = 1});
  ProcessTree tree(10, proc.environment());
  proc.add({.pid = 21, .ppid = 22});
  proc.add({.pid = 22, .ppid = 21});
  EXPECT_FALSE(tree.contains(21));
}

TEST(ProcessTree, DamagedFilesAreNoMembers) {
  FakeProcfs proc;
  proc.add({.pid = 10, .ppid = 1});
  ProcessTree tree(10, proc.environment());
  proc.add({.pid = 11, .ppid = 10});
  proc.write(11, "stat", "garbage");
  EXPECT_FALSE(tree.contains(11));
  EXPECT_THAT(pids(tree.members()), UnorderedElementsAre(10));
}

TEST(ProcessTree, FindsTheRealDaemonOfARealCommand) {
  std::shared_ptr<ProcessTree> tree;
  ChildSpec spec;
  spec.argv = {ERGO_CHILD_HELPER, "daemonise"};
  spec.adopt_orphans = true;
  spec.before_exec = [&](int pid) -> Result<void> {
    tree = std::make_shared<ProcessTree>(pid, Environment{}, TreeOptions{::getpid(), {}});
    return {};
  };
  auto child = launch(spec);
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait()->exit_code, 0);
  const auto survivors = child->survivors();
  child->reap();
  ASSERT_EQ(survivors.size(), 1U);
  EXPECT_TRUE(tree->contains(survivors[0].pid));
  EXPECT_FALSE(tree->contains(::getpid()));
  EXPECT_THAT(pids(tree->members()), UnorderedElementsAre(survivors[0].pid));
  ::kill(survivors[0].pid, SIGKILL);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace
}  // namespace ergo::process
