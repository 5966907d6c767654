#include "store/chunk.hpp"
#include "store/names.hpp"
#include "store/rows.hpp"
#include "store/writer_identity.hpp"

#include <nlohmann/json.hpp>

namespace ergo::store {
namespace {

/// Prepares, binds all values in order, runs.
template <class... Values>
Result<void> insert(sql::Database& database, std::string_view statement, const Values&... values) {
  auto prepared = database.prepare(statement);
  if (!prepared) return prepared.error();
  (void)(*prepared << ... << values);
  return prepared->run();
}

Result<void> insert_energy(sql::Database& database, std::int64_t window,
                           const ChannelEnergy& energy) {
  auto done = insert(
      database,
      "INSERT INTO energies(window, channel, domain, device, source, provenance, in_total, joules, "
      "low_j, high_j, mean_w, max_w, idle_j, net_j, net_low_j, net_high_j, process_j) "
      "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      window, energy.channel, word(energy.domain), energy.device, energy.source,
      word(energy.provenance), energy.in_total, energy.joules, energy.low, energy.high, energy.mean,
      energy.max, energy.idle, energy.net, energy.net_low, energy.net_high, energy.process);
  if (!done) return done;
  const auto id = database.last_row();
  for (const auto& part : energy.budget) {
    done =
        insert(database,
               "INSERT INTO budget_parts(energy, name, half_width_j, kind, low_side_j, net_only) "
               "VALUES(?,?,?,?,?,?)",
               id, part.name, part.half_width, part.kind, part.low_side, part.net_only);
    if (!done) return done;
  }
  for (const auto& other : energy.alternatives) {
    done =
        insert(database,
               "INSERT INTO alternatives(energy, source, joules, low_j, high_j) VALUES(?,?,?,?,?)",
               id, other.source, other.joules, other.low, other.high);
    if (!done) return done;
  }
  return {};
}

Result<void> insert_scope(sql::Database& database, std::int64_t run, std::string_view scope,
                          const WindowRecord& window) {
  auto done = insert(database,
                     "INSERT INTO windows(run, scope, name, number, pid, start_s, duration_s, "
                     "count, measured_j, low_j, "
                     "high_j, estimated_j) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                     run, scope, window.name, window.index, window.pid, window.start,
                     window.duration, window.count, window.total.measured, window.total.low,
                     window.total.high, window.total.estimated);
  if (!done) return done;
  const auto id = database.last_row();
  for (const auto& energy : window.energy) {
    if (done = insert_energy(database, id, energy); !done) return done;
  }
  return {};
}

Result<void> insert_windows(sql::Database& database, std::int64_t run, const RunRecord& record) {
  if (auto done = insert(database, "DELETE FROM windows WHERE run = ?", run); !done) return done;
  WindowRecord whole;
  whole.duration = record.duration;
  whole.energy = record.energy;
  whole.total = record.total;
  if (auto done = insert_scope(database, run, "run", whole); !done) return done;
  if (record.items) {
    WindowRecord items;
    items.name = record.items->window;
    items.count = record.items->count;
    items.duration = record.items->duration;
    items.energy = record.items->energy;
    items.total = record.items->total;
    if (auto done = insert_scope(database, run, "items", items); !done) return done;
  }
  for (const auto& window : record.windows) {
    if (auto done = insert_scope(database, run, "window", window); !done) return done;
  }
  return {};
}

Result<void> insert_lists(sql::Database& database, std::int64_t run, const RunRecord& record) {
  for (const auto& metric : record.metrics) {
    auto done =
        insert(database, "INSERT INTO metrics(run, name, unit, mean, max) VALUES(?,?,?,?,?)", run,
               metric.name, metric.unit, metric.mean, metric.max);
    if (!done) return done;
  }
  for (const auto& [device, reasons] : record.throttled) {
    for (const auto& reason : reasons) {
      auto done = insert(database, "INSERT INTO throttled(run, device, reason) VALUES(?,?,?)", run,
                         device, reason);
      if (!done) return done;
    }
  }
  for (const auto& text : record.warnings) {
    if (auto done = insert(database, "INSERT INTO warnings(run, text) VALUES(?,?)", run, text);
        !done)
      return done;
  }
  if (!record.latency && record.latencies_s.empty()) return {};
  auto prepared = database.prepare(
      "INSERT INTO latencies(run, count, median_s, p95_s, p99_s, data) VALUES(?,?,?,?,?,?)");
  if (!prepared) return prepared.error();
  *prepared << run;
  if (record.latency) {
    *prepared << record.latency->count << record.latency->median << record.latency->p95
              << record.latency->p99;
  } else {
    *prepared << std::nullopt << std::nullopt << std::nullopt << std::nullopt;
  }
  return prepared->bind_blob(encode_doubles(record.latencies_s)).run();
}

Result<void> insert_parameters(sql::Database& database, std::int64_t run,
                               const std::map<std::string, std::string>& parameters) {
  for (const auto& [name, value] : parameters) {
    auto done = insert(database, "INSERT INTO parameters(run, name, value) VALUES(?,?,?)", run,
                       name, value);
    if (!done) return done;
  }
  return {};
}

RunStatus status_after(const RunRecord& record) {
  if (record.invalid) return RunStatus::invalid;
  return record.exit_code != 0 || record.signal ? RunStatus::failed : RunStatus::done;
}

}  // namespace

std::string to_json(const std::vector<std::string>& words) {
  return nlohmann::json(words).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::vector<std::string>> from_json(const std::string& text) {
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  std::vector<std::string> words;
  if (!parsed.is_array())
    return Error{Errc::corrupt, "the store holds a command that is no JSON array", {}};
  for (const auto& item : parsed) {
    if (!item.is_string())
      return Error{Errc::corrupt, "the store holds a command that is no JSON array of strings", {}};
    words.push_back(item.get<std::string>());
  }
  return words;
}

Result<std::int64_t> insert_experiment(sql::Database& database, const ExperimentRecord& head,
                                       std::string_view plan, std::string_view origin,
                                       const std::string& writer) {
  auto done = insert(database,
                     "INSERT INTO experiments(name, command, started, host_name, host_cpu, "
                     "host_kernel, plan, status, "
                     "writer, seen_unix_ns, origin) VALUES(?,?,?,?,?,?,?,'running',?,?,?)",
                     head.name, to_json(head.command), head.started, head.host.name, head.host.cpu,
                     head.host.kernel, plan, writer, unix_now_ns(), origin);
  if (!done) return done.error();
  const auto id = database.last_row();
  int position = 0;
  for (const auto& gpu : head.host.gpus) {
    done = insert(database,
                  "INSERT INTO experiment_gpus(experiment, position, gpu, uuid, name, "
                  "power_limit_w, simulated) "
                  "VALUES(?,?,?,?,?,?,?)",
                  id, position++, gpu.index, gpu.uuid, gpu.name, gpu.power_limit_w, gpu.simulated);
    if (!done) return done.error();
  }
  return id;
}

Result<void> update_summary(sql::Database& database, std::int64_t experiment,
                            const SummaryRecord& summary) {
  auto done = insert(database,
                     "UPDATE experiments SET status = 'done', writer = NULL, summary_repeats = ?, "
                     "summary_duration_s = "
                     "?, summary_duration_low_s = ?, summary_duration_high_s = ? WHERE id = ?",
                     summary.repeats, summary.duration_s.value, summary.duration_s.low,
                     summary.duration_s.high, experiment);
  if (!done) return done;
  if (done = insert(database, "DELETE FROM experiment_energy WHERE experiment = ?", experiment);
      !done)
    return done;
  for (const auto& [channel, energy] : summary.energy_j) {
    done = insert(database,
                  "INSERT INTO experiment_energy(experiment, channel, median_j, low_j, high_j) "
                  "VALUES(?,?,?,?,?)",
                  experiment, channel, energy.value, energy.low, energy.high);
    if (!done) return done;
  }
  return {};
}

Result<std::int64_t> insert_run(sql::Database& database, std::int64_t experiment,
                                const RunPlan& plan, const std::string& writer) {
  auto done =
      insert(database,
             "INSERT INTO runs(experiment, run, repeat, warmup, status, started_unix_ns, begin_ns, "
             "planned_power_limit_w, samples, gaps, writer, seen_unix_ns) "
             "VALUES(?,?,?,?,'running',?,?,?,0,0,?,?)",
             experiment, plan.index, plan.cell.repeat, plan.cell.warmup, plan.started_unix_ns,
             plan.begin.ns, plan.cell.power_limit, writer, unix_now_ns());
  if (!done) return done.error();
  const auto id = database.last_row();
  if (done = insert_parameters(database, id, plan.cell.parameters); !done) return done.error();
  return id;
}

Result<std::int64_t> insert_signal(sql::Database& database, std::int64_t run,
                                   const SignalInfo& signal) {
  const auto& traits = signal.traits;
  auto done =
      insert(database,
             "INSERT INTO signals(run, name, kind, unit, channel, domain, device, source, "
             "provenance, in_total, rank, update_period_s, averaging_window_s, sampled_fraction, "
             "quantum_j, gain_u95, gain_low, gain_high, low_pass, gain_kind, basis) "
             "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
             run, signal.name, word(signal.kind), signal.unit, signal.channel, word(signal.domain),
             signal.device, signal.source, word(signal.provenance), signal.in_total, signal.rank,
             traits.update_period, traits.averaging_window, traits.sampled_fraction, traits.quantum,
             traits.gain_u95, traits.gain_low, traits.gain_high, traits.low_pass, traits.gain_kind,
             traits.basis);
  if (!done) return done.error();
  return database.last_row();
}

Result<void> insert_window(sql::Database& database, std::int64_t run, const WindowRecord& window) {
  return insert_scope(database, run, "window", window);
}

Result<void> write_record(sql::Database& database, std::int64_t run, const RunRecord& record) {
  auto done = insert(database,
                     "UPDATE runs SET run = ?, repeat = ?, warmup = ?, status = ?, invalid = ?, "
                     "exit_code = ?, signal = "
                     "?, started_unix_ns = ?, begin_ns = ?, duration_s = ?, power_limit_w = ?, "
                     "measured_j = ?, low_j = "
                     "?, high_j = ?, estimated_j = ?, samples = ?, gaps = ?, self_cpu_s = ?, "
                     "writer = NULL WHERE id = ?",
                     record.index, record.repeat, record.warmup, to_string(status_after(record)),
                     record.invalid, record.exit_code, record.signal, record.started_unix_ns,
                     record.begin.ns, record.duration, record.power_limit, record.total.measured,
                     record.total.low, record.total.high, record.total.estimated, record.samples,
                     record.gaps, record.self_cpu, run);
  if (!done) return done;
  // The plan saved them when the run began; a record that knows better replaces them.
  if (!record.parameters.empty()) {
    if (done = insert(database, "DELETE FROM parameters WHERE run = ?", run); !done) return done;
    if (done = insert_parameters(database, run, record.parameters); !done) return done;
  }
  if (done = insert_windows(database, run, record); !done) return done;
  return insert_lists(database, run, record);
}

}  // namespace ergo::store
