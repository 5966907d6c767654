#pragma once
// Under sudo ergo has root's rights, but the program that it measures must not.

#include "ergo/experiment/runner.hpp"

namespace ergo::cli {

/// When this process is root through sudo: the command runs as the user who called sudo, with that
/// user's groups, HOME, USER, LOGNAME, SHELL and XDG_RUNTIME_DIR. Else nothing changes. Errors:
/// SUDO_UID or SUDO_GID is not a number.
Result<void> run_as_calling_user(RunnerOptions& options);

}  // namespace ergo::cli
