#include "ergo/core/clock.hpp"

#include <fmt/format.h>

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

bool SystemClock::sleep_until(Instant t, std::stop_token stop) {
  // A condition variable wakes at once on a stop request; its steady clock is CLOCK_MONOTONIC on
  // Linux. condition_variable_any takes the token itself, but allocates memory at every call.
  std::mutex mutex;
  std::condition_variable wake;
  const std::stop_callback on_stop(stop, [&] {
    const std::lock_guard seen_or_waiting(mutex);
    wake.notify_one();
  });
  std::unique_lock lock(mutex);
  const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(t.ns)};
  wake.wait_until(lock, until, [&] { return stop.stop_requested() || now() >= t; });
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
