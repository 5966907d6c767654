#pragma once
// Saves a run while it is going on, so that a crash loses at most the last second of samples.

#include "ergo/core/result.hpp"
#include "ergo/sampling/sampler.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/store/records.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace ergo {

struct StoreOptions {
  /// How long a change waits while another program writes.
  int busy_timeout_ms = 10'000;
  /// Samples that a RunWriter holds while they cannot be written (disk full, file locked); newer
  /// ones are then dropped and counted. 24 bytes each.
  std::size_t queue_samples = std::size_t{1} << 20;
};

/// Something that happened at an instant: an `event` mark, a changed limit.
struct RunEvent {
  Instant time;
  std::string name;
  std::string detail;
};

/// Commits at least once a second on a thread of its own. append*() only put into a bounded queue
/// and never touch the disk. When a write fails, what was committed stays, the rest waits in the
/// queue and is tried again; error() tells. Thread-safety: all functions may be called from any
/// thread.
class RunWriter {
 public:
  /// Ends the thread. A run that was not finished is left `interrupted` with the samples it has.
  ~RunWriter();
  RunWriter(const RunWriter&) = delete;
  RunWriter& operator=(const RunWriter&) = delete;

  /// For Sampler: saves each sample as it is taken. The writer must outlive the sampler.
  Sampler::Observer observer();

  void append(const SignalInfo& signal, const Sample& sample);
  /// All samples and gaps that a timeline holds.
  Result<void> append(const Timeline& timeline);
  void append_gap(const std::optional<std::string>& signal, Instant from, Instant to,
                  const std::string& reason);
  void append_event(RunEvent event);
  /// A window that has ended, before its energies are known. finish() replaces it by the record's
  /// windows.
  void append_window(WindowRecord window);

  /// Commits what is queued, now. Errors as for error().
  Result<void> flush();
  /// Commits what is queued and then the record, in whole or not at all. May be called again after
  /// an error.
  Result<void> finish(const RunRecord& record);

  /// The last write's failure; none once a later write has succeeded.
  [[nodiscard]] std::optional<Error> error() const;
  /// Samples lost because the queue was full.
  [[nodiscard]] std::size_t dropped() const;
  /// Key of the run in the store.
  [[nodiscard]] std::int64_t id() const;

  struct State;
  /// Store::begin_run() makes writers.
  explicit RunWriter(std::unique_ptr<State> state);

 private:
  std::unique_ptr<State> state_;
};

}  // namespace ergo
