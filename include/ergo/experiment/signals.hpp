#pragma once
// What a wrapper does with the signals it gets while the command runs.
//
// The command stays in ergo's process group, as under `time`, hyperfine and perf stat, so that
// pipes, job control and Ctrl-C work as without ergo. Hence two cases: what the terminal sends
// (Ctrl-C, Ctrl-\, hang-up) or what is sent to the whole process group has reached the command
// already and is only noted; what is sent to ergo alone is passed on. Either way the command gets
// each signal once.

#include "ergo/core/clock.hpp"
#include "ergo/core/result.hpp"

#include <csignal>
#include <memory>
#include <optional>
#include <vector>

namespace ergo {

/// A signal that ergo got.
struct ReceivedSignal {
  int number = 0;
  /// The kernel sent it: the terminal, to the whole foreground process group.
  bool from_kernel = false;
  /// The command was in the same process group and got it too.
  bool reached_group = false;
};

/// Holds SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT and SIGCHLD for its
/// lifetime and puts the former handlers back afterwards. Signals that were ignored stay ignored
/// (nohup). At most one at a time in a process. Make it before the command is launched. Use it from
/// one thread.
///
///   auto signals = SignalForwarder::install();
///   auto child = launch(spec);
///   auto end = child->wait_until(deadline, &*signals);
class SignalForwarder {
 public:
  /// Errors: busy (there is one already), io.
  static Result<SignalForwarder> install();
  SignalForwarder(SignalForwarder&&) noexcept;
  SignalForwarder& operator=(SignalForwarder&&) noexcept;
  ~SignalForwarder();

  /// Readable when signals are waiting to be dispatched.
  [[nodiscard]] int fd() const;

  /// Takes the waiting signals and passes on what the process behind `pidfd` (-1: nobody) has not
  /// got itself. SIGTSTP then stops ergo too, until it is continued.
  std::vector<ReceivedSignal> dispatch(int pidfd, int child_pid);

  /// The last SIGINT, SIGTERM, SIGHUP or SIGQUIT that was dispatched: the user wants the run to
  /// end.
  [[nodiscard]] std::optional<int> stop_signal() const;

  /// Waits, with no command running, until `deadline` or until a stop signal comes. Returns
  /// stop_signal().
  std::optional<int> wait_until(Instant deadline);

 private:
  struct State;
  explicit SignalForwarder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ergo
