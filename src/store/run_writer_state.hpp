#pragma once
// How Store hands a connection to a RunWriter.

#include "ergo/store/run_writer.hpp"
#include "store/sqlite.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ergo {

struct RunWriter::State {
  State(sql::Database connection, std::int64_t experiment_id, std::int64_t run_id,
        StoreOptions store_options)
      : database(std::move(connection)),
        experiment(experiment_id),
        run(run_id),
        options(store_options) {}

  /// A signal of this run; `row` is its key once that is committed.
  struct Signal {
    SignalInfo info;
    std::int64_t row = 0;
    std::int64_t chunks = 0;
  };
  struct Gap {
    std::optional<std::string> signal;
    Instant from;
    Instant to;
    std::string reason;
  };
  /// What waits for the next commit.
  struct Queue {
    std::vector<std::pair<std::size_t, Sample>> samples;  ///< index of the signal, sample
    std::vector<Gap> gaps;
    std::vector<RunEvent> events;
    std::vector<WindowRecord> windows;
    [[nodiscard]] bool empty() const {
      return samples.empty() && gaps.empty() && events.empty() && windows.empty();
    }
  };

  // The writing side: one thread at a time, under `writing`.
  std::mutex writing;
  sql::Database database;
  std::int64_t experiment;
  std::int64_t run;
  std::int64_t seen_unix_ns = 0;
  std::vector<Signal> signals;  ///< only appended to, under both mutexes; read under either
  bool finished = false;

  // The taking side, under `taking`. Lock order: writing before taking.
  mutable std::mutex taking;
  std::condition_variable_any wake;
  StoreOptions options;
  Queue queue;
  std::map<std::string, std::size_t, std::less<>> index_of;
  std::vector<SignalInfo> declared;  ///< new since the last commit, in order after `signals`
  std::optional<Error> error;
  std::size_t dropped = 0;

  std::jthread thread;  ///< last member: ends before the others go

  void take(std::size_t signal, const Sample& sample);
  std::size_t index(const SignalInfo& info);
  Result<void> flush();
  Result<void> commit(const Queue& batch);
  Result<void> write_samples(const Queue& batch, std::vector<std::int64_t>& rows,
                             std::vector<std::int64_t>& chunks);
  Result<void> write_rest(const Queue& batch);
  Result<void> finish(const RunRecord& record);
  void give_up();
  void work(const std::stop_token& stop);
};

}  // namespace ergo
