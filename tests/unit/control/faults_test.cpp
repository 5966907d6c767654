// What can go wrong around a limit: nothing is written, or it is noticed and put right.
#include "control_fixture.hpp"

namespace ergo::control::test {
namespace {

using ::testing::HasSubstr;
using Faults = Control;

TEST_F(Faults, ALimitThatTheDriverClampsIsReported) {
  auto options = sim::test::one_gpu("v100");
  options.clamp_limits = true;
  start(options);
  use_odd_nvml();
  auto guard = set(50.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  EXPECT_EQ((*guard)->changes().front().set, Watts(150.0));
  const auto problem = (*guard)->check();
  ASSERT_TRUE(problem.has_value());
  EXPECT_THAT(*problem, HasSubstr("50 W was asked, but the driver set 150 W"));
  EXPECT_TRUE((*guard)->restore().ok());
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Faults, AnotherLimiterIsReported) {
  start();
  sim::Faults faults;
  faults.external_limit_mw = 120'000;
  set_faults(faults);
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  EXPECT_EQ((*guard)->enforced(), Watts(120.0));
  EXPECT_THAT((*guard)->check().value_or(""), HasSubstr("another limiter enforces 120 W"));
}

TEST_F(Faults, AnotherProgramThatChangesTheLimitIsNoticed) {
  start();
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok());
  EXPECT_EQ((*guard)->check(), std::nullopt);
  set_from_outside(210.0);
  const auto problem = (*guard)->check();
  EXPECT_THAT(problem.value_or(""), HasSubstr("changed the power limit from 150 W to 210 W"));
  set_from_outside(150.0);
  EXPECT_EQ((*guard)->check(), problem) << "once seen, it stays so";
  EXPECT_TRUE((*guard)->restore().ok());
  EXPECT_EQ(limit(), 300.0) << "the limit found";
}

TEST_F(Faults, ALimiterThatComesDuringTheRunIsNoticed) {
  start();
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok());
  sim::Faults faults;
  faults.external_limit_mw = 120'000;
  set_faults(faults);
  EXPECT_THAT((*guard)->check().value_or(""), HasSubstr("went from 150 W to 120 W"));
}

TEST_F(Faults, WithoutPermissionTheErrorSaysHowToGetIt) {
  auto options = sim::test::one_gpu("v100");
  options.permission = sim::Permission::denied;
  start(options);
  const auto guard = set(150.0);
  ASSERT_FALSE(guard.ok());
  EXPECT_EQ(guard.error().code, Errc::permission);
  EXPECT_THAT(guard.error().remedy, HasSubstr(::geteuid() == 0 ? "SYS_ADMIN" : "sudo ergo"));
  EXPECT_FALSE(fs::exists(run_file()));
  const auto kept = keep_power_limit(environment_, std::vector{uuid()}, Watts(150.0));
  ASSERT_FALSE(kept.ok());
  EXPECT_EQ(kept.error().code, Errc::permission);
  EXPECT_FALSE(fs::exists(kept_file()));
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Faults, AStateFolderThatCannotBeWrittenStopsEverything) {
  start();
  environment_.state_dir = "/proc/ergo-limits";
  const auto guard = set(150.0);
  ASSERT_FALSE(guard.ok());
  EXPECT_THAT(guard.error().remedy, HasSubstr("ERGO_STATE_DIR"));
  EXPECT_FALSE(keep_power_limit(environment_, std::vector{uuid()}, Watts(150.0)).ok());
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Faults, AStateFolderThatOthersCanWriteIsNotTrusted) {
  start();
  fs::create_directories(environment_.state_dir);
  fs::permissions(environment_.state_dir, fs::perms::all);
  const auto guard = set(150.0);
  ASSERT_FALSE(guard.ok());
  EXPECT_EQ(guard.error().code, Errc::permission);
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Faults, AFullDiskStopsEverything) {
  start();
  for (const char* bytes : {"4", "64"}) {  // too small for the lock; for the saved limit
    ::setenv("FILE_SIZE", bytes, 1);
    Program program(holder("hold", 150.0));
    EXPECT_THAT(program.line(), HasSubstr("cannot write"));
    program.wait();
    EXPECT_EQ(limit(), 300.0);
    EXPECT_FALSE(fs::exists(run_file()));
  }
}

TEST_F(Faults, WithoutAGuardianNothingIsWritten) {
  start();
  for (const std::string program : {"/nonexistent/guardian", "/bin/false", "no-such-guardian"}) {
    options_.guardian = {program};
    const auto guard = set(150.0);
    ASSERT_FALSE(guard.ok());
    EXPECT_THAT(guard.error().message, HasSubstr("watches over"));
    EXPECT_EQ(limit(), 300.0);
    EXPECT_FALSE(fs::exists(run_file()));
  }
}

TEST_F(Faults, AGpuThatIsGoneAtTheEndLeavesItsFileAndTheCommandToRunLater) {
  start();
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok());
  sim::Faults gone;
  gone.lost_at_ns = 0;
  set_faults(gone);
  EXPECT_TRUE((*guard)->check().has_value());
  const auto restored = (*guard)->restore();
  ASSERT_FALSE(restored.ok());
  EXPECT_EQ(restored.error().code, Errc::lost);
  EXPECT_THAT(restored.error().message, HasSubstr("not back at 300 W"));
  EXPECT_THAT(restored.error().remedy, HasSubstr("ergo limits restore"));
  wait_until_free();
  ASSERT_TRUE(fs::exists(run_file()));
  auto report = restore_all(environment_);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->front().outcome, Restored::Outcome::failed);
  EXPECT_TRUE(fs::exists(run_file()));

  set_faults({});
  report = restore_all(environment_);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->front().outcome, Restored::Outcome::restored);
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(Faults, AnUnknownGpuIsNotFound) {
  start();
  const auto unknown = set_power_limit(environment_, std::vector<std::string>{"GPU-unknown"},
                                       Watts(150.0), options_);
  ASSERT_FALSE(unknown.ok());
  const auto mig =
      set_power_limit(environment_, std::vector<std::string>{"MIG-1"}, Watts(150.0), options_);
  ASSERT_FALSE(mig.ok());
  EXPECT_THAT(mig.error().message, HasSubstr("only a whole GPU"));
  const auto none =
      set_power_limit(environment_, std::vector<std::string>{}, Watts(150.0), options_);
  EXPECT_FALSE(none.ok());
}

TEST_F(Faults, AfterAPowerLossTheSavedLimitIsDroppedSinceTheDriverHasResetIt) {
  start();
  std::string saved;
  {
    ASSERT_TRUE(keep_power_limit(environment_, std::vector{uuid()}, Watts(150.0)).ok());
    saved = text_of(kept_file());
  }
  const std::size_t boot = saved.find("boot ");
  saved.replace(boot, saved.find('\n', boot) - boot, "boot 00000000-0000-0000-0000-000000000000");
  write(kept_file(), saved);
  std::string run = saved;
  run.replace(run.find("kind kept"), 9, "kind run");
  write(run_file(), run);
  set_from_outside(275.0);  // what somebody's boot script wants
  const auto report = restore_all(environment_);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->size(), 2U);
  for (const Restored& one : *report)
    EXPECT_EQ(one.outcome, Restored::Outcome::discarded);
  EXPECT_EQ(limit(), 275.0);
  EXPECT_FALSE(fs::exists(kept_file()));

  write(run_file(), run);
  const auto guard = set(150.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  EXPECT_EQ((*guard)->changes().front().found, Watts(275.0));
}

TEST_F(Faults, WhatRootSavedIsSeenByOthersAndLeftToRoot) {
  start();
  ASSERT_TRUE(keep_power_limit(environment_, std::vector{uuid()}, Watts(150.0)).ok());
  Environment other = environment_;
  other.roots_state_dir = environment_.state_dir;
  other.state_dir = environment_.state_dir / "of-another-user";
  const auto overview = list(other, {});
  ASSERT_TRUE(overview.ok());
  ASSERT_EQ(overview->saved.size(), 1U);
  EXPECT_TRUE(overview->saved.front().of_root);
  EXPECT_EQ(overview->saved.front().saved.found, Watts(300.0));
  const auto report = restore_all(other);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->size(), 1U) << "not 'nothing was saved'";
  EXPECT_EQ(report->front().outcome, Restored::Outcome::failed);
  EXPECT_EQ(report->front().error->remedy, "sudo ergo limits restore");
  EXPECT_EQ(limit(), 150.0);
}

TEST_F(Faults, ADamagedFileIsReportedAndNothingIsWritten) {
  start();
  std::string saved;
  {
    const auto guard = set(150.0);
    ASSERT_TRUE(guard.ok());
    saved = text_of(run_file());
  }
  for (const std::string& text :
       {std::string(), std::string("garbage\n"), saved.substr(0, saved.size() / 2)}) {
    write(run_file(), text);
    const auto guard = set(150.0);
    ASSERT_FALSE(guard.ok());
    EXPECT_EQ(guard.error().code, Errc::corrupt);
    const auto report = restore_all(environment_);
    ASSERT_TRUE(report.ok());
    ASSERT_EQ(report->size(), 1U);
    EXPECT_EQ(report->front().outcome, Restored::Outcome::failed);
    EXPECT_EQ(list(environment_, {})->warnings.size(), 1U);
    EXPECT_EQ(limit(), 300.0);
  }
}

}  // namespace
}  // namespace ergo::control::test
