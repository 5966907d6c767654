#include "control_fixture.hpp"

namespace ergo::control::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using PowerLimit = Control;

sim::NodeOptions two_gpus() {
  auto options = sim::test::one_gpu("v100");
  options.gpus.push_back(options.gpus.front());
  options.gpus.back().preset = "a100";  // 400 W, from 100 W
  return options;
}

TEST_F(PowerLimit, IsSetVerifiedAndRestored) {
  start();
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  EXPECT_EQ(limit(), 150.0);
  const LimitChange& change = (*guard)->changes().at(0);
  EXPECT_EQ(change.found, Watts(300.0));
  EXPECT_EQ(change.set, Watts(150.0));
  EXPECT_EQ((*guard)->enforced(), Watts(150.0));
  EXPECT_EQ((*guard)->check(), std::nullopt);
  EXPECT_THAT((*guard)->warnings(), IsEmpty());
  EXPECT_THAT(text_of(run_file()), HasSubstr("found_mw 300000"));
  EXPECT_TRUE((*guard)->restore().ok());
  EXPECT_EQ(limit(), 300.0);
  EXPECT_FALSE(fs::exists(run_file()));
  EXPECT_TRUE((*guard)->restore().ok()) << "a second time does nothing";
}

TEST_F(PowerLimit, WhatIsFoundIsRestoredNotTheDefault) {
  start();
  set_from_outside(222.0);
  { ASSERT_TRUE(set(150.0).ok()); }
  EXPECT_EQ(limit(), 222.0);
}

TEST_F(PowerLimit, IsOnDiskBeforeTheFirstWrite) {
  start();
  use_odd_nvml();
  ::setenv("ODD_NVML_NEEDS", run_file().c_str(), 1);
  const auto guard = set(150.0);
  ASSERT_TRUE(guard.ok()) << guard.error().text();
  EXPECT_EQ(limit(), 150.0);
}

TEST_F(PowerLimit, RoundAfterRoundWorks) {
  start();
  for (const double watts : {150.0, 200.0, 250.5}) {
    const auto guard = set(watts);
    ASSERT_TRUE(guard.ok()) << guard.error().text();
    EXPECT_EQ(limit(), watts);
  }
  EXPECT_EQ(limit(), 300.0);
}

TEST_F(PowerLimit, CanBeChangedWhileItIsHeld) {
  start();
  {
    auto guard = set(300.0);
    ASSERT_TRUE(guard.ok()) << guard.error().text();
    for (const double watts : {150.0, 250.5, 180.0}) {
      ASSERT_TRUE((*guard)->change(Watts(watts)).ok());
      EXPECT_EQ(limit(), watts);
      EXPECT_EQ((*guard)->enforced(), Watts(watts));
      EXPECT_EQ((*guard)->check(), std::nullopt);
      EXPECT_THAT(text_of(run_file()), HasSubstr("found_mw 300000"));
    }
    EXPECT_FALSE((*guard)->change(Watts(50.0)).ok());
    EXPECT_EQ(limit(), 180.0);
  }
  EXPECT_EQ(limit(), 300.0);
  EXPECT_FALSE(fs::exists(run_file()));
}

TEST_F(PowerLimit, AChangeDoesNotHideWhatAnotherProgramDid) {
  start();
  auto guard = set(200.0);
  ASSERT_TRUE(guard.ok());
  set_from_outside(222.0);
  ASSERT_TRUE((*guard)->change(Watts(180.0)).ok());
  EXPECT_EQ(limit(), 180.0);
  ASSERT_TRUE((*guard)->check());
  EXPECT_THAT(*(*guard)->check(), HasSubstr("222"));
}

TEST_F(PowerLimit, OutsideTheRangeIsRefusedWithTheRange) {
  start();
  for (const double watts : {149.0, 301.0, 0.0, -5.0, 1e300, std::nan("")}) {
    const auto guard = set(watts);
    ASSERT_FALSE(guard.ok()) << watts;
    EXPECT_EQ(guard.error().code, Errc::invalid_argument);
    EXPECT_THAT(guard.error().remedy, HasSubstr("150 to 300 W"));
  }
  EXPECT_FALSE(fs::exists(environment_.state_dir));
}

TEST_F(PowerLimit, OfSeveralGpusIsSetOnAllOrNone) {
  start(two_gpus());
  const std::vector both{uuid(0), uuid(1)};
  {
    const auto guard = set_power_limit(environment_, both, Watts(150.0), options_);
    ASSERT_TRUE(guard.ok()) << guard.error().text();
    EXPECT_EQ(limit(0), 150.0);
    EXPECT_EQ(limit(1), 150.0);
  }
  EXPECT_EQ(limit(0), 300.0);
  EXPECT_EQ(limit(1), 400.0);
  sim::Faults mig;
  mig.mig = 1;
  set_faults(mig, 1);
  const auto guard = set_power_limit(environment_, both, Watts(150.0), options_);
  ASSERT_FALSE(guard.ok());
  EXPECT_EQ(guard.error().code, Errc::not_supported);
  EXPECT_THAT(guard.error().message, HasSubstr("MIG"));
  EXPECT_EQ(limit(0), 300.0);
}

TEST_F(PowerLimit, LeavesOtherGpusAlone) {
  start(two_gpus());
  const auto guard = set(150.0);
  ASSERT_TRUE(guard.ok());
  EXPECT_EQ(limit(1), 400.0);
  // Another process may work with the other one.
  const auto other = set_power_limit(environment_, std::vector{uuid(1)}, Watts(200.0), options_);
  ASSERT_TRUE(other.ok()) << other.error().text();
}

TEST_F(PowerLimit, APlanWritesNothing) {
  start();
  const auto plan = plan_power_limit(environment_, std::vector{uuid()}, Watts(150.0));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->front().found, Watts(300.0));
  EXPECT_EQ(limit(), 300.0);
  EXPECT_FALSE(fs::exists(environment_.state_dir));
  EXPECT_FALSE(plan_power_limit(environment_, std::vector{uuid()}, Watts(50.0)).ok());
}

TEST_F(PowerLimit, ThatIsKeptOutlivesTheProcessUntilItIsRestored) {
  start();
  ASSERT_TRUE(keep_power_limit(environment_, std::vector{uuid()}, Watts(200.0)).ok());
  ASSERT_TRUE(keep_power_limit(environment_, std::vector{uuid()}, Watts(180.0)).ok());
  EXPECT_EQ(limit(), 180.0);
  {
    const auto guard = set(150.0);
    ASSERT_TRUE(guard.ok()) << guard.error().text();
    EXPECT_EQ((*guard)->changes().front().found, Watts(180.0));
  }
  EXPECT_EQ(limit(), 180.0);
  const auto planned = restore_all(environment_, true);
  ASSERT_TRUE(planned.ok());
  ASSERT_EQ(planned->size(), 1U);
  EXPECT_EQ(limit(), 180.0) << "a dry run";
  EXPECT_TRUE(fs::exists(kept_file()));
  const auto report = restore_all(environment_);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->size(), 1U);
  EXPECT_EQ(report->front().outcome, Restored::Outcome::restored);
  EXPECT_EQ(limit(), 300.0) << "the first limit found";
  EXPECT_FALSE(fs::exists(kept_file()));
  EXPECT_THAT(*restore_all(environment_), IsEmpty());
}

TEST_F(PowerLimit, TheOverviewShowsRangeAndSavedLimits) {
  start();
  const auto before = list(environment_, {});
  ASSERT_TRUE(before.ok());
  ASSERT_EQ(before->gpus.size(), 1U);
  EXPECT_EQ(before->gpus[0].uuid, uuid());
  EXPECT_EQ(before->gpus[0].min, Watts(150.0));
  EXPECT_EQ(before->gpus[0].max, Watts(300.0));
  EXPECT_EQ(before->gpus[0].standard, Watts(300.0));
  EXPECT_TRUE(before->gpus[0].simulated);
  EXPECT_THAT(before->saved, IsEmpty());
  const auto guard = set(150.0);
  const auto during = list(environment_, {});
  ASSERT_TRUE(during.ok());
  EXPECT_EQ(during->gpus[0].enforced, Watts(150.0));
  ASSERT_EQ(during->saved.size(), 1U);
  EXPECT_TRUE(during->saved[0].owner_alive);
  EXPECT_EQ(during->saved[0].saved.pid, ::getpid());
}

}  // namespace
}  // namespace ergo::control::test
