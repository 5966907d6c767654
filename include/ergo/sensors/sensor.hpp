#pragma once
// The one interface that every backend implements.

#include "ergo/core/clock.hpp"
#include "ergo/core/result.hpp"
#include "ergo/sensors/signal.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ergo {

/// What one read yielded: (index into Sensor::signals(), sample). Reused between ticks to avoid
/// allocation.
class Batch {
 public:
  struct Entry {
    std::size_t signal;
    Sample sample;
  };

  /// Adds a value read between `before` and `after`.
  void add(std::size_t signal, double value, Instant before, Instant after);
  void clear() { entries_.clear(); }
  /// Removes what was read before `begin`.
  void drop_before(Instant oldest);
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

/// A device that can be read. Only reads: nothing a sensor does changes the machine.
/// Thread-safety: one thread at a time; the sampler's thread during a run.
class Sensor {
 public:
  virtual ~Sensor() = default;
  Sensor() = default;
  Sensor(const Sensor&) = delete;
  Sensor& operator=(const Sensor&) = delete;

  /// For people: "GPU 0 (Tesla V100)", "RAPL package 0 (perf)".
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Fixed from construction on.
  [[nodiscard]] const std::vector<SignalInfo>& signals() const { return signals_; }

  /// Reads all signals that are due, in as few vendor calls as possible, and appends them to `out`.
  /// Signals that could not be read this time are left out of `out`; that alone is no error.
  /// Errors: `lost` = the device is gone, do not ask again; anything else = this tick failed, try
  /// at the next one. Notices for people (a counter that restarted, a clamped value) are collected
  /// and handed out by take_notices().
  Result<void> read(const Clock& clock, Batch& out) { return do_read(clock, out); }

  /// Some signals are read more rarely than asked because reading them is dear (a driver call of
  /// milliseconds). They are read at the first read, once in a while, and after expect_edge().
  [[nodiscard]] virtual bool paces() const { return false; }
  /// Something begins or ends about now. Of a window, the next read leaves no energy out; of the
  /// run, it leaves nothing out.
  enum class Edge { none, window, run };
  void expect_edge(Edge edge) { edge_ = std::max(edge_, edge); }

  /// Notices since the last call, each once.
  std::vector<std::string> take_notices() { return std::exchange(notices_, {}); }

 protected:
  virtual Result<void> do_read(const Clock& clock, Batch& out) = 0;
  /// The edge announced since the last call, if any.
  Edge take_edge() { return std::exchange(edge_, Edge::none); }

  std::string name_;
  std::vector<SignalInfo> signals_;
  std::vector<std::string> notices_;

 private:
  Edge edge_ = Edge::none;
};

/// Undoes the wrap of a counter of `range` distinct values (0 = does not wrap).
/// Example: WrapCounter c(1u << 32); c.update(raw) grows monotonically from 0.
class WrapCounter {
 public:
  explicit WrapCounter(double range = 0.0) : range_(range) {}
  /// The distance from the first raw value. A fall without a range, or after `restart`, counts as a
  /// restart at 0: what was counted so far is kept. Sets `fell` when that happened.
  double update(double raw, bool* fell = nullptr);

 private:
  double range_;
  double last_ = 0.0;
  double total_ = 0.0;
  bool first_ = true;
};

}  // namespace ergo
