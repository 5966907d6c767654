#include "ergo/store/store.hpp"
#include "store/chunk.hpp"
#include "store/names.hpp"
#include "store/rows.hpp"
#include "store/store_state.hpp"
#include "store/writer_identity.hpp"

#include <fmt/format.h>

#include <limits>

namespace ergo {
namespace store {
namespace {

constexpr const char* experiment_columns =
    "SELECT id, name, command, started, host_name, origin, plan, status, coalesce(writer, ''), "
    "seen_unix_ns, (SELECT "
    "count(*) FROM runs WHERE experiment = experiments.id) FROM experiments ";

Result<void> read_info(sql::Statement& row, ExperimentInfo& info) {
  std::string command;
  std::string status;
  std::string writer;
  std::int64_t seen = 0;
  row >> info.id >> info.name >> command >> info.started >> info.host >> info.origin >> info.plan >>
      status >> writer >> seen >> info.runs;
  auto words = from_json(command);
  if (!words) return words.error();
  info.command = std::move(*words);
  const auto known = status_of(status);
  if (!known) return known.error();
  info.status =
      *known == RunStatus::running && !is_alive(writer, seen) ? RunStatus::interrupted : *known;
  return {};
}

Result<void> read_head(sql::Database& database, std::int64_t experiment, ExperimentRecord& record) {
  bool found = false;
  auto done = for_each_row(
      select(database,
             "SELECT name, command, started, host_name, host_cpu, host_kernel, summary_repeats, "
             "summary_duration_s, "
             "summary_duration_low_s, summary_duration_high_s FROM experiments WHERE id = ?",
             experiment),
      [&](sql::Statement& row) -> Result<void> {
        found = true;
        std::string command;
        auto& time = record.summary.duration_s;
        row >> record.name >> command >> record.started >> record.host.name >> record.host.cpu >>
            record.host.kernel >> record.summary.repeats >> time.value >> time.low >> time.high;
        auto words = from_json(command);
        if (!words) return words.error();
        record.command = std::move(*words);
        return {};
      });
  if (!done) return done;
  if (found) return {};
  return Error{Errc::not_found,
               fmt::format("the store {} has no experiment {}", database.path(), experiment),
               {}};
}

Result<void> read_host_and_summary(sql::Database& database, std::int64_t experiment,
                                   ExperimentRecord& record) {
  auto done =
      for_each_row(select(database,
                          "SELECT gpu, uuid, name, power_limit_w, simulated FROM experiment_gpus "
                          "WHERE experiment = ? ORDER BY "
                          "position",
                          experiment),
                   [&](sql::Statement& row) -> Result<void> {
                     auto& gpu = record.host.gpus.emplace_back();
                     row >> gpu.index >> gpu.uuid >> gpu.name >> gpu.power_limit_w >> gpu.simulated;
                     return {};
                   });
  if (!done) return done;
  return for_each_row(
      select(database,
             "SELECT channel, median_j, low_j, high_j FROM experiment_energy WHERE experiment = ?",
             experiment),
      [&](sql::Statement& row) -> Result<void> {
        std::string channel;
        Estimate energy;
        row >> channel >> energy.value >> energy.low >> energy.high;
        record.summary.energy_j[channel] = energy;
        return {};
      });
}

/// The samples of one signal by its key.
Result<void> read_samples(sql::Database& database, std::int64_t signal, std::vector<Sample>& out) {
  return for_each_row(
      select(database, "SELECT data FROM samples WHERE signal = ? ORDER BY chunk", signal),
      [&](sql::Statement& row) { return decode_samples(row.blob(), out); });
}

Result<std::int64_t> signal_key(sql::Database& database, std::int64_t run, std::string_view name) {
  std::int64_t key = 0;
  auto prepared = database.prepare("SELECT id FROM signals WHERE run = ? AND name = ?");
  if (prepared) *prepared << run << name;
  auto done = for_each_row(std::move(prepared), [&](sql::Statement& row) -> Result<void> {
    row >> key;
    return {};
  });
  if (!done) return done.error();
  if (key != 0) return key;
  return Error{Errc::not_found,
               fmt::format("run {} of {} has no signal '{}'", run, database.path(), name),
               {}};
}

Result<void> read_gaps(sql::Database& database, std::int64_t run, Timeline& timeline) {
  return for_each_row(
      select(database,
             "SELECT signal, from_ns, to_ns, reason FROM gaps WHERE run = ? ORDER BY rowid", run),
      [&](sql::Statement& row) -> Result<void> {
        std::optional<std::string> signal;
        Gap gap;
        row >> signal >> gap.from.ns >> gap.to.ns >> gap.reason;
        if (signal) gap.signal = timeline.find(*signal);
        timeline.add_gap(std::move(gap));
        return {};
      });
}

}  // namespace
}  // namespace store

Result<std::vector<ExperimentInfo>> Store::experiments() const {
  std::vector<ExperimentInfo> all;
  auto done = store::for_each_row(
      state_->database.prepare(std::string(store::experiment_columns) + "ORDER BY id"),
      [&](sql::Statement& row) { return store::read_info(row, all.emplace_back()); });
  if (!done) return done.error();
  return all;
}

Result<std::optional<ExperimentInfo>> Store::find_unfinished(std::string_view plan) const {
  auto prepared =
      state_->database.prepare(std::string(store::experiment_columns) +
                               "WHERE plan = ? AND status <> 'done' ORDER BY id DESC LIMIT 1");
  if (prepared) *prepared << plan;
  std::optional<ExperimentInfo> found;
  auto done = store::for_each_row(std::move(prepared), [&](sql::Statement& row) {
    return store::read_info(row, found.emplace());
  });
  if (!done) return done.error();
  return found;
}

Result<std::vector<RunInfo>> Store::runs(std::int64_t experiment) const {
  return store::read_runs(state_->database, experiment);
}

Result<std::vector<Cell>> Store::finished_cells(std::int64_t experiment) const {
  auto all = runs(experiment);
  if (!all) return all.error();
  std::vector<Cell> cells;
  for (auto& run : *all) {
    if (run.status == RunStatus::done || run.status == RunStatus::failed)
      cells.push_back(std::move(run.cell));
  }
  return cells;
}

Result<ExperimentRecord> Store::load_experiment(std::int64_t experiment) const {
  ExperimentRecord record;
  if (auto done = store::read_head(state_->database, experiment, record); !done)
    return done.error();
  if (auto done = store::read_host_and_summary(state_->database, experiment, record); !done)
    return done.error();
  auto all = runs(experiment);
  if (!all) return all.error();
  for (const auto& info : *all) {
    auto run = store::read_run(state_->database, info.id);
    if (!run) return run.error();
    record.runs.push_back(std::move(*run));
  }
  return record;
}

Result<std::vector<SignalInfo>> Store::signals(std::int64_t run) const {
  return store::read_signals(state_->database, run);
}

Result<std::vector<Sample>> Store::load_samples(std::int64_t run, std::string_view signal) const {
  auto key = store::signal_key(state_->database, run, signal);
  if (!key) return key.error();
  std::vector<Sample> samples;
  if (auto done = store::read_samples(state_->database, *key, samples); !done) return done.error();
  return samples;
}

Result<std::unique_ptr<Timeline>> Store::load_timeline(std::int64_t run) const {
  auto infos = signals(run);
  if (!infos) return infos.error();
  auto timeline = std::make_unique<Timeline>();
  for (const auto& info : *infos) {
    auto samples = load_samples(run, info.name);
    if (!samples) return samples.error();
    const SignalId id = timeline->add(info);
    for (const auto& sample : *samples)
      timeline->append(id, sample);
  }
  if (auto done = store::read_gaps(state_->database, run, *timeline); !done) return done.error();
  return timeline;
}

Result<std::vector<RunEvent>> Store::load_events(std::int64_t run) const {
  std::vector<RunEvent> events;
  auto done = store::for_each_row(
      store::select(
          state_->database,
          "SELECT time_ns, name, detail FROM events WHERE run = ? ORDER BY time_ns, rowid", run),
      [&](sql::Statement& row) -> Result<void> {
        auto& event = events.emplace_back();
        row >> event.time.ns >> event.name >> event.detail;
        return {};
      });
  if (!done) return done.error();
  return events;
}

}  // namespace ergo
