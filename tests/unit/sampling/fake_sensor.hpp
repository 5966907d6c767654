#pragma once
// A sensor whose every read is a function of the test.

#include "ergo/sensors/sensor.hpp"

#include <atomic>
#include <functional>
#include <string>
#include <utility>

namespace ergo::testing {

class FakeSensor final : public Sensor {
 public:
  using Read = std::function<Result<void>(const Clock&, Batch&)>;

  FakeSensor(std::string name, Read read) : read_(std::move(read)) {
    name_ = std::move(name);
    SignalInfo info;
    info.name = name_ + ".value";
    signals_.push_back(info);
  }
  void pace() { paces_ = true; }
  [[nodiscard]] bool paces() const override { return paces_; }
  /// Reads so far that were announced as the edge of a window.
  [[nodiscard]] int at_edges() const { return at_edges_; }
  void say(std::string text) { notices_.push_back(std::move(text)); }

 private:
  Result<void> do_read(const Clock& clock, Batch& out) override {
    if (take_edge() == Edge::window) ++at_edges_;
    return read_(clock, out);
  }
  Read read_;
  bool paces_ = false;
  std::atomic<int> at_edges_ = 0;
};

/// Yields the number of the read, stamped now.
inline FakeSensor::Read counting() {
  return [n = 0.0](const Clock& clock, Batch& out) mutable -> Result<void> {
    out.add(0, n++, clock.now(), clock.now());
    return {};
  };
}

}  // namespace ergo::testing
