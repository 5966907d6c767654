// Every way to die between save and restore leaves the limit found.
#include "control_fixture.hpp"

#include <random>

namespace ergo::control::test {
namespace {

using Death = Control;

TEST_F(Death, TwoHundredRandomKillsLeaveTheLimitFound) {
  start();
  set_from_outside(250.0);
  constexpr int kills = 200;
  constexpr std::array signals{SIGKILL, SIGKILL, SIGKILL, SIGTERM, SIGINT, SIGHUP};
  std::mt19937 random(20261125);
  int while_set = 0;
  for (int i = 0; i < kills; ++i) {
    Program program(holder("cycle", 150.0));
    // One half dies on the way to the first limit, the other somewhere in later rounds.
    if (i % 2 == 0) {
      ASSERT_EQ(program.line(), "set");
    }
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::uniform_int_distribution(0, 12'000)(random)));
    // Every fifth dies for certain while the limit is set, however fast this machine is.
    for (int tries = 0; i % 5 == 0 && limit() != 150.0 && tries < 100'000; ++tries)
      std::this_thread::yield();
    if (limit() == 150.0) ++while_set;
    program.end(signals[random() % signals.size()], random() % 2 == 0);
    wait_until_free();
    ASSERT_EQ(limit(), 250.0) << "after kill " << i;
  }
  EXPECT_GE(while_set, kills / 10) << "hardly any kill met a limit that was set";
  // Whatever was left on disk by those that died before their first write is put right.
  ASSERT_TRUE(restore_all(environment_).ok());
  EXPECT_EQ(limit(), 250.0);
  EXPECT_FALSE(fs::exists(run_file()));
}

TEST_F(Death, AKilledProcessIsFollowedByItsGuardian) {
  start();
  Program program(holder("hold", 150.0));
  ASSERT_EQ(program.line(), "set");
  ASSERT_EQ(limit(), 150.0);
  program.end(SIGKILL, true);
  wait_until_free();
  EXPECT_EQ(limit(), 300.0);
  EXPECT_FALSE(fs::exists(run_file()));
}

TEST_F(Death, ANormalEndLeavesNothing) {
  start();
  Program program(holder("hold", 150.0));
  ASSERT_EQ(program.line(), "set");
  program.close_input();
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(limit(), 300.0);
  EXPECT_FALSE(fs::exists(run_file()));
}

TEST_F(Death, TheGuardianGoesOnWhenItIsAskedToEnd) {
  start();
  Program program(holder("hold", 150.0));
  ASSERT_EQ(program.line(), "set");
  const int guardian = guardian_pid();
  ASSERT_GT(guardian, 0);
  EXPECT_EQ(text_of("/proc/" + std::to_string(guardian) + "/comm"), "limit-guardian\n");
  EXPECT_EQ(::getsid(guardian) == ::getsid(0), false);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    ::kill(guardian, signal);
  program.end(SIGKILL, false);
  wait_until_free();
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Death, AProcessThatWasStoppedForLongIsFollowedToo) {
  start();
  Program program(holder("hold", 150.0));
  ASSERT_EQ(program.line(), "set");
  ::kill(program.pid(), SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(limit(), 150.0) << "it lives, and may go on";
  program.end(SIGKILL, false);
  wait_until_free();
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Death, AnExceptionRestores) {
  start();
  EXPECT_THROW(
      {
        const auto guard = set(150.0);
        ASSERT_TRUE(guard.ok()) << guard.error().text();
        EXPECT_EQ(limit(), 150.0);
        throw std::runtime_error("a bug");
      },
      std::runtime_error);
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Death, ASecondProcessIsRefusedWithThePidOfTheFirst) {
  start();
  Program program(holder("hold", 150.0));
  ASSERT_EQ(program.line(), "set");
  const auto second = set(200.0);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_THAT(second.error().message,
              ::testing::HasSubstr("process " + std::to_string(program.pid())));
  EXPECT_EQ(limit(), 150.0);
  const auto kept = keep_power_limit(environment_, std::vector{uuid()}, Watts(200.0));
  ASSERT_FALSE(kept.ok());
  EXPECT_EQ(kept.error().code, Errc::busy);
  const auto report = restore_all(environment_);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->size(), 1U);
  EXPECT_EQ(report->front().outcome, Restored::Outcome::in_use);
  EXPECT_EQ(limit(), 150.0);
}

TEST_F(Death, TheNextProcessWaitsForTheGuardianOfADeadOne) {
  start();
  Program program(holder("hold", 150.0));
  ASSERT_EQ(program.line(), "set");
  program.end(SIGKILL, true);
  const auto guard = set(200.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  EXPECT_EQ((*guard)->changes().front().found, Watts(300.0));
  EXPECT_EQ(limit(), 200.0);
}

TEST_F(Death, WhenTheGuardianDiesTooTheNextRunPutsItRight) {
  start();
  std::string saved;
  {
    const auto guard = set(150.0);
    ASSERT_TRUE(guard.ok()) << guard.error().text();
    saved = text_of(run_file());
  }
  // What both would leave: the limit, and the file of a process that is no more.
  const std::size_t pid = saved.find("pid ");
  saved.replace(pid, saved.find('\n', pid) - pid, "pid 2147483647");
  write(run_file(), saved);
  set_from_outside(150.0);

  const auto guard = set(200.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  EXPECT_EQ((*guard)->changes().front().found, Watts(300.0));
  ASSERT_EQ((*guard)->warnings().size(), 1U);
  EXPECT_THAT((*guard)->warnings().front(), ::testing::HasSubstr("died and left 150 W"));
  ASSERT_TRUE((*guard)->restore().ok());
  EXPECT_EQ(limit(), 300.0);
}

}  // namespace
}  // namespace ergo::control::test
