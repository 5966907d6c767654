#include "ergo/experiment/child.hpp"

#include "experiment/child_exec.hpp"
#include "sensors/process/procfs.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <limits>

namespace ergo {
namespace {

Error launch_error(const ChildSpec& spec, const LaunchFailure& failure) {
  const std::string& command = spec.argv.front();
  if (failure.stage == stage_user) {
    Error error =
        system_error("cannot run '" + command + "' as user " + std::to_string(spec.run_as->uid),
                     failure.error_number);
    error.code = Errc::unavailable;
    return error;
  }
  const bool path = command.find('/') != std::string::npos;
  std::error_code ignored;
  if (failure.error_number == ENOENT || failure.error_number == ENOTDIR) {
    if (path && std::filesystem::exists(command, ignored)) {
      return Error{Errc::not_supported, "cannot run '" + command + "': its interpreter is missing",
                   "check its first line, or 'file " + command + "'"};
    }
    return Error{Errc::not_found, "'" + command + "': command not found",
                 path ? "check the path" : "check the spelling and PATH"};
  }
  if (failure.error_number == EACCES || failure.error_number == EPERM) {
    if (path && std::filesystem::is_directory(command, ignored)) {
      return Error{Errc::permission, "cannot run '" + command + "': it is a folder", {}};
    }
    return Error{Errc::permission, "cannot run '" + command + "': permission denied",
                 "chmod +x " + (path ? command : "the file")};
  }
  Error error = system_error("cannot run '" + command + "'", failure.error_number);
  error.code = Errc::not_supported;
  return error;
}

bool read_failure(int line, LaunchFailure& failure) {
  ssize_t n = 0;
  while ((n = ::read(line, &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  return n == static_cast<ssize_t>(sizeof failure);
}

void kill_and_reap(pid_t pid) {
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

/// An ignored SIGCHLD makes the kernel throw exit codes away.
void keep_exit_codes() {
  struct sigaction now {};
  if (::sigaction(SIGCHLD, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) {
    now.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &now, nullptr);
  }
}

Seconds seconds(const timeval& t) {
  return Seconds(static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6);
}

}  // namespace

int exit_code_of_failed_launch(const Error& error) {
  if (error.code == Errc::not_found) return 127;
  if (error.code == Errc::permission || error.code == Errc::not_supported) return 126;
  return 125;
}

Result<Child> launch(const ChildSpec& spec) {
  if (spec.argv.empty()) return Error{Errc::invalid_argument, "there is no command to run", {}};
  ChildImage image;
  build_image(spec, image);
  // One line to the child: "go" one way, the reason of a failed exec the other way, its end when
  // exec succeeds.
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_error("cannot create a socket pair", errno);
  }
  const Fd line(ends[0]);
  Fd childs_line(ends[1]);

  Child child;
  keep_exit_codes();
  child.adopts_ = spec.adopt_orphans && ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
  child.own_children_ = process::children_of("/proc", ::getpid());

  // Blocked over the fork, so that no handler of this process runs in the child.
  sigset_t all, mask;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &mask);
  const pid_t pid = fork_into(spec.cgroup_fd, child.in_cgroup_);
  if (pid == 0) {
    ::close(line.get());
    run_child(spec, image, mask, childs_line.get());
  }
  const int fork_failure = errno;
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if (pid < 0) {
    Error error = system_error("cannot start a process", fork_failure);
    error.code = Errc::unavailable;
    return error;
  }
  childs_line.reset();
  child.pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!child.pidfd_) {
    const int failure = errno;
    kill_and_reap(pid);
    Error error = system_error("cannot watch the command (pidfd_open)", failure);
    error.code = Errc::unavailable;
    return error;
  }
  if (spec.before_exec) {
    if (auto ready = spec.before_exec(pid); !ready) {
      kill_and_reap(pid);
      return ready.error();
    }
  }
  child.started_ = SystemClock().now();
  // A child that was killed meanwhile does not hear it; its end is then seen by wait().
  [[maybe_unused]] const ssize_t sent = ::send(line.get(), "g", 1, MSG_NOSIGNAL);
  if (LaunchFailure failure{}; read_failure(line.get(), failure)) {
    kill_and_reap(pid);
    return launch_error(spec, failure);
  }
  child.pid_ = pid;
  return child;
}

Child& Child::operator=(Child&& o) noexcept {
  std::swap(pid_, o.pid_);
  std::swap(pidfd_, o.pidfd_);
  std::swap(started_, o.started_);
  std::swap(in_cgroup_, o.in_cgroup_);
  std::swap(adopts_, o.adopts_);
  std::swap(own_children_, o.own_children_);
  std::swap(end_, o.end_);
  return *this;
}

Result<ChildEnd> Child::observe_end() const {
  siginfo_t info{};
  rusage usage{};
  // The raw call also fills in the usage, and WNOWAIT leaves the child in the process table.
  while (::syscall(SYS_waitid, P_PID, pid_, &info, WEXITED | WNOWAIT, &usage) != 0) {
    if (errno != EINTR) return system_error("cannot learn how the command ended", errno);
  }
  ChildEnd end;
  end.time = SystemClock().now();
  end.exit_code = info.si_status;
  if (info.si_code != CLD_EXITED) {
    end.signal = info.si_status;
    end.exit_code = 128 + info.si_status;
  }
  end.usage = {seconds(usage.ru_utime), seconds(usage.ru_stime),
               static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
  return end;
}

Result<std::optional<ChildEnd>> Child::wait_until(Instant deadline, SignalForwarder* signals) {
  const SystemClock clock;
  while (!end_) {
    const std::int64_t left = std::max<std::int64_t>(deadline.ns - clock.now().ns, 0);
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    std::array<pollfd, 2> ready{pollfd{pidfd_.get(), POLLIN, 0},
                                pollfd{signals != nullptr ? signals->fd() : -1, POLLIN, 0}};
    if (::ppoll(ready.data(), ready.size(), &timeout, nullptr) < 0 && errno != EINTR) {
      return system_error("cannot wait for the command", errno);
    }
    if (signals != nullptr && ready[1].revents != 0) {
      signals->dispatch(pidfd_.get(), pid_);
      reap_orphans();
    }
    if (ready[0].revents != 0) {
      auto end = observe_end();
      if (!end) return end.error();
      end_ = *end;
    } else if (left == 0) {
      return std::optional<ChildEnd>{};
    }
  }
  return end_;
}

Result<ChildEnd> Child::wait(SignalForwarder* signals) {
  auto end = wait_until(Instant{std::numeric_limits<std::int64_t>::max()}, signals);
  if (!end) return end.error();
  return **end;
}

Result<void> Child::send(int signal) const {
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) != 0) {
    return system_error("cannot signal the command", errno);
  }
  return {};
}

std::vector<Survivor> Child::survivors() const {
  std::vector<Survivor> out;
  if (!adopts_) return out;
  std::vector<int> queue = process::children_of("/proc", ::getpid());
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const int pid = queue[i];
    if (pid == pid_ ||
        std::find(own_children_.begin(), own_children_.end(), pid) != own_children_.end()) {
      continue;
    }
    const auto stat = process::read_stat("/proc", pid);
    if (!stat || stat->state == 'Z' || stat->state == 'X') continue;
    out.push_back({pid, stat->comm});
    const auto below = process::children_of("/proc", pid);
    queue.insert(queue.end(), below.begin(), below.end());
  }
  return out;
}

void Child::reap_orphans() const {
  if (!adopts_) return;
  for (const int pid : process::children_of("/proc", ::getpid())) {
    if (pid == pid_ ||
        std::find(own_children_.begin(), own_children_.end(), pid) != own_children_.end()) {
      continue;
    }
    siginfo_t ignored{};
    ::waitid(P_PID, static_cast<id_t>(pid), &ignored, WEXITED | WNOHANG);
  }
}

void Child::reap() {
  if (pid_ <= 0) return;
  reap_orphans();
  siginfo_t ignored{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &ignored, WEXITED | WNOHANG) != 0 ||
      ignored.si_pid != 0) {
    pid_ = -1;
  }
}

}  // namespace ergo
