#include "simulated_node.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace ergo::cli {
namespace {

/// ergo-sim lies beside ergo, in the build folder as after an installation.
std::filesystem::path program() {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  return failure ? std::filesystem::path("ergo-sim") : self.parent_path() / "ergo-sim";
}

struct Started {
  int pid = -1;
  Fd output;
};

Result<Started> spawn(const std::string& models, unsigned long long seed) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("cannot make a pipe", errno);
  Fd reading(ends[0]);
  const Fd writing(ends[1]);
  const std::string path = program().string();
  std::array<std::string, 8> words{path,           "serve",
                                   "--gpus",       models,
                                   "--seed",       std::to_string(seed),
                                   "--parent-pid", std::to_string(::getpid())};
  std::array<char*, 9> argv{};
  for (std::size_t i = 0; i < words.size(); ++i)
    argv[i] = words[i].data();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
  Started started;
  const int failure =
      ::posix_spawn(&started.pid, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    Error error = system_error("cannot start the simulated node " + path, failure);
    error.remedy = "build or install ergo-sim beside ergo";
    return error;
  }
  started.output = std::move(reading);
  return started;
}

/// Everything up to "ready", or all there is when the program ends before.
std::string read_until_ready(int fd) {
  std::string text;
  std::array<char, 512> buffer{};
  while (text.find("ready\n") == std::string::npos) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace

Result<SimulatedNode> SimulatedNode::start(const std::string& models, unsigned long long seed) {
  auto started = spawn(models, seed);
  if (!started) return started.error();
  SimulatedNode node(started->pid);
  const std::string text = read_until_ready(started->output.get());
  if (!text.ends_with("ready\n")) {
    int status = 0;
    ::waitpid(std::exchange(node.pid_, -1), &status, 0);
    const std::string what = "the simulated node '" + models + "' did not start";
    if (WIFSIGNALED(status)) {
      return Error{Errc::io,
                   what + ": ergo-sim was ended by signal " + std::to_string(WTERMSIG(status)),
                   "it needs room for a file in " +
                       std::filesystem::temp_directory_path().string() + " (see ulimit -f)"};
    }
    return Error{Errc::invalid_argument, what,
                 "models are v100, t4, k80, a100, h200; several are joined by commas"};
  }
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    ::setenv(std::string(line.substr(0, equals)).c_str(),
             std::string(line.substr(equals + 1)).c_str(), 1);
    // Two nodes may show GPUs with the same UUID: the saved limits of one are none of the other's.
    if (line.substr(0, equals) == "ERGO_SIM_STATE") {
      const auto folder = std::filesystem::path(line.substr(equals + 1)).parent_path() / "limits";
      ::setenv("ERGO_STATE_DIR", folder.c_str(), 0);
    }
  }
  return node;
}

SimulatedNode::SimulatedNode(SimulatedNode&& o) noexcept : pid_(std::exchange(o.pid_, -1)) {}

SimulatedNode& SimulatedNode::operator=(SimulatedNode&& o) noexcept {
  std::swap(pid_, o.pid_);
  return *this;
}

SimulatedNode::~SimulatedNode() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace ergo::cli
