#pragma once
// Starts the measured command and waits for its end.

#include "ergo/core/clock.hpp"
#include "ergo/core/files.hpp"
#include "ergo/core/result.hpp"
#include "ergo/experiment/signals.hpp"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ergo {

/// A user to run the command as, when ergo itself runs as root for somebody (sudo).
struct RunAs {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

struct ChildSpec {
  /// The command and its arguments. Without a '/' the command is looked up in the child's PATH.
  std::vector<std::string> argv;
  /// Set on top of this process's environment; of several with one name the last.
  std::vector<std::pair<std::string, std::string>> environment;
  /// Variables that the child does not inherit.
  std::vector<std::string> unset;
  /// An open folder of cgroup v2 in which the child is born. When the kernel refuses, the child
  /// starts in ergo's own.
  int cgroup_fd = -1;
  /// Called in the parent while the child exists but has not started the command: the place to
  /// attach counters. An error ends the child, and launch() returns it.
  std::function<Result<void>(int pid)> before_exec;
  /// Signals that this process ignores on its own account and that the child must not inherit as
  /// ignored.
  std::vector<int> default_signals;
  /// Take in processes of the command that lose their parent, so that they stay findable, and reap
  /// them. For programs that own their whole process (ergo itself): it changes this process's role
  /// for good.
  bool adopt_orphans = false;
  std::optional<RunAs> run_as;
  /// An open file that takes the command's standard output and error; -1: they are this process's.
  int output_fd = -1;
};

/// What the kernel counted for the child and all descendants that were waited for.
struct ResourceUsage {
  Seconds user{0.0};
  Seconds system{0.0};
  std::uint64_t max_rss_bytes = 0;  ///< of the largest single process
};

struct ChildEnd {
  int exit_code = 0;          ///< as a shell gives it: 128 + n on signal n
  std::optional<int> signal;  ///< the child died of it
  Instant time;               ///< when the end was noticed
  ResourceUsage usage;
};

/// A process of the command that is still running after its end.
struct Survivor {
  int pid = 0;
  std::string command;
};

/// A running or ended child. Its entry in the process table is kept until reap(), so that counters
/// can be read after its end and its pid cannot be reused. Destroying a running child leaves it
/// running. One thread at a time.
class Child {
 public:
  Child(Child&& o) noexcept { *this = std::move(o); }
  Child& operator=(Child&& o) noexcept;
  ~Child() { reap(); }

  [[nodiscard]] int pid() const { return pid_; }
  /// Readable once the child has ended.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  /// Just before the command was started.
  [[nodiscard]] Instant started() const { return started_; }
  /// The child was born in ChildSpec::cgroup_fd.
  [[nodiscard]] bool in_cgroup() const { return in_cgroup_; }

  /// Waits for the end until `deadline` (CLOCK_MONOTONIC), passing on signals meanwhile. Empty:
  /// still running. After the end it returns the same answer at once.
  Result<std::optional<ChildEnd>> wait_until(Instant deadline, SignalForwarder* signals = nullptr);
  /// Waits without a deadline.
  Result<ChildEnd> wait(SignalForwarder* signals = nullptr);

  Result<void> send(int signal) const;

  /// Processes of the command that run on (a daemon it started). Only with
  /// ChildSpec::adopt_orphans. Call it after the end and before reap().
  [[nodiscard]] std::vector<Survivor> survivors() const;

  /// Removes the ended child from the process table. Does nothing while it runs.
  void reap();

 private:
  friend Result<Child> launch(const ChildSpec& spec);
  Child() = default;
  Result<ChildEnd> observe_end() const;
  void reap_orphans() const;

  int pid_ = -1;
  Fd pidfd_;
  Instant started_;
  bool in_cgroup_ = false;
  bool adopts_ = false;
  std::vector<int> own_children_;  ///< children of this process that are none of the command's
  std::optional<ChildEnd> end_;
};

/// Starts the command. stdin, stdout, stderr and every other descriptor without close-on-exec are
/// inherited; the signal mask is the caller's; handlers are back at their defaults and ignored
/// signals stay ignored. Errors: not_found (no such command), permission and not_supported (it
/// cannot be executed), invalid_argument, unavailable or io (this system cannot start a process),
/// or what `before_exec` returned. Cost: about 0.5 ms for a small process; it grows with this
/// process's memory (page tables are copied).
Result<Child> launch(const ChildSpec& spec);

/// The exit code that says why launch() failed: 127 not found, 126 not executable, 125 ergo's own
/// trouble.
int exit_code_of_failed_launch(const Error& error);

}  // namespace ergo
