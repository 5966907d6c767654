#pragma once
// Readings at the edges of marked windows.

#include "ergo/experiment/marks.hpp"
#include "ergo/sampling/sampler.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace ergo {

/// Reads at the edges of marked windows, on the thread that receives the marks, but not at those
/// of windows whose last one of that name was short: steps of a training would leave no reading for
/// its epochs, and disturb the driver at each. Knows no sampler before the run has one, and none
/// that is gone. Thread-safe.
class EdgeReader {
 public:
  /// Shorter windows come too often to be read at.
  static constexpr Seconds short_window{0.5};

  void use(std::weak_ptr<Sampler> sampler);
  void at(const MarkMessage& mark);

 private:
  struct Name {
    Instant begun;
    bool is_short = false;
  };
  bool worth_reading(const MarkMessage& mark);

  std::mutex mutex_;
  std::weak_ptr<Sampler> sampler_;
  std::unordered_map<std::string, Name> names_;
};

}  // namespace ergo
