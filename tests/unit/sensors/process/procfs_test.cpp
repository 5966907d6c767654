#include "sensors/process/procfs.hpp"

#include "unit/sensors/process/fake_procfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ergo::process {
namespace {

using testing::UnorderedElementsAre;

TEST(Procfs, AProcessNameMayHoldSpacesAndParentheses) {
  const auto stat = parse_stat(
      "4242 (a ) R 1 (b)) S 17 4242 4242 0 -1 4194304 100 0 0 0 250 50 30 20 20 0 1 0 987654 1000 "
      "200 "
      "18446744073709551615 1 1 0");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 4242);
  EXPECT_EQ(stat->comm, "a ) R 1 (b)");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->ppid, 17);
  EXPECT_EQ(stat->own_ticks, 300U);
  EXPECT_EQ(stat->waited_ticks, 50U);
  EXPECT_EQ(stat->start_ticks, 987654U);
}

TEST(Procfs, DamagedStatFilesAreRefused) {
  for (const char* text : {"", "12", "12 (x", "12 x) S 1", "x (y) S 1 2 3", "12 (x) S 1 2 3 4 5",
                           ")(", "12 (x) S q 2 3 0 -1 4 100 0 0 0 250 50 30 20 20 0 1 0 987654 1",
                           "12 (x) S 1 2 3 0 -1 4 100 0 0 0 250 50 -30 20 20 0 1 0 987654 1"}) {
    EXPECT_FALSE(parse_stat(text)) << text;
  }
}

TEST(Procfs, BusyTimeCountsGuestsOnceAndNeitherIdleNorSteal) {
  //                                   user nice system idle iowait irq softirq steal guest
  //                                   guest_nice
  const auto busy =
      parse_busy_ticks("cpu  1000 200 300 9000 400 50 60 7000 900 100\ncpu0 1 2 3 4\n");
  ASSERT_TRUE(busy);
  EXPECT_EQ(*busy, 1000U + 200 + 300 + 50 + 60);
  for (const char* text :
       {"", "cpu", "cpu 1 2 3 4 5 6", "cpu0 1 2 3 4 5 6 7 8", "cpu a 2 3 4 5 6 7 8"}) {
    EXPECT_FALSE(parse_busy_ticks(text)) << text;
  }
}

TEST(Procfs, MemoryAndIoAreBytes) {
  EXPECT_EQ(*parse_statm("5000 300 200 1 0 100 0\n", 4096), 300U * 4096);
  const auto shares = parse_shares(
      "55d0-7ff rollup\nRss:  900 kB\nPss:     812 kB\nPss_Dirty: 4 kB\nPrivate_Clean: 100 kB\n"
      "Private_Dirty: 23 kB\nPrivate_Hugetlb: 2048 kB\n");
  ASSERT_TRUE(shares);
  EXPECT_EQ(shares->own, (100U + 23U + 2048U) * 1024);
  EXPECT_EQ(*parse_memory_used("MemTotal: 1000 kB\nMemFree: 5 kB\nMemAvailable: 300 kB\n"),
            700U * 1024);
  EXPECT_EQ(shares->proportional, 812U * 1024);
  const auto io = parse_io(
      "rchar: 9\nwchar: 8\nsyscr: 7\nsyscw: 6\nread_bytes: 4096\nwrite_bytes: "
      "8192\ncancelled_write_bytes: 5\n");
  ASSERT_TRUE(io);
  EXPECT_EQ(io->read_bytes, 4096U);
  EXPECT_EQ(io->written_bytes, 8192U);
  EXPECT_FALSE(parse_statm("5000", 4096));
  EXPECT_FALSE(parse_statm("5000 x", 4096));
  EXPECT_FALSE(parse_shares("Rss: 900 kB\n"));
  EXPECT_FALSE(parse_shares("Pss: kB\nPrivate_Clean: 1 kB\nPrivate_Dirty: 1 kB\n"));
  EXPECT_FALSE(parse_shares("Pss: 900 kB\nPrivate_Clean: 1 kB\n"));
  EXPECT_FALSE(parse_memory_used("MemTotal: 1000 kB\n"));
  EXPECT_FALSE(parse_memory_used("MemTotal: 1000 kB\nMemAvailable: 1001 kB\n"));
  EXPECT_FALSE(parse_io("read_bytes: 4096\n"));
}

TEST(Procfs, CgroupUsageIsInMicroseconds) {
  EXPECT_DOUBLE_EQ(parse_cgroup_usage("usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n")->value(),
                   2.5);
  EXPECT_FALSE(parse_cgroup_usage("user_usec 1\n"));
  EXPECT_FALSE(parse_cgroup_usage("usage_usec -1\n"));
}

TEST(Procfs, ChildrenAreFoundWithAndWithoutTheKernelsList) {
  FakeProcfs proc;
  proc.add({.pid = 10, .ppid = 1});
  proc.add({.pid = 11, .ppid = 10});
  proc.add({.pid = 12, .ppid = 10});
  proc.add({.pid = 13, .ppid = 12});
  EXPECT_THAT(children_of(proc.root(), 10), UnorderedElementsAre(11, 12));
  EXPECT_THAT(children_of(proc.root(), 99), UnorderedElementsAre());
  proc.list_children(10, {12});
  EXPECT_THAT(children_of(proc.root(), 10), UnorderedElementsAre(12));
  EXPECT_THAT(all_pids(proc.root()), UnorderedElementsAre(10, 11, 12, 13));
}

TEST(Procfs, TheRealOneKnowsThisProcess) {
  const auto self = read_stat("/proc", ::getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(self->ppid, ::getppid());
  EXPECT_EQ(self->state, 'R');
  const auto siblings = children_of("/proc", ::getppid());
  EXPECT_NE(std::find(siblings.begin(), siblings.end(), ::getpid()), siblings.end());
}

}  // namespace
}  // namespace ergo::process
