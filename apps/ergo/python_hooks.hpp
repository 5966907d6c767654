#pragma once
// The hooks that mark epochs and steps of Python programs: a folder in front of the child's
// PYTHONPATH.

#include <optional>
#include <string>

namespace ergo::cli {

/// The folder that belongs to this ergo, in the build tree as after an installation; none when it
/// is not there.
std::optional<std::string> python_hooks_folder();

/// `python_path` with the folder in front, once. Python reads an empty entry as the current folder,
/// so none is made.
std::string with_hooks(const std::string& folder, const char* python_path);

}  // namespace ergo::cli
