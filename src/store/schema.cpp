#include "store/schema.hpp"

#include <fmt/format.h>

#include <array>

namespace ergo::store {
namespace {

constexpr std::string_view version_1 = R"sql(
CREATE TABLE experiments(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  command TEXT NOT NULL,            -- JSON array of strings
  started TEXT NOT NULL,            -- ISO 8601, UTC
  host_name TEXT NOT NULL, host_cpu TEXT NOT NULL, host_kernel TEXT NOT NULL,
  plan TEXT NOT NULL,               -- JSON of whoever planned it; '' for a single run
  status TEXT NOT NULL CHECK(status IN ('running','done','failed','interrupted')),
  writer TEXT,                      -- the process that works on it; NULL when none does
  seen_unix_ns INTEGER NOT NULL,    -- when that process last said so
  summary_repeats INTEGER, summary_duration_s REAL, summary_duration_low_s REAL, summary_duration_high_s REAL
);
CREATE TABLE experiment_gpus(
  experiment INTEGER NOT NULL REFERENCES experiments(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  gpu INTEGER NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, power_limit_w REAL NOT NULL, simulated INTEGER NOT NULL,
  PRIMARY KEY(experiment, position)
);
CREATE TABLE experiment_energy(
  experiment INTEGER NOT NULL REFERENCES experiments(id) ON DELETE CASCADE,
  channel TEXT NOT NULL, median_j REAL NOT NULL, low_j REAL NOT NULL, high_j REAL NOT NULL,
  PRIMARY KEY(experiment, channel)
);
CREATE TABLE runs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment INTEGER NOT NULL REFERENCES experiments(id) ON DELETE CASCADE,
  run INTEGER NOT NULL,             -- 0, 1, 2 ... in order of execution
  repeat INTEGER NOT NULL, warmup INTEGER NOT NULL,
  status TEXT NOT NULL CHECK(status IN ('running','done','failed','invalid','interrupted')),
  invalid TEXT,                     -- why the run is useless
  exit_code INTEGER, signal INTEGER,
  started_unix_ns INTEGER NOT NULL, -- wall clock
  begin_ns INTEGER NOT NULL,        -- CLOCK_MONOTONIC of that boot; samples, gaps and events are on the same clock
  duration_s REAL,
  planned_power_limit_w REAL,       -- the limit asked for
  power_limit_w REAL,               -- the limit enforced
  measured_j REAL, low_j REAL, high_j REAL, estimated_j REAL,
  samples INTEGER NOT NULL, gaps INTEGER NOT NULL, self_cpu_s REAL,
  writer TEXT, seen_unix_ns INTEGER NOT NULL
);
CREATE INDEX runs_by_experiment ON runs(experiment, run);
CREATE TABLE parameters(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(run, name)
);
CREATE TABLE signals(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  name TEXT NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL,
  channel TEXT NOT NULL, domain TEXT NOT NULL, device TEXT NOT NULL, source TEXT NOT NULL, provenance TEXT NOT NULL,
  in_total INTEGER NOT NULL, rank INTEGER NOT NULL,
  update_period_s REAL NOT NULL, averaging_window_s REAL NOT NULL, sampled_fraction REAL NOT NULL, quantum_j REAL NOT NULL,
  gain_u95 REAL NOT NULL, gain_kind TEXT NOT NULL, basis TEXT NOT NULL,
  UNIQUE(run, name)
);
CREATE TABLE samples(
  signal INTEGER NOT NULL REFERENCES signals(id) ON DELETE CASCADE,
  chunk INTEGER NOT NULL,           -- 0, 1, 2 ... in order of time
  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, count INTEGER NOT NULL,
  data BLOB NOT NULL,               -- count records of 20 bytes, little-endian: int64 ns, float64 value, float32 half width s
  UNIQUE(signal, chunk)
);
CREATE TABLE gaps(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  signal TEXT, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX gaps_by_run ON gaps(run);
CREATE TABLE windows(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  scope TEXT NOT NULL CHECK(scope IN ('run','window','items')),
  name TEXT NOT NULL, number INTEGER NOT NULL, pid INTEGER NOT NULL,
  start_s REAL NOT NULL, duration_s REAL NOT NULL, count INTEGER,
  measured_j REAL, low_j REAL, high_j REAL, estimated_j REAL
);
CREATE INDEX windows_by_run ON windows(run);
CREATE TABLE energies(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  window INTEGER NOT NULL REFERENCES windows(id) ON DELETE CASCADE,
  channel TEXT NOT NULL, domain TEXT NOT NULL, device TEXT NOT NULL, source TEXT NOT NULL, provenance TEXT NOT NULL,
  in_total INTEGER NOT NULL,
  joules REAL NOT NULL, low_j REAL NOT NULL, high_j REAL NOT NULL, mean_w REAL NOT NULL,
  max_w REAL, idle_j REAL, net_j REAL, process_j REAL
);
CREATE INDEX energies_by_window ON energies(window);
CREATE TABLE budget_parts(
  energy INTEGER NOT NULL REFERENCES energies(id) ON DELETE CASCADE,
  name TEXT NOT NULL, half_width_j REAL NOT NULL, kind TEXT NOT NULL
);
CREATE INDEX budget_parts_by_energy ON budget_parts(energy);
CREATE TABLE alternatives(
  energy INTEGER NOT NULL REFERENCES energies(id) ON DELETE CASCADE,
  source TEXT NOT NULL, joules REAL NOT NULL
);
CREATE INDEX alternatives_by_energy ON alternatives(energy);
CREATE TABLE metrics(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  name TEXT NOT NULL, unit TEXT NOT NULL, mean REAL NOT NULL, max REAL NOT NULL
);
CREATE INDEX metrics_by_run ON metrics(run);
CREATE TABLE latencies(
  run INTEGER PRIMARY KEY REFERENCES runs(id) ON DELETE CASCADE,
  count INTEGER, median_s REAL, p95_s REAL, p99_s REAL,
  data BLOB NOT NULL                -- each latency in seconds, float64 little-endian
);
CREATE TABLE throttled(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  device TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX throttled_by_run ON throttled(run);
CREATE TABLE warnings(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  text TEXT NOT NULL
);
CREATE INDEX warnings_by_run ON warnings(run);
)sql";

constexpr std::string_view version_2 = R"sql(
ALTER TABLE experiments ADD COLUMN origin TEXT NOT NULL DEFAULT 'ergo';  -- or the format it was imported from
ALTER TABLE signals ADD COLUMN gain_low REAL NOT NULL DEFAULT 0;
ALTER TABLE signals ADD COLUMN gain_high REAL NOT NULL DEFAULT 0;
ALTER TABLE signals ADD COLUMN low_pass INTEGER NOT NULL DEFAULT 0;
ALTER TABLE energies ADD COLUMN net_low_j REAL;
ALTER TABLE energies ADD COLUMN net_high_j REAL;
ALTER TABLE budget_parts ADD COLUMN low_side_j REAL;                      -- where the interval is lopsided
ALTER TABLE budget_parts ADD COLUMN net_only INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alternatives ADD COLUMN low_j REAL NOT NULL DEFAULT 0;
ALTER TABLE alternatives ADD COLUMN high_j REAL NOT NULL DEFAULT 0;
CREATE TABLE events(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  time_ns INTEGER NOT NULL, name TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX events_by_run ON events(run, time_ns);
)sql";

constexpr std::array<std::string_view, 2> scripts{version_1, version_2};

/// The version of the file; 0 when it is empty.
Result<std::int64_t> version_of(sql::Database& database) {
  auto version = database.number("PRAGMA user_version");
  if (!version) return version.error();
  auto id = database.number("PRAGMA application_id");
  if (!id) return id.error();
  auto tables = database.number("SELECT count(*) FROM sqlite_master");
  if (!tables) return tables.error();
  if (*id != application_id && *tables > 0) {
    return Error{Errc::corrupt, database.path() + " is an SQLite file of another program",
                 "name another file"};
  }
  if (*version > current_version()) {
    return Error{Errc::not_supported,
                 fmt::format("the store {} has version {}; this ergo knows versions up to {}",
                             database.path(), *version, current_version()),
                 "use the newer ergo that wrote it"};
  }
  return *tables == 0 ? 0 : *version;
}

}  // namespace

std::span<const std::string_view> migrations() {
  return scripts;
}
std::int64_t current_version() {
  return static_cast<std::int64_t>(scripts.size());
}

Result<void> migrate(sql::Database& database) {
  auto before = version_of(database);
  if (!before) return before.error();
  if (*before == current_version()) return {};
  auto transaction = sql::Transaction::begin(database);
  if (!transaction) return transaction.error();
  // Another process may have been faster while this one waited for the lock.
  auto version = version_of(database);
  if (!version) return version.error();
  for (auto v = *version; v < current_version(); ++v) {
    if (auto done = database.execute(std::string(scripts[static_cast<std::size_t>(v)])); !done)
      return done;
  }
  const auto stamp = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                 application_id, current_version());
  if (auto done = database.execute(stamp); !done) return done;
  return transaction->commit();
}

Result<void> check_readable(sql::Database& database) {
  auto version = version_of(database);
  if (!version) return version.error();
  if (*version == 0)
    return Error{Errc::corrupt, database.path() + " is empty: it holds no store",
                 "name another file, or record a run with --store " + database.path()};
  if (*version < current_version()) {
    return Error{Errc::not_supported,
                 fmt::format("the store {} has the older version {} and is open for reading only",
                             database.path(), *version),
                 "make the file writable: it is brought up to date when it is opened for writing"};
  }
  return {};
}

}  // namespace ergo::store
