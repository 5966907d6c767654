#pragma once
// The unlinked file that takes the samples which no longer fit in memory. Internal to sampling/.

#include "ergo/core/files.hpp"
#include "ergo/core/result.hpp"
#include "ergo/sensors/signal.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace ergo::sampling_detail {

/// Thread-safety: one writer; read() from any thread while the writer appends.
class SpillFile {
 public:
  /// `folder` empty: $TMPDIR, else /var/tmp (which, unlike /tmp, is on a disk).
  explicit SpillFile(std::string folder) : folder_(std::move(folder)) {}

  /// Opens the file at the first use. Returns the offset at which the samples lie.
  Result<std::int64_t> append(std::span<const Sample> samples);
  /// Fills `out` from `offset`. False when the file cannot be read.
  [[nodiscard]] bool read(std::int64_t offset, std::span<Sample> out) const;

 private:
  Result<void> open();

  std::string folder_;
  Fd fd_;
  std::int64_t size_ = 0;
};

}  // namespace ergo::sampling_detail
