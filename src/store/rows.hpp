#pragma once
// Records to rows and back. The writing functions belong into a transaction of the caller.

#include "ergo/store/records.hpp"
#include "ergo/store/store.hpp"
#include "store/sqlite.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::store {

Result<std::int64_t> insert_experiment(sql::Database& database, const ExperimentRecord& head,
                                       std::string_view plan, std::string_view origin,
                                       const std::string& writer);
Result<void> update_summary(sql::Database& database, std::int64_t experiment,
                            const SummaryRecord& summary);
Result<std::int64_t> insert_run(sql::Database& database, std::int64_t experiment,
                                const RunPlan& plan, const std::string& writer);
Result<std::int64_t> insert_signal(sql::Database& database, std::int64_t run,
                                   const SignalInfo& signal);
Result<void> insert_window(sql::Database& database, std::int64_t run, const WindowRecord& window);
/// Everything that is known once a run has ended.
Result<void> write_record(sql::Database& database, std::int64_t run, const RunRecord& record);

Result<ExperimentRecord> read_experiment(sql::Database& database, std::int64_t experiment);
Result<std::vector<RunInfo>> read_runs(sql::Database& database, std::int64_t experiment);
/// One run, with an `invalid` reason when it never ended.
Result<RunRecord> read_run(sql::Database& database, std::int64_t run);
Result<std::vector<SignalInfo>> read_signals(sql::Database& database, std::int64_t run);
Result<std::vector<WindowRecord>> read_windows(sql::Database& database, std::int64_t run,
                                               std::string_view scope);

/// Strings as a JSON array and back.
std::string to_json(const std::vector<std::string>& words);
Result<std::vector<std::string>> from_json(const std::string& text);

/// Passes every row of a bound statement to `visit`, which reads its columns and returns
/// Result<void>.
template <class Visit>
Result<void> for_each_row(Result<sql::Statement> statement, Visit visit) {
  if (!statement) return statement.error();
  for (;;) {
    auto row = statement->step();
    if (!row) return row.error();
    if (!*row) return {};
    if (Result<void> visited = visit(*statement); !visited) return visited;
  }
}

/// The statement with one key bound.
inline Result<sql::Statement> select(sql::Database& database, std::string_view statement,
                                     std::int64_t key) {
  auto prepared = database.prepare(statement);
  if (prepared) *prepared << key;
  return prepared;
}

}  // namespace ergo::store
