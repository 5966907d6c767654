#include "ergo/core/clock.hpp"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

namespace ergo {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;

std::int64_t read_clock_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<std::int64_t>(t.tv_sec) * ns_per_s + t.tv_nsec;
}

}  // namespace

Instant SystemClock::now() const noexcept {
  return Instant{read_clock_ns(CLOCK_MONOTONIC)};
}

/// One system call per wait and next to no memory: a condition variable takes a second call, to
/// wake nobody, each time that it runs out.
bool SystemClock::sleep_until(Instant t, std::stop_token stop) {
  std::atomic<std::uint32_t> woken = 0;
  const std::stop_callback on_stop(stop, [&] {
    woken = 1;
    ::syscall(SYS_futex, &woken, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  });
  const timespec until{static_cast<std::time_t>(t.ns / ns_per_s),
                       static_cast<long>(t.ns % ns_per_s)};
  // Ends by the time (CLOCK_MONOTONIC), a stop request, or for no reason.
  while (woken == 0 && now() < t) {
    ::syscall(SYS_futex, &woken, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, nullptr,
              FUTEX_BITSET_MATCH_ANY);
  }
  return !stop.stop_requested();
}

bool ManualClock::sleep_until(Instant t, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, stop, [&] { return now() >= t; });
  return !stop.stop_requested();
}

void ManualClock::set(Instant t) {
  {
    const std::lock_guard lock(mutex_);
    now_ns_ = t.ns;
  }
  moved_.notify_all();
}

WallAnchor ManualClock::wall() const {
  const Instant at = now();
  return wall_at_zero_ns_ ? WallAnchor{at, *wall_at_zero_ns_ + at.ns} : WallAnchor::now();
}

WallAnchor WallAnchor::now() {
  const std::int64_t before = read_clock_ns(CLOCK_MONOTONIC);
  const std::int64_t wall = read_clock_ns(CLOCK_REALTIME);
  const std::int64_t after = read_clock_ns(CLOCK_MONOTONIC);
  return {Instant{before + (after - before) / 2}, wall};
}

std::string WallAnchor::iso(Instant t) const {
  const std::int64_t ns = unix_ns_at(t);
  const auto seconds = static_cast<std::time_t>(ns / ns_per_s);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ns % ns_per_s / 1'000'000);
}

Seconds thread_cpu_time() {
  return Seconds(static_cast<double>(read_clock_ns(CLOCK_THREAD_CPUTIME_ID)) * 1e-9);
}
Seconds process_cpu_time() {
  return Seconds(static_cast<double>(read_clock_ns(CLOCK_PROCESS_CPUTIME_ID)) * 1e-9);
}

}  // namespace ergo
