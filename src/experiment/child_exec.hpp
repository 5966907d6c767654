#pragma once
// The steps of launch() on the child's side of the fork.

#include "ergo/experiment/child.hpp"

#include <csignal>
#include <string>
#include <vector>

namespace ergo {

/// Everything that the child needs, built before the fork: between fork and exec it may not
/// allocate.
struct ChildImage {
  std::vector<std::string> environment;
  std::vector<std::string> candidates;  ///< files to try, in order of PATH
  std::vector<char*> argv;
  std::vector<char*> shell_argv;  ///< for a script without "#!": /bin/sh FILE ARGUMENTS…
  std::vector<char*> envp;
};

/// What the child reports when it cannot start the command.
struct LaunchFailure {
  int stage;
  int error_number;
};
enum Stage { stage_user = 1, stage_exec = 2 };

/// The image points into `spec`, which must outlive it.
void build_image(const ChildSpec& spec, ChildImage& image);

/// fork(), or its like that is born in a cgroup: moving a process afterwards costs the kernel
/// milliseconds. Returns as fork() does.
pid_t fork_into(int cgroup_fd, bool& in_cgroup);

/// The child's life until exec: waits for one byte on `line`, then becomes the command, or writes a
/// LaunchFailure to `line` and exits.
[[noreturn]] void run_child(const ChildSpec& spec, ChildImage& image, const sigset_t& mask,
                            int line);

}  // namespace ergo
