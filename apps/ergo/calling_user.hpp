#pragma once
// sudo for ergo alone: the command that is measured runs as the user who typed it, with that user's
// groups and environment.

#include "ergo/core/result.hpp"
#include "ergo/experiment/runner.hpp"

namespace ergo::cli {

/// Under sudo: CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER of the user who typed it, which sudo
/// drops, hold for ergo as well, so that it touches the GPUs that the user means and no others.
/// Call it once, before anything reads them.
void adopt_choice_of_gpus();

/// Under sudo, the command becomes the calling user's; otherwise nothing changes. Variables given
/// on sudo's command line or kept by --preserve-env stay. Errors: invalid_argument when SUDO_UID or
/// SUDO_GID is no number.
Result<void> run_as_calling_user(RunnerOptions& options);

}  // namespace ergo::cli
