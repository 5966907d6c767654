#pragma once
// sudo, doas or pkexec for ergo alone: the command that is measured runs as the user who typed it,
// with that user's groups and environment.

#include "ergo/core/result.hpp"
#include "ergo/experiment/runner.hpp"

namespace ergo::cli {

/// Under sudo, doas or pkexec: CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER of the user who typed it,
/// which these drop, hold for ergo as well, so that it touches the GPUs that the user means and no
/// others. Call it once, before anything reads them.
void adopt_choice_of_gpus();

/// Under sudo, doas or pkexec the command becomes the calling user's; otherwise nothing changes.
/// Variables given on the command line of these, or kept by them, stay. Errors: invalid_argument
/// when SUDO_UID, SUDO_GID, DOAS_USER or PKEXEC_UID is damaged or two of them name different users;
/// not_found when it names a user whom this machine does not know.
Result<void> run_as_calling_user(RunnerOptions& options);

/// For `--sim`, where nothing needs root: under sudo, doas or pkexec starts this program again as
/// the calling user and does not return. So the simulated node belongs to the user, whose programs
/// can use it, and nothing that they can change is read by root. Returns where there is no such
/// user. Errors: as run_as_calling_user(), permission.
Result<void> start_again_as_calling_user(char** argv);

}  // namespace ergo::cli
