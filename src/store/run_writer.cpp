#include "ergo/store/run_writer.hpp"

#include "store/chunk.hpp"
#include "store/rows.hpp"
#include "store/run_writer_state.hpp"
#include "store/writer_identity.hpp"

#include <chrono>
#include <iterator>
#include <limits>
#include <span>

namespace ergo {
namespace {

// Half a second, so that a commit that takes its time is still within the promised second.
constexpr auto commit_interval = std::chrono::milliseconds(500);
constexpr std::int64_t seen_interval_ns = 5'000'000'000;
constexpr std::size_t chunk_samples = 4096;
constexpr auto unknown = std::numeric_limits<std::size_t>::max();

template <class T>
void put_back(std::vector<T>& older, std::vector<T>& newer) {
  older.insert(older.end(), std::make_move_iterator(newer.begin()),
               std::make_move_iterator(newer.end()));
  newer = std::move(older);
}

}  // namespace

std::size_t RunWriter::State::index(const SignalInfo& info) {
  if (const auto known = index_of.find(info.name); known != index_of.end()) return known->second;
  const std::size_t next = index_of.size();
  index_of.emplace(info.name, next);
  declared.push_back(info);
  return next;
}

void RunWriter::State::take(std::size_t signal, const Sample& sample) {
  if (queue.samples.size() >= options.queue_samples) {
    ++dropped;
    return;
  }
  queue.samples.emplace_back(signal, sample);
}

Result<void> RunWriter::State::write_samples(const Queue& batch, std::vector<std::int64_t>& rows,
                                             std::vector<std::int64_t>& chunks) {
  for (std::size_t s = 0; s < signals.size(); ++s) {
    if (rows[s] != 0) continue;
    auto row = store::insert_signal(database, run, signals[s].info);
    if (!row) return row.error();
    rows[s] = *row;
  }
  std::vector<std::vector<Sample>> per_signal(signals.size());
  for (const auto& [signal, sample] : batch.samples)
    per_signal[signal].push_back(sample);
  auto insert = database.prepare(
      "INSERT INTO samples(signal, chunk, first_ns, last_ns, count, data) VALUES(?,?,?,?,?,?)");
  if (!insert) return insert.error();
  for (std::size_t s = 0; s < signals.size(); ++s) {
    std::span<const Sample> rest = per_signal[s];
    while (!rest.empty()) {
      const auto chunk = rest.first(std::min(rest.size(), chunk_samples));
      *insert << rows[s] << chunks[s]++ << chunk.front().time.ns << chunk.back().time.ns
              << chunk.size();
      if (auto done = insert->bind_blob(store::encode_samples(chunk)).run(); !done) return done;
      rest = rest.subspan(chunk.size());
    }
  }
  return {};
}

Result<void> RunWriter::State::write_rest(const Queue& batch) {
  auto gaps =
      database.prepare("INSERT INTO gaps(run, signal, from_ns, to_ns, reason) VALUES(?,?,?,?,?)");
  if (!gaps) return gaps.error();
  for (const auto& gap : batch.gaps) {
    *gaps << run << gap.signal << gap.from.ns << gap.to.ns << gap.reason;
    if (auto done = gaps->run(); !done) return done;
  }
  auto events = database.prepare("INSERT INTO events(run, time_ns, name, detail) VALUES(?,?,?,?)");
  if (!events) return events.error();
  for (const auto& event : batch.events) {
    *events << run << event.time.ns << event.name << event.detail;
    if (auto done = events->run(); !done) return done;
  }
  for (const auto& window : batch.windows) {
    if (auto done = store::insert_window(database, run, window); !done) return done;
  }
  auto seen = database.prepare("UPDATE runs SET seen_unix_ns = ? WHERE id = ?");
  if (!seen) return seen.error();
  *seen << store::unix_now_ns() << run;
  if (auto done = seen->run(); !done) return done;
  auto experiment_seen = database.prepare("UPDATE experiments SET seen_unix_ns = ? WHERE id = ?");
  if (!experiment_seen) return experiment_seen.error();
  *experiment_seen << store::unix_now_ns() << experiment;
  return experiment_seen->run();
}

Result<void> RunWriter::State::commit(const Queue& batch) {
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> chunks;
  for (const auto& signal : signals) {
    rows.push_back(signal.row);
    chunks.push_back(signal.chunks);
  }
  auto transaction = sql::Transaction::begin(database);
  if (!transaction) return transaction.error();
  if (auto done = write_samples(batch, rows, chunks); !done) return done;
  if (auto done = write_rest(batch); !done) return done;
  if (auto done = transaction->commit(); !done) return done;
  // Only a commit makes keys and chunk numbers real.
  for (std::size_t s = 0; s < signals.size(); ++s) {
    signals[s].row = rows[s];
    signals[s].chunks = chunks[s];
  }
  seen_unix_ns = store::unix_now_ns();
  return {};
}

/// Needs `writing`.
Result<void> RunWriter::State::flush() {
  Queue batch;
  {
    const std::lock_guard lock(taking);
    for (auto& info : declared)
      signals.push_back(Signal{std::move(info)});
    declared.clear();
    std::swap(batch, queue);
  }
  if (batch.empty() && store::unix_now_ns() - seen_unix_ns < seen_interval_ns) return {};
  auto done = commit(batch);
  const std::lock_guard lock(taking);
  if (done) {
    error.reset();
    return done;
  }
  error = done.error();
  put_back(batch.samples, queue.samples);
  put_back(batch.gaps, queue.gaps);
  put_back(batch.events, queue.events);
  put_back(batch.windows, queue.windows);
  return done;
}

/// Needs `writing`.
Result<void> RunWriter::State::finish(const RunRecord& record) {
  if (finished) return {};
  if (auto done = flush(); !done) return done;
  auto transaction = sql::Transaction::begin(database);
  if (!transaction) return transaction.error();
  RunRecord complete = record;
  if (dropped > 0) {
    complete.warnings.push_back(
        std::to_string(dropped) +
        " samples are not in the store: it could not be written for too long");
  }
  if (auto done = store::write_record(database, run, complete); !done) return done;
  if (auto done = transaction->commit(); !done) return done;
  finished = true;
  return {};
}

void RunWriter::State::give_up() {
  (void)flush();
  auto prepared =
      database.prepare("UPDATE runs SET status = 'interrupted', writer = NULL WHERE id = ?");
  if (!prepared) return;
  *prepared << run;
  // Nobody is left to tell; a run that stays `running` is known as interrupted by its dead process.
  (void)prepared->run();
}

void RunWriter::State::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(taking);
      wake.wait_for(lock, stop, commit_interval, [&] { return stop.stop_requested(); });
    }
    const std::lock_guard lock(writing);
    if (!finished) (void)flush();
  }
}

RunWriter::RunWriter(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::jthread([s = state_.get()](const std::stop_token& stop) { s->work(stop); });
}

RunWriter::~RunWriter() {
  state_->thread.request_stop();
  state_->thread.join();
  if (!state_->finished) state_->give_up();
}

Sampler::Observer RunWriter::observer() {
  return [state = state_.get(), indices = std::vector<std::size_t>()](
             const Timeline& timeline, SignalId id, const Sample& sample) mutable {
    if (id >= indices.size()) indices.resize(id + 1, unknown);
    const std::lock_guard lock(state->taking);
    if (indices[id] == unknown) indices[id] = state->index(timeline.info(id));
    state->take(indices[id], sample);
  };
}

void RunWriter::append(const SignalInfo& signal, const Sample& sample) {
  const std::lock_guard lock(state_->taking);
  state_->take(state_->index(signal), sample);
}

Result<void> RunWriter::append(const Timeline& timeline) {
  constexpr Instant begin{std::numeric_limits<std::int64_t>::min()};
  constexpr Instant end{std::numeric_limits<std::int64_t>::max()};
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    std::optional<Error> failed;
    std::size_t waiting = 0;
    timeline.visit(id, begin, end, [&](const Sample& sample) {
      if (failed) return;
      append(timeline.info(id), sample);
      if (++waiting % chunk_samples != 0) return;
      if (auto done = flush(); !done) failed = done.error();
    });
    if (failed) return *failed;
  }
  for (const auto& gap : timeline.gaps()) {
    append_gap(gap.signal ? std::optional(timeline.info(*gap.signal).name) : std::nullopt, gap.from,
               gap.to, gap.reason);
  }
  return flush();
}

void RunWriter::append_gap(const std::optional<std::string>& signal, Instant from, Instant to,
                           const std::string& reason) {
  const std::lock_guard lock(state_->taking);
  state_->queue.gaps.push_back(State::Gap{signal, from, to, reason});
}

void RunWriter::append_event(RunEvent event) {
  const std::lock_guard lock(state_->taking);
  state_->queue.events.push_back(std::move(event));
}

void RunWriter::append_window(WindowRecord window) {
  const std::lock_guard lock(state_->taking);
  state_->queue.windows.push_back(std::move(window));
}

Result<void> RunWriter::flush() {
  const std::lock_guard lock(state_->writing);
  return state_->flush();
}

Result<void> RunWriter::finish(const RunRecord& record) {
  const std::lock_guard lock(state_->writing);
  return state_->finish(record);
}

std::optional<Error> RunWriter::error() const {
  const std::lock_guard lock(state_->taking);
  return state_->error;
}

std::size_t RunWriter::dropped() const {
  const std::lock_guard lock(state_->taking);
  return state_->dropped;
}

std::int64_t RunWriter::id() const {
  return state_->run;
}

}  // namespace ergo
