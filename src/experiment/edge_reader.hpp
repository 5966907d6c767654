#pragma once
// Readings at the edges of marked windows.

#include "ergo/sampling/sampler.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace ergo {

/// Reads at the edges of marked windows, on the thread that receives the marks. Knows no sampler
/// before the run has one, and none that is gone. Thread-safe.
class EdgeReader {
 public:
  void use(std::weak_ptr<Sampler> sampler) {
    const std::lock_guard lock(mutex_);
    sampler_ = std::move(sampler);
  }
  void read() {
    std::shared_ptr<Sampler> sampler;
    {
      const std::lock_guard lock(mutex_);
      sampler = sampler_.lock();
    }
    if (sampler) sampler->edge();
  }

 private:
  std::mutex mutex_;
  std::weak_ptr<Sampler> sampler_;
};

}  // namespace ergo
