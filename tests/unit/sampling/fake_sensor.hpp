#pragma once
// A sensor whose every read is a function of the test.

#include "ergo/sensors/sensor.hpp"

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
  void say(std::string text) { notices_.push_back(std::move(text)); }

 private:
  Result<void> do_read(const Clock& clock, Batch& out) override { return read_(clock, out); }
  Read read_;
  bool paces_ = false;
};

/// Yields the number of the read, stamped now.
inline FakeSensor::Read counting() {
  return [n = 0.0](const Clock& clock, Batch& out) mutable -> Result<void> {
    out.add(0, n++, clock.now(), clock.now());
    return {};
  };
}

}  // namespace ergo::testing
