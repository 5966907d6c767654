#include "ergo/sensors/sensor.hpp"

namespace ergo {

void Batch::add(std::size_t signal, double value, Instant before, Instant after) {
  const std::int64_t distance = after.ns - before.ns;
  entries_.push_back({signal, Sample{Instant{before.ns + distance / 2}, value,
                                     static_cast<float>(static_cast<double>(distance) * 0.5e-9)}});
}

void Batch::drop_before(Instant oldest) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.sample.time < oldest; });
}

double WrapCounter::update(double raw, bool* fell) {
  if (fell != nullptr) *fell = false;
  if (first_) {
    first_ = false;
    last_ = raw;
    return 0.0;
  }
  double step = raw - last_;
  if (step < 0) {
    if (range_ > 0) {
      step += range_;
    } else {
      step = 0;
      if (fell != nullptr) *fell = true;
    }
  }
  last_ = raw;
  return total_ += step;
}

}  // namespace ergo
