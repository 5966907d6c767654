#pragma once
// Lines of text that a command prints or that a file gains. Never blocks unless asked to wait.

#include "ergo/core/files.hpp"
#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace ergo::meter {

class LineSource {
 public:
  virtual ~LineSource() = default;
  /// The lines that are complete by now, without their ends. Errors: `lost` when there will be no
  /// more.
  virtual Result<std::vector<std::string>> take() = 0;
  /// Starts a command that has ended once more; nothing for others. Errors: io.
  virtual Result<void> again() { return {}; }
  /// Waits until there may be something to take, at most this long.
  virtual void wait(Seconds at_most) = 0;
};

/// A shell command in a process group of its own, ended with the object. Its error output is
/// dropped. With `restart` its end is no loss: again() starts it anew. Errors: io.
Result<std::unique_ptr<LineSource>> run_command(const std::string& command, bool restart);

/// What is appended to a file from now on; `first_line`, if wanted, is the header that stands in it
/// already. A file that is replaced or cut is read from its start. Errors: not_found, permission,
/// io.
Result<std::unique_ptr<LineSource>> tail_file(const std::filesystem::path& path,
                                              std::string* first_line);

}  // namespace ergo::meter
