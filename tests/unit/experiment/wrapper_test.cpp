// Signals, terminals and daemons: a wrapper and its command seen from outside, as a shell sees
// them.

#include "ergo/core/files.hpp"
#include "sensors/process/procfs.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

namespace ergo {
namespace {

enum class Group { own, terminal };

/// `child_wrapper child_helper MODE` in a process group of its own, or as the session of a
/// terminal.
class Wrapped {
 public:
  explicit Wrapped(const std::string& mode, Group group = Group::own, bool ignore_hangup = false) {
    std::array<int, 2> line{};
    if (group == Group::terminal) {
      pid_ = ::forkpty(&line[0], nullptr, nullptr, nullptr);
    } else {
      EXPECT_EQ(::pipe2(line.data(), O_CLOEXEC), 0);
      pid_ = ::fork();
    }
    if (pid_ == 0) {
      if (group == Group::own) {
        ::setpgid(0, 0);
        ::dup2(line[1], 1);
        ::dup2(line[1], 2);
      }
      if (ignore_hangup) ::signal(SIGHUP, SIG_IGN);
      ::execl(ERGO_CHILD_WRAPPER, ERGO_CHILD_WRAPPER, ERGO_CHILD_HELPER, mode.c_str(), nullptr);
      ::_exit(96);
    }
    if (group == Group::own) {
      ::setpgid(pid_, pid_);
      ::close(line[1]);
    }
    output_ = Fd(line[0]);
  }
  ~Wrapped() {
    if (!waited_) ::kill(-pid_, SIGKILL);
    if (!waited_) ::waitpid(pid_, nullptr, 0);
  }
  Wrapped(const Wrapped&) = delete;
  Wrapped& operator=(const Wrapped&) = delete;

  /// Reads until `word` has come, or the end, or 20 s.
  std::string read_until(const std::string& word) {
    std::string text;
    std::array<char, 256> buffer{};
    pollfd ready{output_.get(), POLLIN, 0};
    while (text.find(word) == std::string::npos && ::poll(&ready, 1, 20'000) == 1) {
      const ssize_t n = ::read(output_.get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return text;
  }

  int exit_code() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    waited_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  /// The state letter of the command itself.
  [[nodiscard]] int command_pid() const {
    for (const int pid : process::children_of("/proc", pid_)) {
      const auto stat = process::read_stat("/proc", pid);
      if (stat && stat->comm.starts_with("child_helper")) return pid;
    }
    return -1;
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int terminal() const { return output_.get(); }

 private:
  pid_t pid_ = -1;
  Fd output_;
  bool waited_ = false;
};

bool becomes(int pid, char state) {
  for (int i = 0; i < 1000; ++i) {
    const auto stat = process::read_stat("/proc", pid);
    if (stat && stat->state == state) return true;
    ::usleep(10'000);
  }
  return false;
}

class EverySignal : public testing::TestWithParam<int> {};

TEST_P(EverySignal, SentToTheWrapperAloneReachesTheCommandOnce) {
  Wrapped wrapped("signals");
  ASSERT_NE(wrapped.read_until("ready"), "");
  ::kill(wrapped.pid(), GetParam());
  EXPECT_EQ(wrapped.exit_code(), 1);
}

TEST_P(EverySignal, SentToTheWholeGroupReachesTheCommandOnce) {
  Wrapped wrapped("signals");
  ASSERT_NE(wrapped.read_until("ready"), "");
  ::kill(-wrapped.pid(), GetParam());
  EXPECT_EQ(wrapped.exit_code(), 1);
}

INSTANTIATE_TEST_SUITE_P(Wrapper, EverySignal, testing::Values(SIGINT, SIGTERM, SIGHUP, SIGUSR1));

TEST(Wrapper, EachOfTwoSignalsReachesTheCommand) {
  Wrapped wrapped("signals");
  ASSERT_NE(wrapped.read_until("ready"), "");
  ::kill(wrapped.pid(), SIGTERM);
  ::kill(-wrapped.pid(), SIGINT);
  EXPECT_EQ(wrapped.exit_code(), 2);
}

TEST(Wrapper, CtrlCReachesTheCommandOnceAndTheWrapperOutlivesIt) {
  Wrapped wrapped("signals", Group::terminal);
  ASSERT_NE(wrapped.read_until("ready"), "");
  ASSERT_EQ(::write(wrapped.terminal(), "\x03", 1), 1);
  EXPECT_EQ(wrapped.exit_code(), 1);
}

TEST(Wrapper, ACommandThatDiesOfCtrlCGives130) {
  Wrapped wrapped("sleep", Group::terminal);
  ASSERT_NE(wrapped.read_until("ready"), "");
  ASSERT_EQ(::write(wrapped.terminal(), "\x03", 1), 1);
  EXPECT_EQ(wrapped.exit_code(), 130);
}

TEST(Wrapper, AForwardedSignalThatKillsGives128PlusItsNumber) {
  Wrapped wrapped("sleep");
  ASSERT_NE(wrapped.read_until("ready"), "");
  ::kill(wrapped.pid(), SIGTERM);
  EXPECT_EQ(wrapped.exit_code(), 143);
}

TEST(Wrapper, AnIgnoredHangupStaysIgnored) {
  Wrapped wrapped("sleep", Group::own, true);
  ASSERT_NE(wrapped.read_until("ready"), "");
  ::kill(-wrapped.pid(), SIGHUP);
  ::kill(wrapped.pid(), SIGHUP);
  ::usleep(100'000);
  ::kill(wrapped.pid(), SIGTERM);
  EXPECT_EQ(wrapped.exit_code(), 143);
}

TEST(Wrapper, StopsAndContinuesWithTheCommand) {
  Wrapped wrapped("sleep");
  ASSERT_NE(wrapped.read_until("ready"), "");
  const int command = wrapped.command_pid();
  ASSERT_GT(command, 0);
  ::kill(wrapped.pid(), SIGTSTP);
  EXPECT_TRUE(becomes(wrapped.pid(), 'T'));
  EXPECT_TRUE(becomes(command, 'T'));
  ::kill(wrapped.pid(), SIGCONT);
  EXPECT_TRUE(becomes(wrapped.pid(), 'S'));
  EXPECT_TRUE(becomes(command, 'S'));
  ::kill(wrapped.pid(), SIGTERM);
  EXPECT_EQ(wrapped.exit_code(), 143);
}

TEST(Wrapper, ADaemonDoesNotHoldUpTheEndAndIsNamed) {
  Wrapped wrapped("daemonise");
  const std::string text = wrapped.read_until("survivor");
  EXPECT_EQ(wrapped.exit_code(), 0);
  const int daemon = std::atoi(text.c_str());
  ASSERT_GT(daemon, 0);
  EXPECT_NE(text.find("survivor " + std::to_string(daemon) + " child_helper"), std::string::npos)
      << text;
  EXPECT_EQ(::kill(daemon, SIGKILL), 0);
}

}  // namespace
}  // namespace ergo
