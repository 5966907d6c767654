#pragma once
// A program under ptrace, with all that it starts: stopped before a system call of the first
// process and killed there, alone or with everything that is left, as the end of a cgroup does.

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace ergo::control::test {

class Traced {
 public:
  explicit Traced(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (const std::string& word : words)
      argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    first_ = ::fork();
    if (first_ == 0) {
      if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(126);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(first_, &status, 0);
    if (!WIFSTOPPED(status)) return;
    constexpr long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
                             PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
    allowed_ = ::ptrace(PTRACE_SETOPTIONS, first_, nullptr, options) == 0;
    all_.insert(first_);
    go_on(first_, 0);
  }
  ~Traced() { kill_all(); }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

  /// False: this machine does not let tests trace their own children.
  [[nodiscard]] bool allowed() const { return allowed_; }

  /// Lets everything run until the first process is about to make a system call for which
  /// `wanted()` holds. False: the first process has ended before; its exit status is then known.
  bool run_until(const std::function<bool()>& wanted) {
    while (all_.count(first_) != 0) {
      if (step(wanted)) return true;
    }
    return false;
  }
  [[nodiscard]] int status() const { return status_; }

  /// Kills the first process, and lets the rest run to its end.
  void kill_first() {
    ::kill(first_, SIGKILL);
    while (!all_.empty())
      step({});
  }
  /// Everything but the first process dies; that one stays stopped.
  void kill_rest() {
    for (const pid_t pid : all_) {
      if (pid != first_) ::kill(pid, SIGKILL);
    }
    while (all_.size() > 1)
      step([] { return true; });
  }
  void kill_all() {
    for (const pid_t pid : all_)
      ::kill(pid, SIGKILL);
    while (!all_.empty())
      step({});
  }
  void finish() {
    go_on(first_, 0);
    while (!all_.empty())
      step({});
  }

 private:
  void go_on(pid_t pid, int signal) {
    ::ptrace(pid == first_ ? PTRACE_SYSCALL : PTRACE_CONT, pid, nullptr, static_cast<long>(signal));
  }

  /// One event. True: the first process stands before a wanted call.
  bool step(const std::function<bool()>& wanted) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, __WALL);
    if (pid < 0) {
      if (errno != EINTR) all_.clear();
      return false;
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid == first_) status_ = status;
      all_.erase(pid);
      return false;
    }
    const bool is_new = all_.insert(pid).second;
    const int signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) {
      entering_ = !entering_;
      if (entering_ && wanted && wanted()) return true;
      go_on(pid, 0);
      return false;
    }
    if (unsigned long born = 0; signal == SIGTRAP && status >> 16 != 0 &&
                                ::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &born) == 0) {
      if (all_.insert(static_cast<pid_t>(born)).second) fresh_.insert(static_cast<pid_t>(born));
    }
    // A child begins with a stop of its own, and other traps are the tracer's.
    const bool ours =
        signal == SIGTRAP || (signal == SIGSTOP && (is_new || fresh_.erase(pid) != 0));
    go_on(pid, ours ? 0 : signal);
    return false;
  }

  pid_t first_ = -1;
  bool allowed_ = false;
  bool entering_ = false;
  int status_ = -1;
  std::set<pid_t> all_;
  std::set<pid_t> fresh_;  ///< told by their parent, but not yet seen
};

}  // namespace ergo::control::test
