#pragma once
// Windows around any piece of code, for programs that measure themselves.
//
// docs/user/library.md has a complete example, and how to build and link it.
//
// Work that a GPU does asynchronously must be waited for (cudaDeviceSynchronize) before a window
// begins and ends.

#include "ergo/core/clock.hpp"
#include "ergo/core/environment.hpp"
#include "ergo/core/result.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/sensors/registry.hpp"
#include "ergo/store/records.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ergo {

struct MonitorOptions {
  Seconds period{0.1};  ///< between readings; each begin and end takes one more
  GpuSelection gpus;
};

/// Reads this machine's sensors on a thread of its own. Thread-safe: windows may be begun, ended
/// and cancelled from any thread; they may nest and overlap, also under one name. In a child made
/// by fork() begin() gives 0, end() and cancel() fail, and the rest is empty: start a new one.
class Monitor {
 public:
  using WindowId = std::uint64_t;

  /// Sensors that are missing are facts in discovery(), not errors. Errors: invalid_argument (the
  /// period).
  static Result<std::unique_ptr<Monitor>> start(const MonitorOptions& options = {});
  /// With an environment and a clock of the caller's; `clock` must outlive the monitor.
  static Result<std::unique_ptr<Monitor>> start(const Environment& environment,
                                                const MonitorOptions& options, Clock& clock);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Takes a reading and opens a window. 0, which is no window, after fork.
  WindowId begin(std::string name);
  /// Takes a reading and closes the window. `start` in the result counts from the monitor's start,
  /// `index` numbers the ended windows of one name. Errors: not_found (no such window is open),
  /// not_supported (after fork).
  Result<WindowRecord> end(WindowId window, std::optional<std::int64_t> count = std::nullopt);
  /// Forgets an open window. Errors as for end().
  Result<void> cancel(WindowId window);

  [[nodiscard]] std::size_t open_windows() const;
  /// What the `start` of windows counts from.
  [[nodiscard]] Instant started() const;
  [[nodiscard]] const Discovery& discovery() const;
  /// All readings so far. May be read while the monitor runs.
  [[nodiscard]] const Timeline& timeline() const;
  /// What went wrong so far: sensors that failed, windows without readings. Each once.
  [[nodiscard]] std::vector<std::string> warnings() const;
  /// CPU time that the monitor itself has used.
  [[nodiscard]] Seconds own_cpu() const;

 private:
  struct State;
  explicit Monitor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ergo
