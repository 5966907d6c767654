#include "ergo/experiment/child.hpp"

#include "ergo/core/files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

namespace ergo {
namespace {

using namespace literals;

ChildSpec command(std::vector<std::string> argv) {
  ChildSpec spec;
  spec.argv = std::move(argv);
  return spec;
}

ChildSpec shell(const std::string& script) {
  return command({"/bin/sh", "-c", script});
}

ChildEnd run(const ChildSpec& spec) {
  auto child = launch(spec);
  EXPECT_TRUE(child) << child.error().text();
  auto end = child->wait();
  EXPECT_TRUE(end);
  return *end;
}

int failed_launch(const ChildSpec& spec) {
  auto child = launch(spec);
  EXPECT_FALSE(child);
  return child ? -1 : exit_code_of_failed_launch(child.error());
}

bool has_unreaped_child() {
  return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD;
}

TEST(Child, ExitCodesComeThrough) {
  EXPECT_EQ(run(command({"true"})).exit_code, 0);
  EXPECT_EQ(run(shell("exit 3")).exit_code, 3);
  EXPECT_EQ(run(shell("exit 255")).exit_code, 255);
  EXPECT_FALSE(run(shell("exit 137")).signal);
}

TEST(Child, ASignalledChildGives128PlusItsNumber) {
  const ChildEnd killed = run(shell("kill -KILL $$"));
  EXPECT_EQ(killed.exit_code, 128 + SIGKILL);
  EXPECT_EQ(killed.signal, SIGKILL);
  EXPECT_EQ(run(shell("kill -TERM $$")).exit_code, 128 + SIGTERM);
}

TEST(Child, AnUnknownCommandGives127AndSaysSo) {
  EXPECT_EQ(failed_launch(command({"ergo-no-such-command"})), 127);
  EXPECT_EQ(failed_launch(command({"./ergo-no-such-file"})), 127);
  EXPECT_EQ(failed_launch(command({""})), 127);
  auto child = launch(command({"ergo-no-such-command"}));
  ASSERT_FALSE(child);
  EXPECT_NE(child.error().message.find("ergo-no-such-command"), std::string::npos);
  EXPECT_FALSE(has_unreaped_child());
}

TEST(Child, WhatCannotBeExecutedGives126) {
  auto folder = TemporaryFolder::create("child");
  ASSERT_TRUE(folder);
  const auto plain = folder->path() / "plain";
  std::ofstream(plain) << "#!/bin/sh\nexit 0\n";
  EXPECT_EQ(failed_launch(command({plain})), 126);
  EXPECT_EQ(failed_launch(command({folder->path()})), 126);
  const auto orphan = folder->path() / "orphan";
  std::ofstream(orphan) << "#!/no/such/interpreter\n";
  ::chmod(orphan.c_str(), 0755);
  EXPECT_EQ(failed_launch(command({orphan})), 126);
}

TEST(Child, NoCommandIsErgosOwnError) {
  EXPECT_EQ(failed_launch(ChildSpec{}), 125);
}

TEST(Child, AScriptWithoutFirstLineRunsInTheShell) {
  auto folder = TemporaryFolder::create("child");
  ASSERT_TRUE(folder);
  const auto script = folder->path() / "script";
  std::ofstream(script) << "test \"$1\" = 'a b' && exit 5\n";
  ::chmod(script.c_str(), 0755);
  EXPECT_EQ(run(command({script, "a b"})).exit_code, 5);
}

TEST(Child, TheCommandIsLookedUpInTheChildsOwnPath) {
  auto folder = TemporaryFolder::create("child");
  ASSERT_TRUE(folder);
  const auto script = folder->path() / "ergo-only-here";
  std::ofstream(script) << "#!/bin/sh\nexit 6\n";
  ::chmod(script.c_str(), 0755);
  ChildSpec spec = command({"ergo-only-here"});
  spec.environment = {{"PATH", "/nonexistent:" + folder->path().string()}};
  EXPECT_EQ(run(spec).exit_code, 6);
}

TEST(Child, TheEnvironmentIsExtendedReplacedAndTrimmed) {
  ::setenv("ERGO_TEST_KEPT", "kept", 1);
  ::setenv("ERGO_TEST_OLD", "old", 1);
  ::setenv("ERGO_TEST_GONE", "here", 1);
  ChildSpec spec =
      shell("test \"$ERGO_TEST_KEPT$ERGO_TEST_OLD$ERGO_TEST_NEW$ERGO_TEST_GONE\" = keptnew1");
  spec.environment = {{"ERGO_TEST_OLD", "new"}, {"ERGO_TEST_NEW", "1"}};
  spec.unset = {"ERGO_TEST_GONE"};
  EXPECT_EQ(run(spec).exit_code, 0);
}

TEST(Child, StdinPassesThrough) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  ASSERT_EQ(::pipe2(in.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(out.data(), O_CLOEXEC), 0);
  const int saved_in = ::dup(0);
  const int saved_out = ::dup(1);
  ::dup2(in[0], 0);
  ::dup2(out[1], 1);
  auto child = launch(command({"cat"}));
  ::dup2(saved_in, 0);
  ::dup2(saved_out, 1);
  ::close(saved_in);
  ::close(saved_out);
  ASSERT_TRUE(child);
  ASSERT_TRUE(write_all(in[1], "through", "pipe"));
  for (const int fd : {in[0], in[1], out[1]})
    ::close(fd);
  EXPECT_EQ(child->wait()->exit_code, 0);
  std::array<char, 64> text{};
  EXPECT_EQ(::read(out[0], text.data(), text.size()), 7);
  EXPECT_STREQ(text.data(), "through");
  ::close(out[0]);
}

TEST(Child, StaysInTheCallersProcessGroup) {
  const std::string group = std::to_string(::getpgrp());
  EXPECT_EQ(run(shell("test $(ps -o pgid= -p $$) -eq " + group)).exit_code, 0);
}

TEST(Child, InheritsTheSignalMaskAndIgnoredSignalsOnly) {
  struct sigaction handler {};
  struct sigaction before {};
  handler.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &handler, nullptr);
  handler.sa_handler = SIG_IGN;
  ::sigaction(SIGUSR2, &handler, &before);
  const ChildEnd handled = run(shell("kill -USR1 $$; exit 0"));
  const ChildEnd ignored = run(shell("kill -USR2 $$; exit 0"));
  ChildSpec reset = shell("kill -USR2 $$; exit 0");
  reset.default_signals = {SIGUSR2};
  const ChildEnd defaulted = run(reset);
  ::sigaction(SIGUSR2, &before, nullptr);
  EXPECT_EQ(handled.signal, SIGUSR1);
  EXPECT_EQ(ignored.exit_code, 0);
  EXPECT_EQ(defaulted.signal, SIGUSR2);
  EXPECT_EQ(run(shell("grep -q '^SigBlk:\t0*$' /proc/self/status")).exit_code, 0);
}

TEST(Child, AnIgnoredSigchldCostsNoExitCode) {
  ::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(run(shell("exit 9")).exit_code, 9);
  ::signal(SIGCHLD, SIG_DFL);
}

TEST(Child, TheHookSeesTheChildBeforeItRuns) {
  auto folder = TemporaryFolder::create("child");
  ASSERT_TRUE(folder);
  const auto file = folder->path() / "ran";
  ChildSpec spec = shell("echo > " + file.string());
  int seen = 0;
  spec.before_exec = [&](int pid) -> Result<void> {
    seen = pid;
    EXPECT_EQ(::kill(pid, 0), 0);
    EXPECT_FALSE(std::filesystem::exists(file));
    return {};
  };
  auto child = launch(spec);
  ASSERT_TRUE(child);
  EXPECT_EQ(child->pid(), seen);
  EXPECT_EQ(child->wait()->exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST(Child, AHookThatFailsEndsTheChild) {
  ChildSpec spec = shell("exec sleep 20");
  spec.before_exec = [](int) -> Result<void> { return Error{Errc::busy, "not today", {}}; };
  auto child = launch(spec);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().message, "not today");
  EXPECT_FALSE(has_unreaped_child());
}

TEST(Child, AChildKilledBeforeItRanHasEndedLikeAnyOther) {
  ChildSpec spec = shell("exit 0");
  spec.before_exec = [](int pid) -> Result<void> {
    ::kill(pid, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    return {};
  };
  EXPECT_EQ(run(spec).signal, SIGKILL);
}

TEST(Child, WaitingEndsAtTheDeadline) {
  auto child = launch(shell("exec sleep 20"));
  ASSERT_TRUE(child);
  const SystemClock clock;
  auto still = child->wait_until(clock.now() + 20_ms);
  ASSERT_TRUE(still);
  EXPECT_FALSE(*still);
  ASSERT_TRUE(child->send(SIGTERM));
  EXPECT_EQ(child->wait()->signal, SIGTERM);
}

TEST(Child, ItsEntryStaysUntilItIsReaped) {
  auto child = launch(shell("exit 4"));
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait()->exit_code, 4);
  const std::string stat = "/proc/" + std::to_string(child->pid()) + "/stat";
  EXPECT_TRUE(read_text(stat));
  EXPECT_EQ(child->wait()->exit_code, 4);
  child->reap();
  EXPECT_FALSE(read_text(stat));
}

TEST(Child, ResourceUsageHoldsTheCpuTimeOfItsChildren) {
  const ChildEnd end = run(command({ERGO_CHILD_HELPER, "children", "100"}));
  EXPECT_GE(end.usage.user + end.usage.system, Seconds(100 * 0.0004));
  EXPECT_GT(end.usage.max_rss_bytes, 100'000U);
}

TEST(Child, AQuickChildHasEndedWhenAskedAndItsStampsAreInOrder) {
  const SystemClock clock;
  const Instant before = clock.now();
  auto child = launch(command({"true"}));
  ASSERT_TRUE(child);
  auto end = child->wait();
  ASSERT_TRUE(end);
  EXPECT_LE(before, child->started());
  EXPECT_LT(child->started(), end->time);
  EXPECT_LE(end->time, clock.now());
}

TEST(Child, RunsAsAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may start a command as another user";
  ChildSpec spec =
      shell("test $(id -u) -eq 65534 && test $(id -g) -eq 65534 && test \"$(id -G)\" = 65534");
  spec.run_as = RunAs{65534, 65534, {65534}};
  EXPECT_EQ(run(spec).exit_code, 0);
}

TEST(Child, ManyLaunchesLeaveNoDescriptorsAndNoZombies) {
  const auto descriptors = [] {
    std::filesystem::directory_iterator folder("/proc/self/fd");
    return std::distance(begin(folder), end(folder));
  };
  const auto before = descriptors();
  for (int i = 0; i < 20; ++i) {
    run(command({"true"}));
    failed_launch(command({"ergo-no-such-command"}));
  }
  EXPECT_EQ(descriptors(), before);
  EXPECT_FALSE(has_unreaped_child());
}

}  // namespace
}  // namespace ergo
