#include "ergo/sampling/timeline.hpp"

#include "spill.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

namespace ergo {
namespace {

constexpr std::size_t chunk_samples = 512;
constexpr std::size_t max_gaps = 1U << 16;

using ChunkData = std::array<Sample, chunk_samples>;

/// A run of samples of one signal: in memory (`data`), in the spill file (`offset`), or lost but
/// for its two ends. A reader holds `data` and reads the first `count` samples without the lock;
/// the writer only writes behind them.
struct Chunk {
  std::shared_ptr<ChunkData> data;
  std::int64_t offset = -1;
  std::size_t count = 0;
  Sample first;
  Sample last;
};

struct SignalStore {
  SignalInfo info;
  std::vector<Chunk> chunks;
  std::size_t count = 0;
  std::size_t out_of_order = 0;
  std::optional<std::size_t> last_gap;
};

}  // namespace

struct Timeline::State {
  explicit State(TimelineOptions o) : options(std::move(o)), spill(options.spill_folder) {}

  TimelineOptions options;
  mutable std::mutex mutex;
  std::deque<SignalStore> signals;  // a deque: references to infos stay valid
  std::map<std::string, SignalId, std::less<>> names;
  std::vector<Gap> gaps;
  std::optional<std::size_t> last_common_gap;
  std::deque<std::pair<SignalId, std::size_t>> full;  // full chunks in memory, oldest first
  std::size_t total = 0;
  std::size_t in_memory = 0;
  sampling_detail::SpillFile spill;
  std::optional<Error> spill_error;

  void spill_oldest(std::unique_lock<std::mutex>& lock);
  void record_gap(Gap gap);
  [[nodiscard]] std::size_t first_chunk(SignalId id, Instant from) const;
  [[nodiscard]] std::span<const Sample> load(const Chunk& chunk, std::vector<Sample>& buffer) const;
};

Timeline::Timeline(TimelineOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Timeline::~Timeline() = default;

SignalId Timeline::add(SignalInfo info) {
  const std::lock_guard lock(state_->mutex);
  if (const auto known = state_->names.find(info.name); known != state_->names.end())
    return known->second;
  const auto id = static_cast<SignalId>(state_->signals.size());
  state_->names.emplace(info.name, id);
  state_->signals.emplace_back().info = std::move(info);
  return id;
}

std::size_t Timeline::signal_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->signals.size();
}

const SignalInfo& Timeline::info(SignalId id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->signals.at(id).info;
}

std::optional<SignalId> Timeline::find(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  const auto known = state_->names.find(name);
  if (known == state_->names.end()) return std::nullopt;
  return known->second;
}

void Timeline::append(SignalId id, const Sample& sample) {
  std::unique_lock lock(state_->mutex);
  SignalStore& signal = state_->signals.at(id);
  if (signal.count > 0 && sample.time < signal.chunks.back().last.time) {
    ++signal.out_of_order;
    return;
  }
  if (signal.chunks.empty() || signal.chunks.back().count == chunk_samples) {
    Chunk& fresh = signal.chunks.emplace_back();
    fresh.data = std::make_shared<ChunkData>();
    fresh.first = sample;
  }
  Chunk& chunk = signal.chunks.back();
  (*chunk.data)[chunk.count++] = sample;
  chunk.last = sample;
  ++signal.count;
  ++state_->total;
  ++state_->in_memory;
  if (chunk.count == chunk_samples) state_->full.emplace_back(id, signal.chunks.size() - 1);
  while (state_->in_memory > state_->options.memory_samples && !state_->full.empty())
    state_->spill_oldest(lock);
}

/// Writes without the lock, so that readers wait for no disk: only this thread, the writer, changes
/// full chunks.
void Timeline::State::spill_oldest(std::unique_lock<std::mutex>& lock) {
  const auto [id, index] = full.front();
  full.pop_front();
  const std::shared_ptr<ChunkData> data = signals[id].chunks[index].data;
  lock.unlock();
  auto written = spill.append(*data);
  lock.lock();
  Chunk& chunk = signals[id].chunks[index];
  chunk.data.reset();
  in_memory -= chunk.count;
  if (written) {
    chunk.offset = written.value();
    return;
  }
  if (!spill_error) spill_error = written.error();
  // Up to the first sample of the next chunk, so that the gaps of chunks in a row are one.
  const auto& chunks = signals[id].chunks;
  const Sample& next = index + 1 < chunks.size() ? chunks[index + 1].first : chunk.last;
  record_gap(
      Gap{id, chunk.first.time, next.time, "older samples were lost: " + written.error().message});
}

void Timeline::add_gap(Gap gap) {
  const std::lock_guard lock(state_->mutex);
  state_->record_gap(std::move(gap));
}

/// Joins a gap to the one before it when they touch; once there are very many, also when they do
/// not (a gap too long only widens an interval, a gap left out would narrow it).
void Timeline::State::record_gap(Gap gap) {
  std::optional<std::size_t>& latest =
      gap.signal ? signals.at(*gap.signal).last_gap : last_common_gap;
  if (latest) {
    Gap& before = gaps[*latest];
    const bool touches =
        gap.from <= before.to && gap.to >= before.from && gap.reason == before.reason;
    if (touches || gaps.size() >= max_gaps) {
      before.from = std::min(before.from, gap.from);
      before.to = std::max(before.to, gap.to);
      return;
    }
  }
  latest = gaps.size();
  gaps.push_back(std::move(gap));
}

std::size_t Timeline::sample_count(SignalId id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->signals.at(id).count;
}

std::size_t Timeline::total_samples() const {
  const std::lock_guard lock(state_->mutex);
  return state_->total;
}

std::size_t Timeline::samples_in_memory() const {
  const std::lock_guard lock(state_->mutex);
  return state_->in_memory;
}

std::size_t Timeline::dropped_out_of_order(SignalId id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->signals.at(id).out_of_order;
}

std::vector<Gap> Timeline::gaps() const {
  const std::lock_guard lock(state_->mutex);
  return state_->gaps;
}

std::optional<Error> Timeline::spill_error() const {
  const std::lock_guard lock(state_->mutex);
  return state_->spill_error;
}

/// The chunk that holds the last sample before `from`, or the first chunk.
std::size_t Timeline::State::first_chunk(SignalId id, Instant from) const {
  const auto& chunks = signals.at(id).chunks;
  const auto after = std::partition_point(chunks.begin(), chunks.end(),
                                          [&](const Chunk& c) { return c.first.time < from; });
  return after == chunks.begin() ? 0 : static_cast<std::size_t>(after - chunks.begin()) - 1;
}

std::span<const Sample> Timeline::State::load(const Chunk& chunk,
                                              std::vector<Sample>& buffer) const {
  if (chunk.data) return {chunk.data->data(), chunk.count};
  buffer.resize(chunk.count);
  if (chunk.offset >= 0 && spill.read(chunk.offset, buffer)) return buffer;
  buffer = {chunk.first, chunk.last};
  return buffer;
}

void Timeline::visit_runs(SignalId id, Instant from, Instant to,
                          const std::function<void(std::span<const Sample>)>& visit) const {
  std::vector<Sample> buffer;
  std::size_t index = 0;
  {
    const std::lock_guard lock(state_->mutex);
    index = state_->first_chunk(id, from);
  }
  const auto before = [](const Sample& s, Instant t) { return s.time < t; };
  for (bool first = true;; first = false, ++index) {
    Chunk chunk;
    {
      const std::lock_guard lock(state_->mutex);
      const auto& chunks = state_->signals.at(id).chunks;
      if (index >= chunks.size()) return;
      chunk = chunks[index];
    }
    const std::span<const Sample> run = state_->load(chunk, buffer);
    auto begin = run.begin();
    if (first) {
      begin = std::lower_bound(run.begin(), run.end(), from, before);
      if (begin != run.begin()) --begin;
    }
    const auto beyond = std::upper_bound(begin, run.end(), to,
                                         [](Instant t, const Sample& s) { return t < s.time; });
    const bool done = beyond != run.end();
    const auto end = done ? beyond + 1 : beyond;
    if (begin != end) visit({begin, end});
    // A chunk that was not full was the last one. What the writer has added since, to it and behind
    // it, is left for the next visit: going on would skip the rest of this chunk.
    if (done || chunk.count < chunk_samples) return;
  }
}

void Timeline::visit(SignalId id, Instant from, Instant to,
                     const std::function<void(const Sample&)>& visit) const {
  visit_runs(id, from, to, [&](std::span<const Sample> run) {
    for (const Sample& sample : run)
      visit(sample);
  });
}

std::vector<Sample> Timeline::slice(SignalId id, Instant from, Instant to) const {
  std::vector<Sample> samples;
  visit_runs(id, from, to, [&](std::span<const Sample> run) {
    samples.insert(samples.end(), run.begin(), run.end());
  });
  return samples;
}

std::optional<Sample> Timeline::first(SignalId id) const {
  const std::lock_guard lock(state_->mutex);
  const auto& chunks = state_->signals.at(id).chunks;
  if (chunks.empty()) return std::nullopt;
  return chunks.front().first;
}

std::optional<Sample> Timeline::last(SignalId id) const {
  const std::lock_guard lock(state_->mutex);
  const auto& chunks = state_->signals.at(id).chunks;
  if (chunks.empty()) return std::nullopt;
  return chunks.back().last;
}

}  // namespace ergo
