// What is taken away while a limit is held: files, the folder, the guardian, a GPU.
#include "control_fixture.hpp"

namespace ergo::control::test {
namespace {

using ::testing::HasSubstr;
using Removed = Control;

TEST_F(Removed, TheGuardianRestoresWithoutTheFileAndWithoutTheFolder) {
  start();
  for (const bool all : {false, true}) {
    Program program(holder("hold", 150.0));
    ASSERT_EQ(program.line(), "set");
    fs::remove_all(all ? environment_.state_dir : run_file());
    program.end(SIGKILL, true);
    for (int i = 0; limit() != 300.0 && i < 10'000; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(limit(), 300.0);
    if (!all) wait_until_free();
  }
}

TEST_F(Removed, WhatWasSavedIsSavedAgain) {
  start();
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  const std::string before = text_of(run_file());
  fs::remove_all(environment_.state_dir);
  EXPECT_EQ((*guard)->check(), std::nullopt) << "the limit held all the while";
  EXPECT_EQ(text_of(run_file()), before);
  ASSERT_EQ((*guard)->warnings().size(), 1U);
  EXPECT_THAT((*guard)->warnings().front(), HasSubstr("saved again"));
  fs::remove_all(environment_.state_dir);
  ASSERT_TRUE((*guard)->change(Watts(200.0)).ok());
  EXPECT_THAT(text_of(run_file()), HasSubstr("found_mw 300000"));
  EXPECT_THAT(text_of(run_file()), HasSubstr("asked_mw 200000"));
  EXPECT_EQ((*guard)->warnings().size(), 1U) << "told once";
  for (const std::string& damaged : {std::string("garbage\n"), std::string()}) {
    write(run_file(), damaged);
    EXPECT_EQ((*guard)->check(), std::nullopt);
    EXPECT_THAT(text_of(run_file()), HasSubstr("found_mw 300000"));
  }
}

TEST_F(Removed, WhatNobodyTouchedIsNotSavedAgain) {
  start();
  for (const double watts : {211.001, 222.123, 233.333, 299.999}) {
    set_from_outside(watts);
    auto guard = set(150.0);
    ASSERT_TRUE(guard.ok());
    EXPECT_EQ((*guard)->check(), std::nullopt);
    EXPECT_THAT((*guard)->warnings(), ::testing::IsEmpty()) << watts;
  }
}

TEST_F(Removed, ARestoreNeedsNoFolder) {
  start();
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok());
  fs::remove_all(environment_.state_dir);
  EXPECT_TRUE((*guard)->restore().ok());
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Removed, WithTheLockGoneAnotherProcessIsRefusedAllTheSame) {
  start();
  Program program(holder("hold", 150.0));
  ASSERT_EQ(program.line(), "set");
  fs::remove_all(environment_.state_dir);
  EXPECT_EQ(program.check(), "unchanged");
  const auto second = set(200.0);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_THAT(second.error().message, HasSubstr("process " + std::to_string(program.pid())));
  const auto report = restore_all(environment_);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->size(), 1U);
  EXPECT_EQ(report->front().outcome, Restored::Outcome::in_use);
  EXPECT_EQ(limit(), 150.0);
  program.close_input();
  program.wait();
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Removed, AGuardianThatIsKilledIsReplaced) {
  start();
  Program program(holder("hold", 150.0));
  ASSERT_EQ(program.line(), "set");
  const int first = guardian_pid();
  ASSERT_GT(first, 0);
  ::kill(first, SIGKILL);
  int second = 0;
  for (int i = 0; (second == 0 || second == first) && i < 5'000; ++i) {
    EXPECT_EQ(program.check(), "unchanged");
    second = guardian_pid();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_GT(second, 0);
  EXPECT_NE(second, first);
  program.end(SIGKILL, true);
  wait_until_free();
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Removed, WithoutAnotherGuardianTheUserIsTold) {
  start();
  const fs::path once = node_->folder.path() / "once";
  fs::create_symlink(ERGO_LIMIT_HOLDER, once);
  options_.guardian = {once.string(), "guardian"};
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  fs::remove(once);
  const int guardian = guardian_pid();
  ASSERT_GT(guardian, 0);
  ::kill(guardian, SIGKILL);
  for (int i = 0; (*guard)->warnings().empty() && i < 5'000; ++i) {
    EXPECT_EQ((*guard)->check(), std::nullopt);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_EQ((*guard)->warnings().size(), 1U);
  EXPECT_THAT((*guard)->warnings().front(), HasSubstr("cannot be started again"));
  EXPECT_THAT((*guard)->warnings().front(), HasSubstr("ergo limits restore"));
  EXPECT_TRUE((*guard)->restore().ok());
  EXPECT_EQ(limit(), 300.0);
}

class RemovedOfTwo : public Control {
 protected:
  void SetUp() override {
    auto options = sim::test::one_gpu("v100");
    options.gpus.push_back(options.gpus.front());
    start(options);
  }
  void lose(std::size_t gpu) {
    sim::Faults gone;
    gone.lost_at_ns = 0;
    set_faults(gone, gpu);
  }
};

TEST_F(RemovedOfTwo, AGpuThatVanishesDoesNotKeepTheOtherOneFromComingBack) {
  for (const bool killed : {false, true}) {
    Program program({ERGO_LIMIT_HOLDER, "hold", "150", uuid(0), uuid(1)});
    ASSERT_EQ(program.line(), "set");
    lose(0);
    EXPECT_NE(program.check(), "unchanged");
    if (killed) {
      program.end(SIGKILL, true);
    } else {
      program.close_input();
      EXPECT_NE(program.wait(), 0);
    }
    wait_until_free();
    EXPECT_EQ(limit(1), 300.0);
    EXPECT_FALSE(fs::exists(run_file(1)));
    EXPECT_TRUE(fs::exists(run_file(0)));
    set_faults({}, 0);
    EXPECT_EQ(limit(0), 150.0);
    ASSERT_EQ(left_over(environment_, Seconds(0.0)).size(), 1U);
    ASSERT_TRUE(restore_all(environment_).ok());
    EXPECT_EQ(limit(0), 300.0);
  }
}

TEST_F(RemovedOfTwo, ALimitIsKeptOnAllGpusOrOnNone) {
  const std::vector both{uuid(0), uuid(1)};
  ASSERT_TRUE(keep_power_limit(environment_, std::vector{uuid(0)}, Watts(250.0)).ok());
  fs::create_directories(kept_file(1));  // where the limit found cannot be written
  const auto kept = keep_power_limit(environment_, both, Watts(200.0));
  ASSERT_FALSE(kept.ok());
  EXPECT_EQ(limit(0), 250.0) << "as before this command";
  EXPECT_EQ(limit(1), 300.0);
  fs::remove(kept_file(1));
  EXPECT_THAT(text_of(kept_file(0)), HasSubstr("asked_mw 250000"));
  ASSERT_TRUE(restore_all(environment_).ok());
  EXPECT_EQ(limit(0), 300.0);
}

}  // namespace
}  // namespace ergo::control::test
