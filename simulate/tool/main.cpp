// ergo-sim: a simulated GPU node for any program that reads NVML or sysfs.
#include "tool/options.hpp"
#include "tool/server.hpp"
#include "tool/truth.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace {

using ergo::Result;
using ergo::sim::NodeArguments;
using ergo::sim::Server;

constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

int fail(const ergo::Error& error) {
  fmt::print(stderr, "ergo-sim: {}\n", error.text());
  return kOwnFailure;
}

// The variables, then "ready"; then until a signal or the parent's death.
int serve(const NodeArguments& arguments) {
  ergo::sim::block_signals();
  auto server = Server::start(arguments);
  if (!server) return fail(server.error());
  for (const auto& [name, value] : server->variables())
    fmt::print("{}={}\n", name, value);
  fmt::print("ready\n");
  std::fflush(stdout);
  const bool child_of_parent = getppid() == arguments.parent_pid;
  const auto done = [&](int signal) {
    if (child_of_parent && getppid() != arguments.parent_pid) return true;
    const bool orphaned =
        arguments.parent_pid > 0 && kill(arguments.parent_pid, 0) != 0 && errno == ESRCH;
    return signal != 0 || orphaned;
  };
  if (auto served = server->serve(done); !served) return fail(served.error());
  return 0;
}

[[noreturn]] void become(const std::vector<std::string>& command, const Server& server) {
  for (const auto& [name, value] : server.variables())
    setenv(name.c_str(), value.c_str(), 1);
  ergo::sim::unblock_signals();
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& word : command)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  fmt::print(stderr, "ergo-sim: {}\n",
             ergo::system_error("cannot run " + command[0], errno).text());
  std::fflush(stderr);
  _exit(errno == ENOENT ? kNotFound : kNotExecutable);
}

// The command runs with the variables set; the node ends with it. Signals are passed on.
int run_inside(const NodeArguments& arguments, const std::vector<std::string>& command) {
  ergo::sim::block_signals();
  auto server = Server::start(arguments);
  if (!server) return fail(server.error());
  const pid_t child = fork();
  if (child < 0) return fail(ergo::system_error("cannot start a process", errno));
  if (child == 0) become(command, *server);
  int status = 0;
  const auto done = [&](int signal) {
    if (signal != 0) kill(child, signal);
    return waitpid(child, &status, WNOHANG) == child;
  };
  if (auto served = server->serve(done); !served) return fail(served.error());
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A simulated GPU node: an NVML library and a sysfs tree that know the true energy"};
  app.require_subcommand(1);
  NodeArguments node;
  std::vector<std::string> command;
  ergo::sim::TruthArguments truth;

  CLI::App* serving = app.add_subcommand("serve", "Make a node and keep it until SIGTERM");
  ergo::sim::add_node_options(*serving, node);
  serving->add_option("--parent-pid", node.parent_pid, "End when this process does");

  CLI::App* inside =
      app.add_subcommand("env", "Make a node and run a command inside it: ergo-sim env -- COMMAND");
  ergo::sim::add_node_options(*inside, node);
  inside->add_option("command", command, "The command and its arguments")->required();
  inside->positionals_at_end();

  CLI::App* asking = app.add_subcommand("truth", "Print the true energy of a node's devices");
  ergo::sim::add_truth_options(*asking, truth);

  CLI::App* moving = app.add_subcommand("advance", "Move a node's manual clock");
  ergo::sim::add_advance_options(*moving, truth);

  CLI11_PARSE(app, argc, argv);
  if (*serving) return serve(node);
  if (*inside) return run_inside(node, command);
  const Result<std::string> said =
      *asking ? ergo::sim::tell_truth(truth) : ergo::sim::advance_clock(truth);
  if (!said) return fail(said.error());
  fmt::print("{}", *said);
  return 0;
}
