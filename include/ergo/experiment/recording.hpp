#pragma once
// Saves a run while it happens.

#include "ergo/experiment/runner.hpp"
#include "ergo/store/run_writer.hpp"

namespace ergo {

/// Passes samples and ended windows on to a store, and every event on to `next`. Both must outlive
/// it.
class RecordingEvents final : public RunEvents {
 public:
  /// `writer` may be null: then nothing is saved. Windows are stored relative to `begin`.
  RecordingEvents(RunWriter* writer, Instant begin, RunEvents& next)
      : writer_(writer), begin_(begin), next_(next) {}

  void on_phase(std::string_view phase, std::optional<Seconds> length) override {
    next_.on_phase(phase, length);
  }
  void on_progress(const Timeline& timeline, Instant begin) override {
    next_.on_progress(timeline, begin);
  }
  void on_window(const MarkedWindow& window) override;
  void on_sample(const Timeline& timeline, SignalId id, const Sample& sample) override;

 private:
  RunWriter* writer_;
  Instant begin_;
  RunEvents& next_;
};

}  // namespace ergo
