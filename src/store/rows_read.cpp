#include "store/chunk.hpp"
#include "store/names.hpp"
#include "store/rows.hpp"
#include "store/writer_identity.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo::store {
namespace {

/// What `running` means now: a run whose process is gone was interrupted.
RunStatus status_now(RunStatus saved, const std::string& writer, std::int64_t seen_unix_ns) {
  return saved == RunStatus::running && !is_alive(writer, seen_unix_ns) ? RunStatus::interrupted
                                                                        : saved;
}

Result<void> read_energy_details(sql::Database& database, std::int64_t energy, ChannelEnergy& out) {
  auto done = for_each_row(
      select(database,
             "SELECT name, half_width_j, kind, low_side_j, net_only FROM budget_parts WHERE energy "
             "= ? ORDER BY rowid",
             energy),
      [&](sql::Statement& row) -> Result<void> {
        auto& part = out.budget.emplace_back();
        row >> part.name >> part.half_width >> part.kind >> part.low_side >> part.net_only;
        return {};
      });
  if (!done) return done;
  return for_each_row(
      select(database,
             "SELECT source, joules, low_j, high_j FROM alternatives WHERE energy = ? ORDER BY "
             "rowid",
             energy),
      [&](sql::Statement& row) -> Result<void> {
        auto& other = out.alternatives.emplace_back();
        row >> other.source >> other.joules >> other.low >> other.high;
        return {};
      });
}

Result<std::vector<ChannelEnergy>> read_energies(sql::Database& database, std::int64_t window) {
  std::vector<ChannelEnergy> energies;
  auto done = for_each_row(
      select(database,
             "SELECT id, channel, domain, device, source, provenance, in_total, joules, low_j, "
             "high_j, mean_w, max_w, idle_j, net_j, net_low_j, net_high_j, process_j FROM energies "
             "WHERE window = ? ORDER BY id",
             window),
      [&](sql::Statement& row) -> Result<void> {
        std::int64_t id = 0;
        std::string domain;
        std::string provenance;
        ChannelEnergy energy;
        row >> id >> energy.channel >> domain >> energy.device >> energy.source >> provenance >>
            energy.in_total >> energy.joules >> energy.low >> energy.high >> energy.mean >>
            energy.max >> energy.idle >> energy.net >> energy.net_low >> energy.net_high >>
            energy.process;
        const auto known_domain = domain_of(domain);
        if (!known_domain) return known_domain.error();
        const auto known_provenance = provenance_of(provenance);
        if (!known_provenance) return known_provenance.error();
        energy.domain = *known_domain;
        energy.provenance = *known_provenance;
        if (auto details = read_energy_details(database, id, energy); !details) return details;
        energies.push_back(std::move(energy));
        return {};
      });
  if (!done) return done.error();
  return energies;
}

Result<void> read_lists(sql::Database& database, std::int64_t run, RunRecord& record) {
  auto done = for_each_row(
      select(database, "SELECT name, unit, mean, max FROM metrics WHERE run = ? ORDER BY rowid",
             run),
      [&](sql::Statement& row) -> Result<void> {
        auto& metric = record.metrics.emplace_back();
        row >> metric.name >> metric.unit >> metric.mean >> metric.max;
        return {};
      });
  if (!done) return done;
  done = for_each_row(
      select(database, "SELECT device, reason FROM throttled WHERE run = ? ORDER BY rowid", run),
      [&](sql::Statement& row) -> Result<void> {
        std::string device;
        std::string reason;
        row >> device >> reason;
        record.throttled[device].push_back(std::move(reason));
        return {};
      });
  if (!done) return done;
  done =
      for_each_row(select(database, "SELECT text FROM warnings WHERE run = ? ORDER BY rowid", run),
                   [&](sql::Statement& row) -> Result<void> {
                     row >> record.warnings.emplace_back();
                     return {};
                   });
  if (!done) return done;
  return for_each_row(select(database, "SELECT name, value FROM parameters WHERE run = ?", run),
                      [&](sql::Statement& row) -> Result<void> {
                        std::string name;
                        row >> name >> record.parameters[name];
                        return {};
                      });
}

Result<void> read_latencies(sql::Database& database, std::int64_t run, RunRecord& record) {
  return for_each_row(
      select(database, "SELECT data, count, median_s, p95_s, p99_s FROM latencies WHERE run = ?",
             run),
      [&](sql::Statement& row) -> Result<void> {
        auto values = decode_doubles(row.blob());
        if (!values) return values.error();
        record.latencies_s = std::move(*values);
        if (row.next_is_null()) return {};
        LatencySummary latency;
        row >> latency.count >> latency.median >> latency.p95 >> latency.p99;
        record.latency = latency;
        return {};
      });
}

Result<void> read_scopes(sql::Database& database, std::int64_t run, RunRecord& record) {
  auto whole = read_windows(database, run, "run");
  if (!whole) return whole.error();
  if (!whole->empty()) {
    record.energy = std::move(whole->front().energy);
    record.total = whole->front().total;
  }
  auto items = read_windows(database, run, "items");
  if (!items) return items.error();
  if (!items->empty()) {
    WindowRecord& all = items->front();
    record.items = ItemsRecord{all.name, all.count.value_or(0), all.duration, all.total,
                               std::move(all.energy)};
  }
  auto windows = read_windows(database, run, "window");
  if (!windows) return windows.error();
  record.windows = std::move(*windows);
  return {};
}

/// What can be said of a run that never came to its end.
Result<void> describe_unfinished(sql::Database& database, std::int64_t run, RunStatus status,
                                 RunRecord& record) {
  std::optional<std::int64_t> last_ns;
  auto done = for_each_row(
      select(database,
             "SELECT max(last_ns), coalesce(sum(count), 0) FROM samples JOIN signals ON signals.id "
             "= samples.signal WHERE signals.run = ?",
             run),
      [&](sql::Statement& row) -> Result<void> {
        row >> last_ns >> record.samples;
        return {};
      });
  if (!done) return done;
  if (last_ns) record.duration = std::max(Seconds(0.0), Instant{*last_ns} - record.begin);
  const std::string what = status == RunStatus::running ? "still running" : "interrupted";
  record.invalid = fmt::format("{}: {} samples over {:.1f} s are kept", what, record.samples,
                               record.duration.value());
  return {};
}

}  // namespace

Result<std::vector<WindowRecord>> read_windows(sql::Database& database, std::int64_t run,
                                               std::string_view scope) {
  auto prepared = database.prepare(
      "SELECT id, name, number, pid, start_s, duration_s, count, measured_j, low_j, high_j, "
      "estimated_j FROM windows "
      "WHERE run = ? AND scope = ? ORDER BY id");
  if (prepared) *prepared << run << scope;
  std::vector<WindowRecord> windows;
  auto done = for_each_row(std::move(prepared), [&](sql::Statement& row) -> Result<void> {
    std::int64_t id = 0;
    WindowRecord window;
    row >> id >> window.name >> window.index >> window.pid >> window.start >> window.duration >>
        window.count >> window.total.measured >> window.total.low >> window.total.high >>
        window.total.estimated;
    auto energies = read_energies(database, id);
    if (!energies) return energies.error();
    window.energy = std::move(*energies);
    // Not stored: it is the sum over the channels.
    for (const ChannelEnergy& energy : window.energy) {
      if (!window.total.estimated || !energy.in_total || energy.provenance != Provenance::estimated)
        continue;
      window.total.estimated_low += energy.low;
      window.total.estimated_high += energy.high;
    }
    windows.push_back(std::move(window));
    return {};
  });
  if (!done) return done.error();
  return windows;
}

Result<RunRecord> read_run(sql::Database& database, std::int64_t run) {
  RunRecord record;
  bool found = false;
  RunStatus status = RunStatus::running;
  auto done = for_each_row(
      select(
          database,
          "SELECT run, repeat, warmup, status, writer, seen_unix_ns, invalid, exit_code, signal, "
          "started_unix_ns, "
          "begin_ns, duration_s, power_limit_w, samples, gaps, self_cpu_s FROM runs WHERE id = ?",
          run),
      [&](sql::Statement& row) -> Result<void> {
        found = true;
        std::string saved;
        std::string writer;
        std::int64_t seen = 0;
        row >> record.index >> record.repeat >> record.warmup >> saved >> writer >> seen >>
            record.invalid >> record.exit_code >> record.signal >> record.started_unix_ns >>
            record.begin.ns >> record.duration >> record.power_limit >> record.samples >>
            record.gaps >> record.self_cpu;
        const auto known = status_of(saved);
        if (!known) return known.error();
        status = status_now(*known, writer, seen);
        return {};
      });
  if (!done) return done.error();
  if (!found)
    return Error{
        Errc::not_found, fmt::format("the store {} has no run {}", database.path(), run), {}};
  if (done = read_scopes(database, run, record); !done) return done.error();
  if (done = read_lists(database, run, record); !done) return done.error();
  if (done = read_latencies(database, run, record); !done) return done.error();
  if (status == RunStatus::running || status == RunStatus::interrupted) {
    if (done = describe_unfinished(database, run, status, record); !done) return done.error();
  }
  return record;
}

Result<std::vector<RunInfo>> read_runs(sql::Database& database, std::int64_t experiment) {
  std::vector<RunInfo> runs;
  auto done = for_each_row(select(database,
                                  "SELECT id, run, repeat, warmup, planned_power_limit_w, status, "
                                  "writer, seen_unix_ns, (SELECT "
                                  "coalesce(sum(count), 0) FROM samples JOIN signals ON signals.id "
                                  "= samples.signal WHERE signals.run = "
                                  "runs.id) FROM runs WHERE experiment = ? ORDER BY run, id",
                                  experiment),
                           [&](sql::Statement& row) -> Result<void> {
                             RunInfo info;
                             std::string saved;
                             std::string writer;
                             std::int64_t seen = 0;
                             row >> info.id >> info.index >> info.cell.repeat >> info.cell.warmup >>
                                 info.cell.power_limit >> saved >> writer >> seen >> info.samples;
                             const auto known = status_of(saved);
                             if (!known) return known.error();
                             info.status = status_now(*known, writer, seen);
                             runs.push_back(std::move(info));
                             return {};
                           });
  if (!done) return done.error();
  for (auto& info : runs) {
    done =
        for_each_row(select(database, "SELECT name, value FROM parameters WHERE run = ?", info.id),
                     [&](sql::Statement& row) -> Result<void> {
                       std::string name;
                       row >> name >> info.cell.parameters[name];
                       return {};
                     });
    if (!done) return done.error();
  }
  return runs;
}

Result<std::vector<SignalInfo>> read_signals(sql::Database& database, std::int64_t run) {
  std::vector<SignalInfo> signals;
  auto done = for_each_row(
      select(
          database,
          "SELECT name, kind, unit, channel, domain, device, source, provenance, in_total, "
          "rank, update_period_s, averaging_window_s, sampled_fraction, quantum_j, gain_u95, "
          "gain_low, gain_high, low_pass, gain_kind, basis FROM signals WHERE run = ? ORDER BY id",
          run),
      [&](sql::Statement& row) -> Result<void> {
        SignalInfo signal;
        std::string kind;
        std::string domain;
        std::string provenance;
        auto& traits = signal.traits;
        row >> signal.name >> kind >> signal.unit >> signal.channel >> domain >> signal.device >>
            signal.source >> provenance >> signal.in_total >> signal.rank >> traits.update_period >>
            traits.averaging_window >> traits.sampled_fraction >> traits.quantum >>
            traits.gain_u95 >> traits.gain_low >> traits.gain_high >> traits.low_pass >>
            traits.gain_kind >> traits.basis;
        const auto known_kind = kind_of(kind);
        if (!known_kind) return known_kind.error();
        const auto known_domain = domain_of(domain);
        if (!known_domain) return known_domain.error();
        const auto known_provenance = provenance_of(provenance);
        if (!known_provenance) return known_provenance.error();
        signal.kind = *known_kind;
        signal.domain = *known_domain;
        signal.provenance = *known_provenance;
        signals.push_back(std::move(signal));
        return {};
      });
  if (!done) return done.error();
  return signals;
}

}  // namespace ergo::store
