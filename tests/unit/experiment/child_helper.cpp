// A program for the tests to measure: child_helper MODE [ARGUMENT].

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

namespace {

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void burn(double seconds) {
  const double until = cpu_seconds() + seconds;
  while (cpu_seconds() < until) {
  }
}

/// Counts signals until none has come for half a second after the first. The exit code is the
/// count.
int count_signals() {
  sigset_t awaited;
  sigemptyset(&awaited);
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2})
    sigaddset(&awaited, s);
  sigprocmask(SIG_BLOCK, &awaited, nullptr);
  std::puts("ready");
  std::fflush(stdout);
  int count = 0;
  for (;;) {
    const timespec patience{count == 0 ? 20 : 0, 500'000'000};
    if (sigtimedwait(&awaited, nullptr, &patience) < 0) return count;
    ++count;
  }
}

/// Starts a process in a session of its own that outlives this one, as daemons do.
int daemonise() {
  int line[2];
  if (pipe(line) != 0) return 99;
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      const pid_t self = getpid();
      [[maybe_unused]] const ssize_t n = write(line[1], &self, sizeof self);
      for (int fd = 0; fd < 16; ++fd)
        close(fd);
      sleep(20);
    }
    _exit(0);
  }
  pid_t daemon = 0;
  [[maybe_unused]] const ssize_t n = read(line[0], &daemon, sizeof daemon);
  wait(nullptr);
  std::printf("%d\n", daemon);
  return 0;
}

/// `count` children, one after the other, that each use a little CPU time and end.
int burn_in_children(int count) {
  for (int i = 0; i < count; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      burn(0.0004);
      _exit(0);
    }
    while (waitpid(pid, nullptr, 0) < 0) {
    }
  }
  return 0;
}

/// An orphan uses CPU time, then this process ends.
int burn_in_orphan() {
  int line[2];
  if (pipe(line) != 0) return 99;
  if (fork() == 0) {
    if (fork() == 0) {
      burn(0.2);
      _exit(0);  // closes the line
    }
    _exit(0);
  }
  close(line[1]);
  wait(nullptr);
  char byte = 0;
  return read(line[0], &byte, 1) == 0 ? 0 : 98;
}

}  // namespace

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  const char* argument = argc > 2 ? argv[2] : "0";
  if (std::strcmp(mode, "exit") == 0) return std::atoi(argument);
  if (std::strcmp(mode, "signals") == 0) return count_signals();
  if (std::strcmp(mode, "daemonise") == 0) return daemonise();
  if (std::strcmp(mode, "children") == 0) return burn_in_children(std::atoi(argument));
  if (std::strcmp(mode, "orphan") == 0) return burn_in_orphan();
  if (std::strcmp(mode, "burn") == 0) {
    burn(std::atof(argument));
    return 0;
  }
  if (std::strcmp(mode, "sleep") == 0) {
    std::puts("ready");
    std::fflush(stdout);
    sleep(20);
    return 0;
  }
  return 97;
}
