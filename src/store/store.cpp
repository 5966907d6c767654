#include "ergo/store/store.hpp"

#include "store/rows.hpp"
#include "store/run_writer_state.hpp"
#include "store/schema.hpp"
#include "store/store_state.hpp"
#include "store/writer_identity.hpp"

#include <fmt/format.h>

namespace ergo {

namespace {

/// What every connection needs. WAL lets readers go on while someone writes. NORMAL survives any
/// death of a process; a power cut may take the last commits, never the file.
Result<void> configure(sql::Database& database) {
  auto done = database.execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL");
  if (!done) return done;
  return database.execute("PRAGMA journal_mode = WAL");
}

Error no_experiment(const std::filesystem::path& path, std::int64_t experiment) {
  return Error{Errc::not_found,
               fmt::format("the store {} has no experiment {}", path.string(), experiment),
               {}};
}

/// Marks the experiment as ours, unless a living process other than this one works on it.
Result<void> claim(sql::Database& database, std::int64_t experiment, const std::string& identity,
                   const std::filesystem::path& path) {
  bool found = false;
  std::string writer;
  std::int64_t seen = 0;
  auto done = store::for_each_row(
      store::select(database,
                    "SELECT coalesce(writer, ''), seen_unix_ns FROM experiments WHERE id = ?",
                    experiment),
      [&](sql::Statement& row) -> Result<void> {
        found = true;
        row >> writer >> seen;
        return {};
      });
  if (!done) return done;
  if (!found) return no_experiment(path, experiment);
  if (!writer.empty() && writer != identity && store::is_alive(writer, seen)) {
    return Error{
        Errc::busy,
        fmt::format("another ergo works on experiment {} of {}", experiment, path.string()),
        "wait for it, or start a new experiment"};
  }
  auto prepared = database.prepare(
      "UPDATE experiments SET writer = ?, seen_unix_ns = ?, status = 'running' WHERE id = ?");
  if (!prepared) return prepared.error();
  *prepared << identity << store::unix_now_ns() << experiment;
  return prepared->run();
}

/// Runs of an earlier process that never ended are so for good, once the experiment has been taken
/// over.
Result<void> close_dead_runs(sql::Database& database, std::int64_t experiment) {
  auto runs = store::read_runs(database, experiment);
  if (!runs) return runs.error();
  auto prepared =
      database.prepare("UPDATE runs SET status = 'interrupted', writer = NULL WHERE id = ?");
  if (!prepared) return prepared.error();
  for (const auto& run : *runs) {
    if (run.status != RunStatus::interrupted) continue;
    *prepared << run.id;
    if (auto done = prepared->run(); !done) return done;
  }
  return {};
}

}  // namespace

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

const std::filesystem::path& Store::path() const {
  return state_->path;
}

Result<Store> Store::open(const std::filesystem::path& path, Mode mode, StoreOptions options) {
  using Open = sql::Database::Open;
  const Open how = mode == Mode::read    ? Open::read
                   : mode == Mode::write ? Open::write
                                         : Open::create;
  auto database = sql::Database::open(path.string(), how, options.busy_timeout_ms);
  if (!database) return database.error();
  if (mode == Mode::read) {
    if (auto done = store::check_readable(*database); !done) return done.error();
  } else {
    // A foreign or newer file must be refused before anything is changed, its journal mode
    // included.
    if (auto done = store::migrate(*database); !done) return done.error();
    if (auto done = configure(*database); !done) return done.error();
  }
  return Store(std::unique_ptr<State>(
      new State{std::move(*database), path, options,
                mode == Mode::read ? std::string() : store::own_identity()}));
}

Result<std::int64_t> Store::begin_experiment(const ExperimentRecord& head, std::string_view plan,
                                             std::string_view origin) {
  auto transaction = sql::Transaction::begin(state_->database);
  if (!transaction) return transaction.error();
  auto id = store::insert_experiment(state_->database, head, plan, origin, state_->identity);
  if (!id) return id;
  if (auto done = transaction->commit(); !done) return done.error();
  return id;
}

Result<void> Store::resume_experiment(std::int64_t experiment) {
  auto transaction = sql::Transaction::begin(state_->database);
  if (!transaction) return transaction.error();
  if (auto done = claim(state_->database, experiment, state_->identity, state_->path); !done)
    return done;
  if (auto done = close_dead_runs(state_->database, experiment); !done) return done;
  return transaction->commit();
}

Result<void> Store::finish_experiment(std::int64_t experiment, const SummaryRecord& summary) {
  auto transaction = sql::Transaction::begin(state_->database);
  if (!transaction) return transaction.error();
  if (auto done = claim(state_->database, experiment, state_->identity, state_->path); !done)
    return done;
  if (auto done = store::update_summary(state_->database, experiment, summary); !done) return done;
  return transaction->commit();
}

Result<std::unique_ptr<RunWriter>> Store::begin_run(std::int64_t experiment, const RunPlan& plan) {
  auto connection = sql::Database::open(state_->path.string(), sql::Database::Open::write,
                                        state_->options.busy_timeout_ms);
  if (!connection) return connection.error();
  if (auto done = configure(*connection); !done) return done.error();
  std::int64_t run = 0;
  {
    auto transaction = sql::Transaction::begin(*connection);
    if (!transaction) return transaction.error();
    if (auto done = claim(*connection, experiment, state_->identity, state_->path); !done)
      return done.error();
    auto inserted = store::insert_run(*connection, experiment, plan, state_->identity);
    if (!inserted) return inserted.error();
    if (auto done = transaction->commit(); !done) return done.error();
    run = *inserted;
  }
  return std::make_unique<RunWriter>(
      std::make_unique<RunWriter::State>(std::move(*connection), experiment, run, state_->options));
}

Result<std::int64_t> Store::save(const ExperimentRecord& record,
                                 const std::vector<std::unique_ptr<Timeline>>& timelines,
                                 std::string_view origin) {
  auto experiment = begin_experiment(record, {}, origin);
  if (!experiment) return experiment;
  const auto save_runs = [&]() -> Result<void> {
    for (std::size_t i = 0; i < record.runs.size(); ++i) {
      const RunRecord& run = record.runs[i];
      const RunPlan plan{run.index, Cell{run.parameters, run.power_limit, run.repeat, run.warmup},
                         run.started_unix_ns, run.begin};
      auto writer = begin_run(*experiment, plan);
      if (!writer) return writer.error();
      if (i < timelines.size() && timelines[i]) {
        if (auto done = (*writer)->append(*timelines[i]); !done) return done;
      }
      if (auto done = (*writer)->finish(run); !done) return done;
    }
    return finish_experiment(*experiment, record.summary);
  };
  auto saved = save_runs();
  if (saved) return experiment;
  // Half an import is of no use, and the source is still there.
  (void)remove(*experiment);
  return saved.error();
}

Result<void> Store::remove(std::int64_t experiment) {
  auto transaction = sql::Transaction::begin(state_->database);
  if (!transaction) return transaction.error();
  if (auto done = claim(state_->database, experiment, state_->identity, state_->path); !done)
    return done;
  auto prepared =
      store::select(state_->database, "DELETE FROM experiments WHERE id = ?", experiment);
  if (!prepared) return prepared.error();
  if (auto done = prepared->run(); !done) return done;
  return transaction->commit();
}

}  // namespace ergo
