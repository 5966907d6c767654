#pragma once
// The process that outlives ergo. Started before the first write to a card; see guardian_main().

#include "control/saved.hpp"

#include <span>
#include <string>
#include <vector>

namespace ergo::control {

/// This process's end of the line to its guardian.
class Guardian {
 public:
  Guardian() = default;
  Guardian(Guardian&& o) noexcept : line_(std::move(o.line_)), pid_(o.pid_) {}
  Guardian& operator=(Guardian&& o) noexcept;
  ~Guardian() { dismiss(); }

  /// Returns once the guardian has found the saved limits and can reach the cards. It holds copies
  /// of `locks`. Errors: not_found (the command), unavailable, or what kept it from its work.
  static Result<Guardian> start(const std::vector<std::string>& command,
                                const Environment& environment, std::span<const GpuLock> locks);

  /// False: somebody has ended it.
  [[nodiscard]] bool alive() const;
  /// Everything is restored: the guardian has heard it, and as a rule has ended, when this returns.
  void dismiss();
  /// Ends the line as the death of this process would: the guardian restores what is still saved.
  void abandon() { line_.reset(); }

 private:
  Fd line_;
  int pid_ = -1;
};

}  // namespace ergo::control
