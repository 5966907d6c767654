#include "sensors/meter/line_source.hpp"

#include "ergo/core/parse.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ergo::meter {
namespace {

constexpr std::size_t longest_line = 65536;

/// Bytes in, whole lines out.
class LineBuffer {
 public:
  void append(std::string_view bytes) { pending_ += bytes; }
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    std::size_t start = 0;
    for (std::size_t end = pending_.find('\n'); end != std::string::npos;
         end = pending_.find('\n', start)) {
      out.emplace_back(trim(std::string_view(pending_).substr(start, end - start)));
      start = end + 1;
    }
    pending_.erase(0, start);
    if (pending_.size() > longest_line) pending_.clear();  // not text
    return out;
  }
  /// The last line may lack its end.
  void finish() {
    if (!pending_.empty()) pending_ += '\n';
  }
  void clear() { pending_.clear(); }

 private:
  std::string pending_;
};

class CommandSource final : public LineSource {
 public:
  CommandSource(std::string command, bool restart)
      : command_(std::move(command)), restart_(restart) {}
  ~CommandSource() override { end(); }

  Result<void> start() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      return system_error("cannot make a pipe for the meter", errno);
    output_ = Fd(ends[0]);
    const Fd write_end(ends[1]);
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    std::string shell = "sh";
    std::string flag = "-c";
    const std::array<char*, 4> arguments{shell.data(), flag.data(), command_.data(), nullptr};
    const int failure =
        ::posix_spawn(&pid_, "/bin/sh", &actions, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failure != 0) {
      pid_ = -1;
      return system_error("cannot start the meter's command", failure);
    }
    return {};
  }

  Result<std::vector<std::string>> take() override {
    if (pid_ < 0) return std::vector<std::string>{};
    const bool ended = drain();
    std::vector<std::string> lines = buffer_.lines();
    if (!ended || !lines.empty()) return lines;
    const int status = reap();
    if (restart_) return lines;
    return Error{Errc::lost, "the meter's command ended" + describe(status) + ": " + command_,
                 "run it by hand to see its messages"};
  }

  Result<void> again() override { return restart_ && pid_ < 0 ? start() : Result<void>(); }

  void wait(Seconds at_most) override {
    pollfd poll_fd{output_.get(), POLLIN, 0};
    ::poll(&poll_fd, 1, static_cast<int>(at_most.value() * 1e3));
  }

 private:
  /// Reads what is there; true at the end of the output.
  bool drain() {
    std::array<char, 4096> bytes{};
    for (;;) {
      const ssize_t n = ::read(output_.get(), bytes.data(), bytes.size());
      if (n > 0) {
        buffer_.append({bytes.data(), static_cast<std::size_t>(n)});
      } else if (n == 0) {
        buffer_.finish();
        return true;
      } else if (errno != EINTR) {
        return errno != EAGAIN;
      }
    }
  }

  static std::string describe(int status) {
    if (WIFEXITED(status)) return " with exit status " + std::to_string(WEXITSTATUS(status));
    if (WIFSIGNALED(status)) return " by signal " + std::to_string(WTERMSIG(status));
    return "";
  }

  int reap() {
    int status = 0;
    if (pid_ > 0 && ::waitpid(pid_, &status, 0) < 0) status = 0;
    pid_ = -1;
    output_.reset();
    return status;
  }

  void end() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGTERM);
    // A meter's reader has nothing to save: a tenth of a second is enough to close its device.
    for (int i = 0; i < 20; ++i) {
      if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = -1;
        return;
      }
      ::usleep(5000);
    }
    ::kill(-pid_, SIGKILL);
    reap();
  }

  std::string command_;
  bool restart_;
  pid_t pid_ = -1;
  Fd output_;
  LineBuffer buffer_;
};

class FileSource final : public LineSource {
 public:
  FileSource(std::filesystem::path path, Fd fd, off_t from)
      : path_(std::move(path)), fd_(std::move(fd)), at_(from) {}

  Result<std::vector<std::string>> take() override {
    follow();
    std::array<char, 4096> bytes{};
    for (;;) {
      const ssize_t n = ::pread(fd_.get(), bytes.data(), bytes.size(), at_);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error("cannot read " + path_.string(), errno);
      if (n == 0) return buffer_.lines();
      buffer_.append({bytes.data(), static_cast<std::size_t>(n)});
      at_ += n;
    }
  }

  void wait(Seconds at_most) override { ::usleep(static_cast<useconds_t>(at_most.value() * 1e6)); }

 private:
  /// Programs that rotate their logs rename the file or cut it.
  void follow() {
    struct stat held {};
    struct stat named {};
    if (::fstat(fd_.get(), &held) != 0 || ::stat(path_.c_str(), &named) != 0) return;
    const bool replaced = held.st_ino != named.st_ino || held.st_dev != named.st_dev;
    if (!replaced && named.st_size >= at_) return;
    Fd again(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!again) return;
    fd_ = std::move(again);
    at_ = 0;
    buffer_.clear();
  }

  std::filesystem::path path_;
  Fd fd_;
  off_t at_;
  LineBuffer buffer_;
};

}  // namespace

Result<std::unique_ptr<LineSource>> run_command(const std::string& command, bool restart) {
  auto source = std::make_unique<CommandSource>(command, restart);
  if (auto started = source->start(); !started) return started.error();
  return std::unique_ptr<LineSource>(std::move(source));
}

Result<std::unique_ptr<LineSource>> tail_file(const std::filesystem::path& path,
                                              std::string* first_line) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("cannot open the meter's file " + path.string(), errno);
  std::array<char, 4096> bytes{};
  const ssize_t n = ::pread(fd.get(), bytes.data(), bytes.size(), 0);
  if (n < 0) return system_error("cannot read the meter's file " + path.string(), errno);
  const std::string_view start(bytes.data(), static_cast<std::size_t>(n));
  if (first_line != nullptr) *first_line = trim(start.substr(0, start.find('\n')));
  const off_t end = ::lseek(fd.get(), 0, SEEK_END);
  return std::unique_ptr<LineSource>(
      std::make_unique<FileSource>(path, std::move(fd), end < 0 ? 0 : end));
}

}  // namespace ergo::meter
