#pragma once
// Time. Every stamp in the project is a CLOCK_MONOTONIC instant; wall time is attached only where
// people read it. Clocks are injected, so that a test moves time by hand (ManualClock) and never
// waits.

#include "ergo/core/units.hpp"

#include <atomic>
#include <compare>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace ergo {

/// A point on CLOCK_MONOTONIC, in nanoseconds.
struct Instant {
  std::int64_t ns = 0;
  auto operator<=>(const Instant&) const = default;
};

constexpr Seconds operator-(Instant a, Instant b) {
  return Seconds(static_cast<double>(a.ns - b.ns) * 1e-9);
}
constexpr Instant operator+(Instant a, Seconds d) {
  return Instant{a.ns + static_cast<std::int64_t>(d.value() * 1e9 + (d.value() < 0 ? -0.5 : 0.5))};
}
constexpr Instant operator-(Instant a, Seconds d) {
  return a + -d;
}

/// A pair of monotonic and wall-clock readings taken together: turns instants into dates.
struct WallAnchor {
  Instant monotonic;
  std::int64_t unix_ns = 0;

  static WallAnchor now();
  [[nodiscard]] std::int64_t unix_ns_at(Instant t) const { return unix_ns + (t.ns - monotonic.ns); }
  /// The instant of a wall-clock time (used for driver stamps in microseconds since 1970).
  [[nodiscard]] Instant instant_of_unix_ns(std::int64_t ns) const {
    return Instant{monotonic.ns + (ns - unix_ns)};
  }
  /// "2026-11-21T10:00:00.123Z".
  [[nodiscard]] std::string iso(Instant t) const;
};

/// Source of instants. Implementations are safe to use from several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const noexcept = 0;
  /// Waits until `t` (returns true) or until `stop` is requested (returns false).
  virtual bool sleep_until(Instant t, std::stop_token stop) = 0;
  /// The wall clock beside this one, by which dates that others wrote become instants.
  [[nodiscard]] virtual WallAnchor wall() const { return WallAnchor::now(); }
};

/// CLOCK_MONOTONIC.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override;
  bool sleep_until(Instant t, std::stop_token stop) override;
};

/// A clock that only moves when told to. Sleepers wake when `advance` or `set` passes their
/// instant.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant start = {}) : now_ns_(start.ns) {}
  [[nodiscard]] Instant now() const noexcept override { return Instant{now_ns_.load()}; }
  bool sleep_until(Instant t, std::stop_token stop) override;
  void advance(Seconds d) { set(now() + d); }
  void set(Instant t);
  [[nodiscard]] WallAnchor wall() const override;
  /// What its wall clock shows at instant 0, nanoseconds since 1970; the machine's wall clock
  /// without it.
  void set_wall_at_zero(std::int64_t unix_ns) { wall_at_zero_ns_ = unix_ns; }

 private:
  std::atomic<std::int64_t> now_ns_;
  std::optional<std::int64_t> wall_at_zero_ns_;
  std::mutex mutex_;
  std::condition_variable_any moved_;
};

/// CPU time (user and system) that the calling thread has used.
Seconds thread_cpu_time();
/// CPU time (user and system) that this process has used.
Seconds process_cpu_time();

}  // namespace ergo
