#include "ergo/experiment/signals.hpp"

#include "ergo/core/files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace ergo {
/// Named, since the members of a class with external linkage need it.
namespace signals_detail {

/// A process that only sits in ergo's process group and tells, when asked, which signals it got. A
/// signal sent to the group reaches it before ergo, since the kernel goes from the youngest member
/// to the oldest; so when ergo has a signal that the witness has not, it was sent to ergo alone.
/// There is no other way to tell the two apart: the signal itself only says who sent it.
class GroupWitness {
 public:
  static Result<GroupWitness> start();
  GroupWitness(GroupWitness&& o) noexcept
      : pid_(std::exchange(o.pid_, -1)), line_(std::move(o.line_)) {}
  GroupWitness& operator=(GroupWitness&&) = delete;
  ~GroupWitness() {
    if (pid_ > 0) {
      ::shutdown(line_.get(),
                 SHUT_RDWR);  // its end, even while a forked process still holds the line
      while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }

  /// Bit n: signal n reached the group since the last question.
  [[nodiscard]] std::uint64_t ask() const {
    std::uint64_t answer = 0;
    const char question = '?';
    if (::send(line_.get(), &question, 1, MSG_NOSIGNAL) != 1) return 0;
    pollfd ready{line_.get(), POLLIN, 0};
    constexpr int patience_ms = 500;  // somebody may have stopped the witness
    if (::poll(&ready, 1, patience_ms) != 1) return 0;
    return ::read(line_.get(), &answer, sizeof answer) == sizeof answer ? answer : 0;
  }

 private:
  GroupWitness(pid_t pid, Fd line) : pid_(pid), line_(std::move(line)) {}
  [[noreturn]] static void testify(int line);

  pid_t pid_;
  Fd line_;
};

void GroupWitness::testify(int line) {
  ::dup2(line, 3);
  ::syscall(SYS_close_range, 4U, ~0U, 0U);
  for (int fd = 0; fd < 3; ++fd)
    ::close(fd);
  ::prctl(PR_SET_NAME, "ergo-witness");
  sigset_t all;
  sigfillset(&all);
  for (char question = 0; ::read(3, &question, 1) == 1;) {
    std::uint64_t got = 0;
    const timespec at_once{};
    for (int number; (number = ::sigtimedwait(&all, nullptr, &at_once)) > 0;) {
      got |= std::uint64_t{1} << (number % 64);
    }
    if (::write(3, &got, sizeof got) != sizeof got) break;
  }
  ::_exit(0);
}

Result<GroupWitness> GroupWitness::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_error("cannot create a socket pair", errno);
  }
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) testify(theirs.get());
  const int failure = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return system_error("cannot start a process", failure);
  return GroupWitness(pid, std::move(ours));
}

}  // namespace signals_detail

namespace {

constexpr std::array held_signals{SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                  SIGUSR2, SIGTSTP, SIGCONT, SIGCHLD};

/// What the handler writes into the pipe; far below PIPE_BUF, so a write is whole or fails.
struct Note {
  int number;
  int code;
};

// A signal handler has no argument of ours: where it writes to can only be global.
std::atomic<int> note_fd{-1};

void on_signal(int number, siginfo_t* info, void*) {
  const int saved = errno;
  const Note note{number, info->si_code};
  const int fd = note_fd.load(std::memory_order_relaxed);
  if (fd >= 0) [[maybe_unused]]
    const ssize_t n = ::write(fd, &note, sizeof note);
  errno = saved;
}

bool is_stop(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

/// Stops this process as the default action would have, and returns when it is continued.
void stop_self() {
  struct sigaction standard {};
  struct sigaction ours {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(SIGTSTP, &standard, &ours);
  ::raise(SIGTSTP);
  ::sigaction(SIGTSTP, &ours, nullptr);
}

}  // namespace

struct SignalForwarder::State {
  struct Former {
    int number;
    struct sigaction action;
  };

  explicit State(signals_detail::GroupWitness w) : witness(std::move(w)) {}
  ~State() {
    for (const Former& former : formers)
      ::sigaction(former.number, &former.action, nullptr);
    note_fd = -1;
  }

  Fd read_end, write_end;
  std::vector<Former> formers;
  std::optional<int> stop;
  signals_detail::GroupWitness witness;
};

SignalForwarder::SignalForwarder(std::unique_ptr<State> state) : state_(std::move(state)) {}
SignalForwarder::SignalForwarder(SignalForwarder&&) noexcept = default;
SignalForwarder& SignalForwarder::operator=(SignalForwarder&&) noexcept = default;
SignalForwarder::~SignalForwarder() = default;

Result<SignalForwarder> SignalForwarder::install() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return system_error("cannot create a pipe", errno);
  }
  Fd read_end(ends[0]), write_end(ends[1]);
  int none = -1;
  if (!note_fd.compare_exchange_strong(none, write_end.get())) {
    return Error{Errc::busy, "this process already forwards signals to another command", {}};
  }
  auto witness = signals_detail::GroupWitness::start();
  if (!witness) {
    note_fd = -1;
    return witness.error();
  }
  auto state = std::make_unique<State>(std::move(witness).value());
  state->read_end = std::move(read_end);
  state->write_end = std::move(write_end);
  struct sigaction ours {};
  ours.sa_sigaction = on_signal;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP;
  sigfillset(&ours.sa_mask);
  for (const int number : held_signals) {
    State::Former former{number, {}};
    ::sigaction(number, nullptr, &former.action);
    // An ignored signal is somebody's decision (nohup) and stays so; an ignored SIGCHLD would lose
    // exit codes.
    if (former.action.sa_handler == SIG_IGN && number != SIGCHLD) continue;
    state->formers.push_back(former);
    ::sigaction(number, &ours, nullptr);
  }
  return SignalForwarder(std::move(state));
}

int SignalForwarder::fd() const {
  return state_->read_end.get();
}
std::optional<int> SignalForwarder::stop_signal() const {
  return state_->stop;
}

std::vector<ReceivedSignal> SignalForwarder::dispatch(int pidfd, int child_pid) {
  std::vector<ReceivedSignal> received;
  Note note{};
  while (::read(fd(), &note, sizeof note) == static_cast<ssize_t>(sizeof note)) {
    const bool from_kernel = note.code == SI_KERNEL;
    const auto same = [&](const ReceivedSignal& r) {
      return r.number == note.number && r.from_kernel == from_kernel;
    };
    if (note.number != SIGCHLD || std::none_of(received.begin(), received.end(), same)) {
      received.push_back({note.number, from_kernel, from_kernel});
    }
  }
  const auto sent = [](const ReceivedSignal& r) { return r.number != SIGCHLD && !r.from_kernel; };
  if (std::any_of(received.begin(), received.end(),
                  [](const auto& r) { return r.number != SIGCHLD; })) {
    // Asked for the terminal's signals too, so that the witness forgets them.
    const std::uint64_t group = state_->witness.ask();
    const bool together = pidfd >= 0 && ::getpgid(child_pid) == ::getpgrp();
    for (ReceivedSignal& r : received) {
      if (sent(r)) r.reached_group = together && ((group >> (r.number % 64)) & 1) != 0;
    }
  }
  bool stop_ourselves = false;
  for (const ReceivedSignal& r : received) {
    if (is_stop(r.number)) state_->stop = r.number;
    if (sent(r) && !r.reached_group && pidfd >= 0) {
      ::syscall(SYS_pidfd_send_signal, pidfd, r.number, nullptr, 0);
    }
    if (r.number == SIGTSTP) stop_ourselves = true;
  }
  if (stop_ourselves) {
    stop_self();
    // Whoever woke ergo may have woken ergo alone. To a running process SIGCONT means nothing.
    if (pidfd >= 0) ::syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, nullptr, 0);
  }
  return received;
}

std::optional<int> SignalForwarder::wait_until(Instant deadline) {
  const SystemClock clock;
  for (;;) {
    dispatch(-1, -1);
    const std::int64_t left = std::max<std::int64_t>(deadline.ns - clock.now().ns, 0);
    if (state_->stop || left == 0) return state_->stop;
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    pollfd ready{fd(), POLLIN, 0};
    ::ppoll(&ready, 1, &timeout, nullptr);
  }
}

}  // namespace ergo
