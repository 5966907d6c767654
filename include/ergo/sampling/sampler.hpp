#pragma once
// The one thread that reads sensors.

#include "ergo/core/clock.hpp"
#include "ergo/core/result.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/sensors/sensor.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace ergo {

struct SamplerOptions {
  Seconds period{0.1};  ///< 1 ms to 1 s and more
};

/// What the sampler did and what it cost.
struct SamplerStats {
  std::uint64_t ticks = 0;
  std::uint64_t samples = 0;
  std::uint64_t late_ticks = 0;  ///< ticks that started more than half a period late
  std::uint64_t missed_ticks =
      0;             ///< ticks skipped altogether because an earlier one took too long
  Seconds cpu{0.0};  ///< CPU time of the sampler's thread
  struct PerSensor {
    std::string name;
    std::uint64_t reads = 0;
    std::uint64_t failures = 0;
    Seconds mean_call{0.0};
    Seconds max_call{0.0};
    bool lost = false;
  };
  std::vector<PerSensor> sensors;
};

/// Reads the sensors once per period on a thread of its own and appends to a timeline.
/// A sensor that answers `lost` is asked no more; any failure becomes a gap with its reason. Never
/// throws from its thread.
class Sampler {
 public:
  /// Called on the sampler's thread after each tick with what was read (to store it). Must not
  /// block for long.
  using Observer = std::function<void(const Timeline&, SignalId, const Sample&)>;

  /// `sensors`, `timeline` and `clock` must outlive the sampler. Declares the signals in
  /// `timeline`.
  Sampler(const std::vector<Sensor*>& sensors, Timeline& timeline, Clock& clock,
          SamplerOptions options, Observer observer = {});
  ~Sampler();  ///< stops
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// Takes a first reading before it returns, so that a window that begins afterwards is covered
  /// from its first instant.
  void start();
  /// Takes a last reading, then ends the thread. Idempotent.
  void stop();
  /// One reading now, on the calling thread, beside those of the sampler's own: the edge of a
  /// window. Thread-safe.
  void tick();
  /// As tick(), but of those sensors alone that pace themselves, and of each at most once a period
  /// and for 1 % of the time: cheap enough for the edges of many short windows. Does nothing before
  /// start() and after stop(). Thread-safe.
  void edge();

  [[nodiscard]] SamplerStats stats() const;
  /// Notices of the sensors so far, each once ("gpu0: fell off the bus; no readings from 12.3 s
  /// on").
  [[nodiscard]] std::vector<std::string> notices() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ergo
