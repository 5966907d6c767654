#pragma once
// Small files that the kernel makes up on each read: sysfs attributes. Used by the backends that
// read /sys. Nothing here opens a file for writing.

#include "ergo/core/environment.hpp"
#include "ergo/core/files.hpp"
#include "ergo/core/result.hpp"
#include "ergo/sensors/signal.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ergo::sysfs {

/// A file that stays open and is read from its start each time (one system call, no path walk).
/// When it was replaced by another file of the same name (a stand-in root that is updated by
/// rename) the new one is opened.
class Attribute {
 public:
  /// Errors: not_found, permission, io.
  static Result<Attribute> open(std::filesystem::path path);

  /// Reads up to buffer.size() bytes; 0 means that the file was empty at this instant (it is being
  /// rewritten). Errors: `lost` when the device or its file is gone; io otherwise: this read
  /// failed, the next may not.
  Result<std::size_t> read(std::span<char> buffer);

  /// A decimal number surrounded by blanks. Absent: the file was empty at this instant, try at the
  /// next tick. Errors: as read(), and `corrupt` when the text is not a finite number.
  Result<std::optional<double>> number();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Attribute(std::filesystem::path path, Fd fd, bool replaceable)
      : path_(std::move(path)), fd_(std::move(fd)), replaceable_(replaceable) {}
  [[nodiscard]] bool was_replaced() const;

  std::filesystem::path path_;
  Fd fd_;
  bool replaceable_;  ///< it lies in an ordinary folder in place of /sys
};

/// First line of a small file without surrounding blanks; absent when it cannot be read.
std::optional<std::string> text(const std::filesystem::path& path);
/// The same as a number.
std::optional<double> number(const std::filesystem::path& path);

/// Names in a folder, sorted so that numbers in them count ("card2" before "card10"). Empty when it
/// cannot be read.
std::vector<std::string> entries(const std::filesystem::path& folder);

/// The number after `prefix` in `name` ("card12", "card" -> 12); absent when `name` is anything
/// else.
std::optional<int> number_after(std::string_view name, std::string_view prefix);

/// What readings from this root are: `simulated` when a stand-in root says so with a file named
/// `ergo-simulated`, else `measured` (a stand-in may be the true /sys, mounted elsewhere in a
/// container).
Provenance provenance(const Environment& environment);

/// A simulated folder is rewritten every 10 ms, whatever the hardware does that it stands for:
/// makes the update period of a simulated signal at least that long, and says so in its basis.
void limit_to_simulation(SignalInfo& info);

}  // namespace ergo::sysfs
