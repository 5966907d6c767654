#pragma once
// Readings over time. One timeline holds every signal of a run; its memory is bounded: old samples
// move to an unlinked file in $TMPDIR and are read back when a window asks for them.

#include "ergo/core/clock.hpp"
#include "ergo/core/result.hpp"
#include "ergo/sensors/signal.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// Index of a signal in a timeline.
using SignalId = std::uint32_t;

/// A stretch in which a signal (or, without one, the whole sampler) was not read.
struct Gap {
  std::optional<SignalId> signal;
  Instant from;
  Instant to;
  std::string reason;
};

struct TimelineOptions {
  /// Samples kept in memory over all signals; older ones are spilled.
  std::size_t memory_samples = std::size_t{1} << 20;
  /// Where the unlinked file lies. Empty: $TMPDIR, else /var/tmp.
  std::string spill_folder;
};

/// Thread-safety: one writer, any number of readers, at the same time.
class Timeline {
 public:
  explicit Timeline(TimelineOptions options = {});
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  /// Declares a signal. Names are unique; declaring a known name returns its id.
  SignalId add(SignalInfo info);
  [[nodiscard]] std::size_t signal_count() const;
  [[nodiscard]] const SignalInfo& info(SignalId id) const;
  [[nodiscard]] std::optional<SignalId> find(std::string_view name) const;

  /// Appends a sample. Times of one signal must not fall; a sample that would is dropped and
  /// counted.
  void append(SignalId id, const Sample& sample);
  void add_gap(Gap gap);

  [[nodiscard]] std::size_t sample_count(SignalId id) const;
  [[nodiscard]] std::size_t total_samples() const;
  [[nodiscard]] std::size_t samples_in_memory() const;
  /// Samples of a signal that were refused because their time fell.
  [[nodiscard]] std::size_t dropped_out_of_order(SignalId id) const;
  [[nodiscard]] std::vector<Gap> gaps() const;
  /// The first failure to spill (disk full), if any. In-memory samples are kept; the oldest are
  /// lost.
  [[nodiscard]] std::optional<Error> spill_error() const;

  /// Calls `visit` with the samples of a signal in [from, to], in order, and with the one just
  /// before and the one just after when they exist (a window needs them to interpolate at its
  /// edges).
  void visit(SignalId id, Instant from, Instant to,
             const std::function<void(const Sample&)>& visit) const;
  /// The same in runs of many samples, for long windows: cheaper than a call a sample. A run is
  /// valid during its call.
  void visit_runs(SignalId id, Instant from, Instant to,
                  const std::function<void(std::span<const Sample>)>& visit) const;
  /// The same as a vector, for short windows.
  [[nodiscard]] std::vector<Sample> slice(SignalId id, Instant from, Instant to) const;
  [[nodiscard]] std::optional<Sample> first(SignalId id) const;
  [[nodiscard]] std::optional<Sample> last(SignalId id) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ergo
