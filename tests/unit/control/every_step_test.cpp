// A death before every single system call between the first look at the state folder and the end.
#include "control_fixture.hpp"
#include "traced.hpp"

namespace ergo::control::test {
namespace {

/// Two GPUs of which each was found under a limit of its own; a program sets a limit on both,
/// changes it, and puts them back.
class EveryStep : public Control {
 protected:
  void SetUp() override {
    auto options = sim::test::one_gpu("v100");
    options.gpus.push_back(options.gpus.front());
    start(options);
    ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);  // its leak check cannot be traced
    Traced program(words());
    if (!program.allowed()) GTEST_SKIP() << "this machine does not allow ptrace";
    find_limits();
    steps_ = 0;
    program.run_until([&] {
      if (fs::exists(environment_.state_dir)) ++steps_;
      return false;
    });
    ASSERT_EQ(program.status(), 0);
    ASSERT_GT(steps_, 50);
    // Together the tests see each step of a plain build; a sanitizer makes more calls.
    constexpr int most = 50;
    stride_ = steps_ / most + 1;
  }
  void TearDown() override { ::unsetenv("ASAN_OPTIONS"); }

  std::vector<std::string> words() { return {ERGO_LIMIT_HOLDER, "once", "150", uuid(0), uuid(1)}; }
  void find_limits() {
    set_from_outside(250.0, 0);
    set_from_outside(275.0, 1);
  }
  [[nodiscard]] bool found_again() { return limit(0) == 250.0 && limit(1) == 275.0; }

  /// `then` has the program, stopped, some calls further every time. It may hold the simulated
  /// node's lock: nobody else looks at the node before it is dead or goes on.
  void at_each_step(int first, const std::function<void(Traced&)>& then) {
    for (int step = first; step <= steps_; step += stride_) {
      fs::remove_all(environment_.state_dir);
      find_limits();
      Traced program(words());
      int seen = 0;
      const bool stopped =
          program.run_until([&] { return fs::exists(environment_.state_dir) && ++seen == step; });
      if (!stopped) break;  // the count differs by a few
      then(program);
      if (HasFatalFailure()) FAIL() << "step " << step << " of " << steps_;
    }
  }

  int steps_ = 0;
  int stride_ = 1;
};

TEST_F(EveryStep, AKilledErgoIsFollowedByItsGuardian) {
  at_each_step(1, [&](Traced& program) {
    program.kill_first();
    ASSERT_TRUE(found_again()) << limit(0) << " and " << limit(1);
    const auto report = restore_all(environment_);
    ASSERT_TRUE(report.ok());
    for (const Restored& one : *report)
      ASSERT_EQ(one.outcome, Restored::Outcome::restored);
    ASSERT_TRUE(found_again());
    ASSERT_FALSE(fs::exists(run_file(0)) || fs::exists(run_file(1)));
  });
}

TEST_F(EveryStep, WhenAllIsKilledAtOnceWhatIsLeftIsToldAndPutBack) {
  int set = 0;
  at_each_step(2, [&](Traced& program) {
    program.kill_all();
    const bool harmless = found_again();
    set += harmless ? 0 : 1;
    const auto left = left_over(environment_, Seconds(0.0));
    ASSERT_TRUE(harmless || !left.empty()) << "nothing tells of " << limit(0) << " " << limit(1);
    ASSERT_TRUE(restore_all(environment_).ok());
    ASSERT_TRUE(found_again()) << limit(0) << " and " << limit(1);
    ASSERT_FALSE(fs::exists(run_file(0)) || fs::exists(run_file(1)));
  });
  EXPECT_GT(set, 5) << "hardly any death met a limit that was set";
}

TEST_F(EveryStep, WhenTheGuardianIsKilledErgoPutsBackAllTheSame) {
  at_each_step(3, [&](Traced& program) {
    program.kill_rest();
    program.finish();
    ASSERT_TRUE(found_again()) << limit(0) << " and " << limit(1);
    ASSERT_FALSE(fs::exists(run_file(0)) || fs::exists(run_file(1)));
  });
}

}  // namespace
}  // namespace ergo::control::test
