#pragma once
// Power limits of GPUs (NVIDIA's through NVML, AMD's through amdgpu's hwmon files): found, set,
// verified and put back. Nothing else in Ergometer writes to hardware.
//
// The limit found is on disk, synced, before the first write, and a guardian process in a session
// of its own watches over this one. So the limit found comes back on a normal end, an exception, a
// signal, `kill -9` of this process and of its whole process group. After a power loss the driver
// itself starts with its default.

#include "ergo/core/environment.hpp"
#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"
#include "ergo/sensors/registry.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ergo::control {

/// The limits of one GPU as the driver tells them; what it does not tell is absent.
struct GpuLimits {
  unsigned index = 0;  ///< as in "gpu0"
  std::string uuid;
  std::string name;
  bool simulated = false;
  std::optional<Watts> set;       ///< the limit that was asked of the driver
  std::optional<Watts> enforced;  ///< the lowest of all limiters
  std::optional<Watts> standard;  ///< the driver's default
  std::optional<Watts> min;
  std::optional<Watts> max;
  /// NVIDIA's persistence mode. Off: the driver forgets a limit that was set as soon as no program
  /// uses the GPU any more.
  std::optional<bool> persistent;
  /// Why this GPU's limit cannot be set whatever the user's rights (MIG, not supported); empty: it
  /// can.
  std::string refusal;
};

/// A limit found, as saved in Environment::state_dir.
struct SavedLimit {
  enum class Kind {
    run,   ///< restored when its owner ends
    kept,  ///< set by keep_power_limit, until restore_all
  };
  Kind kind = Kind::run;
  std::string uuid;
  std::string boot_id;
  int pid = 0;                    ///< the owner
  std::uint64_t start_ticks = 0;  ///< of the owner: a pid alone may be used again
  Watts found{0.0};
  Watts asked{0.0};
};

/// A saved limit and what became of its owner.
struct SavedState {
  SavedLimit saved;
  std::filesystem::path file;
  bool owner_alive = false;
  bool this_boot = false;  ///< false: the machine was restarted since, which reset the limit
  bool of_root = false;    ///< saved by `sudo ergo`: only root may restore it
};

struct Overview {
  std::vector<GpuLimits> gpus;
  std::optional<Error> no_gpus;  ///< why no GPU can be asked at all: no library, no driver
  std::vector<SavedState> saved;
  std::vector<std::string> warnings;  ///< choices that cannot be honoured, damaged files
};

/// What was done, or would be done, to one GPU.
struct LimitChange {
  unsigned index = 0;
  std::string uuid;
  Watts found{0.0};
  Watts asked{0.0};
  Watts set{0.0};       ///< read back after the write; differs from `asked` when the driver clamps
  Watts enforced{0.0};  ///< the lowest of all limiters: what the work runs under
};

struct LimitOptions {
  /// The command that starts the guardian: it must call guardian_main() with the words that follow.
  std::vector<std::string> guardian{"ergo", "limits", "guardian"};
};

/// Holds a power limit on one or more GPUs and puts the limits found back when it goes. One thread.
class PowerLimitGuard {
 public:
  PowerLimitGuard(const PowerLimitGuard&) = delete;
  PowerLimitGuard& operator=(const PowerLimitGuard&) = delete;
  /// restore(); what fails stays on disk for `ergo limits restore`.
  ~PowerLimitGuard();

  [[nodiscard]] const std::vector<LimitChange>& changes() const;
  /// What the user should know: a clamp, a limit taken over from a run that died.
  [[nodiscard]] const std::vector<std::string>& warnings() const;
  /// The lowest limit enforced on any of the GPUs.
  [[nodiscard]] Watts enforced() const;

  /// Reads the limits again (some microseconds per GPU) and remembers what it saw: why a run
  /// under this limit is invalid (clamped, changed by another program, GPU lost), or nothing. A
  /// guardian that was killed is started again, and limits found that were removed from disk are
  /// saved again, with a warning.
  std::optional<std::string> check();

  /// Sets another limit on the same GPUs; the limits found stay the ones that come back. What
  /// check() saw before is kept. Errors: as set_power_limit(); some GPUs may have the new limit
  /// then.
  Result<void> change(Watts limit);

  /// Puts the limits found back, verifies them and removes what was saved. A second call does
  /// nothing. Errors: lost, permission, io; the remedy is the command to run later.
  Result<void> restore();

 private:
  friend Result<std::unique_ptr<PowerLimitGuard>> set_power_limit(const Environment&,
                                                                  std::span<const std::string>,
                                                                  Watts, const LimitOptions&);
  struct State;
  explicit PowerLimitGuard(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Sets `limit` on every GPU of `uuids`, for as long as the guard lives. Either all are set or
/// none. A limit that a dead run left behind is put right first. Errors: busy (another process
/// holds a limit; its pid is named), invalid_argument (outside what the GPU allows), permission (to
/// write limits, or to write the state folder), not_supported (MIG, no such function), not_found,
/// lost, io. Nothing is written to any card unless the limits found are safely on disk.
/// Cost: starting one process, tens of milliseconds with a real driver.
Result<std::unique_ptr<PowerLimitGuard>> set_power_limit(const Environment& environment,
                                                         std::span<const std::string> uuids,
                                                         Watts limit,
                                                         const LimitOptions& options = {});

/// The same checks, but nothing is written, neither to a card nor to disk.
Result<std::vector<LimitChange>> plan_power_limit(const Environment& environment,
                                                  std::span<const std::string> uuids, Watts limit);

/// Sets `limit` until restore_all() or a restart, on all GPUs or on none. The first limit found
/// stays the one saved.
Result<std::vector<LimitChange>> keep_power_limit(const Environment& environment,
                                                  std::span<const std::string> uuids, Watts limit);

/// The chosen GPUs' limits and everything that is saved. Only reads. Errors: the state folder
/// cannot be read.
Result<Overview> list(const Environment& environment, const GpuSelection& gpus);

/// One saved limit and what restore_all() did, or would do, about it.
struct Restored {
  enum class Outcome {
    restored,   ///< the limit found is in force again
    discarded,  ///< of an earlier boot: the driver has reset the limit, the file is removed
    in_use,     ///< its owner runs and will restore it
    failed,     ///< see `error`; the file is kept
  };
  SavedLimit saved;
  Outcome outcome = Outcome::restored;
  std::optional<Error> error;
};

/// How people should type a command that sets limits: "sudo ergo", "doas ergo" or "pkexec ergo"
/// where this process was started so, else "ergo".
std::string ergo_as_typed();

/// Limits that a process which died has left set, on any GPU: those of this boot that nobody will
/// put back by itself. When there are any, waits up to `patience` for a guardian that may be just
/// at work. What cannot be read is left out. Only reads.
std::vector<SavedState> left_over(const Environment& environment, Seconds patience = Seconds(1.0));

/// Puts right what died and left a limit on one of these GPUs; what to tell the user. Every
/// set_power_limit() does this by itself: it is for who reads the limit first. Errors: as there.
Result<std::vector<std::string>> recover_left_over(const Environment& environment,
                                                   std::span<const std::string> uuids);

/// Puts back every limit that is saved and that no living process holds. An empty answer: nothing
/// was saved. Errors: io, permission (the state folder cannot be read).
Result<std::vector<Restored>> restore_all(const Environment& environment, bool dry_run = false);

/// The guardian's life: waits for the end of the process that started it, and restores what that
/// one has not. `words` are those that set_power_limit() appended to LimitOptions::guardian.
/// Returns an exit status.
int guardian_main(std::span<const std::string> words);

}  // namespace ergo::control
