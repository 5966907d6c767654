// What happens between fork and exec.

#include "experiment/child_exec.hpp"

#include "ergo/core/parse.hpp"

#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string_view>

namespace ergo {
namespace {

std::string_view variable_name(std::string_view entry) {
  return entry.substr(0, entry.find('='));
}

std::vector<std::string> build_environment(const ChildSpec& spec) {
  std::vector<std::string> out;
  const auto replaced = [&](std::string_view key) {
    return std::any_of(spec.environment.begin(), spec.environment.end(),
                       [&](const auto& e) { return e.first == key; }) ||
           std::find(spec.unset.begin(), spec.unset.end(), key) != spec.unset.end();
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!replaced(variable_name(*entry))) out.emplace_back(*entry);
  }
  for (auto entry = spec.environment.begin(); entry != spec.environment.end(); ++entry) {
    const auto& [key, value] = *entry;
    const bool again = std::any_of(std::next(entry), spec.environment.end(),
                                   [&key = key](const auto& later) { return later.first == key; });
    if (!again) out.push_back(std::string(key).append("=").append(value));
  }
  return out;
}

std::vector<std::string> build_candidates(const std::string& command,
                                          const std::vector<std::string>& environment) {
  if (command.find('/') != std::string::npos) return {command};
  std::string_view path = "/bin:/usr/bin";
  for (const std::string& entry : environment) {
    if (variable_name(entry) == "PATH") path = std::string_view(entry).substr(5);
  }
  std::vector<std::string> out;
  if (command.empty()) return out;
  for (const std::string_view folder : split(path, ':')) {
    out.push_back(folder.empty() ? "./" + command : std::string(folder) + "/" + command);
  }
  return out;
}

/// As execvp: the first file that runs; a file that exists but may not be run outweighs "not
/// found".
int try_candidates(ChildImage& image) {
  int failure = ENOENT;
  for (const std::string& file : image.candidates) {
    ::execve(file.c_str(), image.argv.data(), image.envp.data());
    if (errno == ENOEXEC) {
      image.shell_argv[1] = const_cast<char*>(file.c_str());
      ::execve("/bin/sh", image.shell_argv.data(), image.envp.data());
    }
    if (errno == EACCES) failure = EACCES;
    if (errno != EACCES && errno != ENOENT && errno != ENOTDIR) return errno;
  }
  return failure;
}

void reset_handlers(const std::vector<int>& to_default) {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) != 0) continue;
    if (now.sa_handler != SIG_IGN && now.sa_handler != SIG_DFL) {
      ::sigaction(number, &standard, nullptr);
    }
  }
  for (const int number : to_default)
    ::sigaction(number, &standard, nullptr);
}

/// Raw system calls: the C library's would try to change the threads that exist only in the parent.
bool become(const RunAs& user) {
  return ::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

}  // namespace

void build_image(const ChildSpec& spec, ChildImage& image) {
  image.environment = build_environment(spec);
  image.candidates = build_candidates(spec.argv.front(), image.environment);
  static char shell[] = "/bin/sh";
  image.shell_argv = {shell, nullptr};
  for (const std::string& argument : spec.argv) {
    image.argv.push_back(const_cast<char*>(argument.c_str()));
    if (image.argv.size() > 1) image.shell_argv.push_back(image.argv.back());
  }
  image.argv.push_back(nullptr);
  image.shell_argv.push_back(nullptr);
  for (std::string& entry : image.environment)
    image.envp.push_back(entry.data());
  image.envp.push_back(nullptr);
}

[[noreturn]] void run_child(const ChildSpec& spec, ChildImage& image, const sigset_t& mask,
                            int line) {
  reset_handlers(spec.default_signals);
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  char word = 0;
  ssize_t n = 0;
  while ((n = ::read(line, &word, 1)) < 0 && errno == EINTR) {
  }
  if (n != 1) ::_exit(125);  // the parent gave up or died
  if (spec.output_fd >= 0) {
    ::dup2(spec.output_fd, STDOUT_FILENO);
    ::dup2(spec.output_fd, STDERR_FILENO);
  }
  LaunchFailure failure{stage_exec, 0};
  if (spec.run_as && !become(*spec.run_as)) {
    failure = {stage_user, errno};
  } else {
    failure.error_number = try_candidates(image);
  }
  [[maybe_unused]] const ssize_t written = ::write(line, &failure, sizeof failure);
  ::_exit(127);
}

pid_t fork_into(int cgroup_fd, bool& in_cgroup) {
  in_cgroup = false;
  if (cgroup_fd >= 0) {
    clone_args arguments{};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup_fd);
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (pid >= 0) {
      in_cgroup = true;
      return pid;
    }
  }
  return ::fork();
}

}  // namespace ergo
