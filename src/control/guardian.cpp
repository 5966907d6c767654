#include "control/guardian.hpp"

#include "control/card.hpp"
#include "ergo/core/parse.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace ergo::control {
namespace {

constexpr std::string_view message_ready = "ready ";  // and its pid
constexpr std::string_view message_restored = "restored";

/// The program as a path, so that nothing has to be looked up between fork and exec.
Result<std::string> path_of_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return std::filesystem::absolute(program).string();
  const char* variable = std::getenv("PATH");
  for (const auto folder : split(variable != nullptr ? variable : "/usr/bin:/bin", ':')) {
    const auto file = std::filesystem::path(folder) / program;
    if (::access(file.c_str(), X_OK) == 0) return std::filesystem::absolute(file).string();
  }
  return Error{Errc::not_found,
               fmt::format("'{}', which watches over power limits, is not in PATH", program),
               {}};
}

/// In the child of fork(): a session of its own, no terminal, nothing open but what it needs. Only
/// calls that are allowed after a fork of a program with threads.
[[noreturn]] void become_guardian(char* const* argv, std::span<const int> kept) {
  if (::setsid() < 0) ::_exit(1);
  const pid_t pid = ::fork();
  if (pid != 0) ::_exit(pid < 0 ? 1 : 0);
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; ++number)
    ::signal(number, SIG_DFL);
  // Whoever stops ergo politely means ergo, which then restores; the guardian stays to see to it.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP})
    ::signal(number, SIG_IGN);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd)
    ::dup2(nowhere, fd);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  for (const int fd : kept)
    ::fcntl(fd, F_SETFD, 0);
  if (::chdir("/") == 0) ::execv(argv[0], argv);
  ::_exit(127);
}

/// One answer of the guardian, or none when it has ended.
std::optional<std::string> receive(int line, int patience_ms) {
  pollfd ready{line, POLLIN, 0};
  int n = 0;
  while ((n = ::poll(&ready, 1, patience_ms)) < 0 && errno == EINTR) {
  }
  if (n != 1) return std::nullopt;
  std::array<char, 2048> buffer{};
  const ssize_t length = ::recv(line, buffer.data(), buffer.size(), 0);
  if (length <= 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

void tell(int line, std::string_view text) {
  [[maybe_unused]] const ssize_t n = ::send(line, text.data(), text.size(), MSG_NOSIGNAL);
}

/// What the guardian is told: LINE PIDFD STATE_DIR NVML SYSFS UUID…; 0 and "-" stand for "none".
struct Orders {
  Fd line;
  Fd owner;
  Environment environment;
  std::vector<std::string> uuids;
};

std::optional<Orders> parse_orders(std::span<const std::string> words) {
  if (words.size() < 6) return std::nullopt;
  const auto line = parse_int(words[0]);
  const auto owner = parse_int(words[1]);
  // Descriptors below 3 are /dev/null; a user who types this by hand has no others.
  if (!line || !owner || *line < 3 || ::fcntl(static_cast<int>(*line), F_GETFD) < 0)
    return std::nullopt;
  Orders orders;
  orders.line = Fd(static_cast<int>(*line));
  if (*owner > STDERR_FILENO) orders.owner = Fd(static_cast<int>(*owner));
  orders.environment = Environment::from_process();
  orders.environment.state_dir = words[2];
  orders.environment.nvml_library.reset();
  if (words[3] != "-") orders.environment.nvml_library.emplace(words[3]);
  orders.environment.sysfs = words[4];
  orders.uuids.assign(words.begin() + 5, words.end());
  return orders;
}

struct Ward {
  Card card;
  SavedLimit saved;
};

Result<std::vector<Ward>> find_wards(const Orders& orders, const StateFolder& folder) {
  CardFinder finder(orders.environment);
  std::vector<Ward> wards;
  for (const std::string& uuid : orders.uuids) {
    auto card = finder.find(uuid);
    if (!card) return card.error();
    auto saved = folder.load(uuid, SavedLimit::Kind::run);
    if (!saved) return saved.error();
    wards.push_back({std::move(card).value(), std::move(saved).value()});
  }
  return wards;
}

/// True: the owner has restored everything. False: it is dead, or has given up.
bool await_end(const Orders& orders) {
  for (;;) {
    std::array<pollfd, 2> ready{pollfd{orders.line.get(), POLLIN, 0},
                                pollfd{orders.owner.get(), POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0) continue;
    // The line first: the message may have been sent just before the death.
    if (ready[0].revents != 0) {
      const auto message = receive(orders.line.get(), 0);
      return message && *message == message_restored;
    }
    if (ready[1].revents != 0) return false;
  }
}

bool restore_all_wards(const std::vector<Ward>& wards, const StateFolder& folder) {
  bool all = true;
  for (const Ward& ward : wards) {
    // A file that is missing says nothing: the owner may have died between its removal and the
    // message, or somebody may have emptied the folder.
    constexpr int attempts = 5;
    Result<void> back;
    for (int i = 0; i < attempts; ++i) {
      if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(200));
      back = put_back(ward.card, ward.saved.found);
      if (back) break;
    }
    if (back) back = folder.remove(ward.saved.uuid, SavedLimit::Kind::run);
    if (back) continue;
    all = false;
    ::syslog(LOG_ERR, "%s", back.error().text().c_str());
  }
  return all;
}

}  // namespace

Guardian& Guardian::operator=(Guardian&& o) noexcept {
  if (this != &o) {
    dismiss();
    line_ = std::move(o.line_);
    pid_ = o.pid_;
  }
  return *this;
}

Result<Guardian> Guardian::start(const std::vector<std::string>& command,
                                 const Environment& environment, std::span<const GpuLock> locks) {
  auto program = path_of_program(command.front());
  if (!program) return program.error();
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_error("cannot create a socket pair", errno);
  }
  Guardian guardian;
  guardian.line_ = Fd(ends[0]);
  Fd theirs(ends[1]);
  if (theirs.get() <= STDERR_FILENO)
    theirs = Fd(::fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  const Fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));  // -1: the line alone

  std::vector<std::string> words = command;
  words.front() = *program;
  words.insert(words.end(), {std::to_string(theirs.get()), std::to_string(std::max(self.get(), 0)),
                             std::filesystem::absolute(environment.state_dir).string(),
                             environment.nvml_library.value_or("-"),
                             std::filesystem::absolute(environment.sysfs).string()});
  std::vector<int> kept{theirs.get()};
  if (self.get() > STDERR_FILENO) kept.push_back(self.get());
  for (const GpuLock& lock : locks) {
    words.push_back(lock.uuid);
    kept.push_back(lock.fd.get());
  }
  std::vector<char*> argv(words.size() + 1, nullptr);
  std::transform(words.begin(), words.end(), argv.begin(),
                 [](std::string& word) { return word.data(); });

  const pid_t pid = ::fork();
  if (pid == 0) become_guardian(argv.data(), kept);
  if (pid < 0) return system_error("cannot start a process", errno);
  theirs.reset();
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  constexpr int patience_ms = 60'000;  // a cold driver takes seconds to start
  const auto answer = receive(guardian.line_.get(), patience_ms);
  if (answer && answer->starts_with(message_ready)) {
    const auto guardian_pid = parse_int(std::string_view(*answer).substr(message_ready.size()));
    if (guardian_pid) guardian.pid_ = static_cast<int>(*guardian_pid);
    return guardian;
  }
  guardian.line_.reset();
  return Error{
      Errc::unavailable,
      answer ? "the process that watches over the power limit cannot work: " + *answer
             : fmt::format("'{}', which watches over the power limit, did not start", *program),
      {}};
}

bool Guardian::alive() const {
  // It says nothing after it is ready: what can be read is the end of the line.
  pollfd ready{line_.get(), POLLIN, 0};
  return line_ && ::poll(&ready, 1, 0) == 0;
}

void Guardian::dismiss() {
  if (!line_) return;
  tell(line_.get(), message_restored);
  constexpr int patience_ms = 5'000;
  const bool ended = !receive(line_.get(), patience_ms).has_value();
  line_.reset();
  // Where this process adopts orphans the guardian is its child; else this finds nothing to wait
  // for.
  if (ended && pid_ > 0) {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

int guardian_main(std::span<const std::string> words) {
  auto orders = parse_orders(words);
  if (!orders) return 2;
  ::prctl(PR_SET_NAME, "limit-guardian");  // `killall -9 ergo` means others
  ::openlog("limit-guardian", LOG_PID, LOG_DAEMON);
  const StateFolder folder(orders->environment);
  const auto wards = find_wards(*orders, folder);
  if (!wards) {
    tell(orders->line.get(), wards.error().text());
    return 1;
  }
  tell(orders->line.get(), fmt::format("{}{}", message_ready, ::getpid()));
  if (await_end(*orders)) return 0;
  return restore_all_wards(*wards, folder) ? 0 : 1;
}

}  // namespace ergo::control
