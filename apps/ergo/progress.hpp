#pragma once
// What happens while a command runs: a line on the terminal, samples into the store.

#include <string>

#include "ergo/experiment/runner.hpp"
#include "ergo/store/run_writer.hpp"

namespace ergo::cli {

/// Shows "run 2/5  12.3 s  gpu0 65.8 W" on stderr when that is a terminal, and passes samples on to `writer` (may be
/// null).
class Progress final : public RunEvents {
 public:
  Progress(std::string label, RunWriter* writer, Instant begin, bool show);
  void on_phase(std::string_view phase, std::optional<Seconds> length) override;
  void on_progress(const Timeline& timeline, Instant begin) override;
  void on_window(const MarkedWindow& window) override;
  void on_sample(const Timeline& timeline, SignalId id, const Sample& sample) override;
  /// Removes the line.
  void clear();

 private:
  void show(const std::string& text);

  std::string label_;
  RunWriter* writer_;
  Instant begin_;
  bool terminal_;
  bool shown_ = false;
};

}  // namespace ergo::cli
