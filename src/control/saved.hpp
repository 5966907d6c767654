#pragma once
// The state folder: limits found, one small text file per GPU and kind, and one lock per GPU.

#include "ergo/control/power_limit.hpp"
#include "ergo/core/files.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::control {

std::string format_saved(const SavedLimit& saved);
/// Errors: corrupt (also for a file that was cut off).
Result<SavedLimit> parse_saved(std::string_view text, const std::string& name);

/// The kernel's random name for the time since the last start of the machine.
Result<std::string> boot_id(const Environment& environment);

/// A process that can be told from a later one with the same pid.
struct Owner {
  int pid = 0;
  std::uint64_t start_ticks = 0;
};
Result<Owner> this_process(const Environment& environment);
bool is_alive(const Environment& environment, const Owner& owner);
/// The refusal that names who holds a GPU.
Error busy(const std::string& uuid, const Owner& owner);

/// Holds one GPU against other ergo processes until all copies of the descriptor are closed (a
/// forked guardian keeps its copy).
struct GpuLock {
  Fd fd;
  std::string uuid;
};

/// Reads and writes of the state folder. Whoever saves or removes holds the GPU's lock.
class StateFolder {
 public:
  explicit StateFolder(const Environment& environment) : environment_(environment) {}

  /// The boot that is running, as saved limits name it.
  [[nodiscard]] Result<std::string> boot() const { return boot_id(environment_); }

  /// Who holds a run's limit, if that is another process that lives.
  [[nodiscard]] std::optional<Owner> living_owner(const SavedLimit& saved) const;

  /// Makes the folder. Errors: permission (it cannot be made or belongs to somebody else), io.
  [[nodiscard]] Result<void> prepare() const;
  /// Errors: busy (names the owner), io, permission. Waits a few seconds for the guardian of an
  /// owner that has just died.
  [[nodiscard]] Result<GpuLock> lock(const std::string& uuid) const;

  [[nodiscard]] std::filesystem::path file(const std::string& uuid, SavedLimit::Kind kind) const;
  /// On disk, with its name, when this returns.
  [[nodiscard]] Result<void> save(const SavedLimit& saved) const;
  /// Errors: not_found, corrupt, io.
  [[nodiscard]] Result<SavedLimit> load(const std::string& uuid, SavedLimit::Kind kind) const;
  [[nodiscard]] Result<void> remove(const std::string& uuid, SavedLimit::Kind kind) const;
  /// Everything that is saved, by name of the file; damaged files become warnings. A missing folder
  /// is empty.
  [[nodiscard]] Result<std::vector<SavedState>> all(std::vector<std::string>& warnings) const;

 private:
  [[nodiscard]] Result<void> sync() const;

  Environment environment_;
};

/// What `sudo ergo` saved, as far as another user can see it; nothing where that cannot be read.
std::optional<std::vector<SavedState>> saved_by_root(const Environment& environment,
                                                     std::vector<std::string>& warnings);

}  // namespace ergo::control
