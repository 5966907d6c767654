#include "ergo/experiment/sweep.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/recording.hpp"
#include "ergo/experiment/summary.hpp"
#include "ergo/stats/summary.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace ergo {
namespace {

const std::vector<std::string> silent_axes{std::string(power_limit_axis)};

std::string key_of_run(const GridCell& cell, int repeat) {
  return fmt::format("{} #{}", key_of(cell), repeat);
}

/// Energy of a run that repeats are compared by.
std::optional<double> energy_of(const RunRecord& run) {
  if (run.exit_code != 0 || run.invalid || run.warmup) return std::nullopt;
  const EnergyTotal& total = run.items ? run.items->total : run.total;
  const double n = run.items ? static_cast<double>(run.items->count) : 1.0;
  if (total.measured) return total.measured->value() / n;
  if (total.estimated) return total.estimated->value() / n;
  return std::nullopt;
}

std::string reason_of(const RunRecord& run) {
  return run.warnings.empty() ? fmt::format("exit code {}", run.exit_code) : run.warnings.back();
}

/// The last line that is not empty, without the "ergo-workload: " before the message.
std::string last_line(const std::filesystem::path& output) {
  const auto text = read_text(output);
  if (!text) return {};
  std::string_view line;
  for (const std::string_view one : split(*text, '\n')) {
    if (!trim(one).empty()) line = trim(one);
  }
  constexpr std::string_view program = "ergo-workload: ";
  if (line.starts_with(program)) line.remove_prefix(program.size());
  constexpr std::size_t longest = 500;
  return std::string(line.substr(0, longest));
}

}  // namespace

Result<std::vector<std::string>> cell_command(const SweepSpec& spec, const GridCell& cell) {
  GridCell all = cell;
  for (const auto& [name, value] : cell) {
    const auto more = spec.companions.find(fmt::format("{}={}", name, value));
    if (more != spec.companions.end()) all.insert(more->second.begin(), more->second.end());
  }
  std::vector<std::string> silent = silent_axes;
  // An axis may stand for its companions: words are what a text has, tokens are what the command
  // takes.
  if (!spec.companions.empty()) {
    for (const auto& [name, value] : cell)
      silent.push_back(name);
  }
  return substitute(spec.command, all, silent);
}

std::optional<Seconds> expected_length(const std::vector<PlannedRun>& planned,
                                       const ExperimentRecord& known) {
  std::map<std::string, std::pair<Seconds, int>> by_cell;
  for (const RunRecord& run : known.runs) {
    if (run.invalid) continue;
    auto& [sum, count] = by_cell[key_of(run.parameters)];
    sum += run.duration;
    ++count;
  }
  Seconds total{0.0};
  for (const PlannedRun& run : planned) {
    const auto found = by_cell.find(key_of(run.cell));
    if (found == by_cell.end()) return std::nullopt;
    total += found->second.first / found->second.second;
  }
  return total;
}

std::string plan_text(const SweepSpec& spec) {
  nlohmann::ordered_json plan{{"name", spec.name}, {"command", spec.command}, {"seed", spec.seed}};
  plan["axes"] = nlohmann::ordered_json::array();
  for (const Axis& axis : spec.axes)
    plan["axes"].push_back({{"name", axis.name}, {"values", axis.values}});
  if (!spec.companions.empty()) plan["companions"] = spec.companions;
  return plan.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<std::optional<std::int64_t>> find_sweep(const SweepSpec& spec, const Store& store) {
  auto all = store.experiments();
  if (!all) return all.error();
  const std::string plan = plan_text(spec);
  std::optional<std::int64_t> newest;
  for (const ExperimentInfo& one : *all) {
    if (one.plan == plan) newest = one.id;
  }
  return newest;
}

Result<std::vector<PlannedRun>> remaining_runs(const SweepSpec& spec, const Store& store,
                                               std::optional<std::int64_t> experiment) {
  const auto cells = grid_of(spec.axes);
  if (!cells) return cells.error();
  std::vector<PlannedRun> runs = plan_runs(*cells, spec.repeats, spec.seed);
  if (!experiment) return runs;
  const auto finished = store.finished_cells(*experiment);
  if (!finished) return finished.error();
  std::set<std::string> there;
  for (const Cell& cell : *finished) {
    if (!cell.warmup) there.insert(key_of_run(cell.parameters, cell.repeat));
  }
  std::erase_if(runs, [&](const PlannedRun& run) {
    return there.contains(key_of_run(run.cell, run.repeat));
  });
  return runs;
}

/// One pass over the plan, and over what --until adds to it.
class SweepInProgress {
 public:
  SweepInProgress(const SweepSpec& spec, Runner& runner, Store& store, Clock& clock,
                  SweepEvents& events)
      : spec_(spec), runner_(runner), store_(store), clock_(clock), events_(events) {}

  Result<SweepResult> run();

 private:
  Result<void> open_experiment();
  Result<void> execute(const std::vector<PlannedRun>& runs);
  Result<void> execute_one(const PlannedRun& run, bool warmup);
  Result<void> measure_into(RunWriter& writer, Instant begin, const PlannedRun& run,
                            RunRecord& record, std::optional<Error>& launch_error);
  std::vector<PlannedRun> more_for_wide_cells();
  void note_skip(const RunRecord& record);
  [[nodiscard]] bool is_skip(const RunRecord& run) const {
    return spec_.skip_code && run.exit_code == *spec_.skip_code;
  }
  void cool_down();

  const SweepSpec& spec_;
  Runner& runner_;
  Store& store_;
  Clock& clock_;
  SweepEvents& events_;
  SweepResult result_;
  int index_ = 0;
  std::size_t number_ = 0;
  std::size_t total_ = 0;
  std::set<std::string> skipped_;  ///< cells that ended with skip_code
  std::set<std::string> warm_;     ///< cells that had their warm-up
  std::map<std::string, std::vector<double>> energies_;
  std::map<std::string, int> repeats_;
};

Result<void> SweepInProgress::open_experiment() {
  auto known = find_sweep(spec_, store_);
  if (!known) return known.error();
  if (*known) {
    result_.experiment = **known;
    if (auto resumed = store_.resume_experiment(result_.experiment); !resumed) return resumed;
    auto before = store_.load_experiment(result_.experiment);
    if (!before) return before.error();
    index_ = static_cast<int>(before->runs.size());
    for (const RunRecord& run : before->runs) {
      if (run.warmup || run.invalid) continue;
      const std::string key = key_of(run.parameters);
      if (is_skip(run)) skipped_.insert(key);
      repeats_[key] = std::max(repeats_[key], run.repeat + 1);
      if (const auto energy = energy_of(run)) energies_[key].push_back(*energy);
    }
    return {};
  }
  ExperimentRecord head;
  head.name = spec_.name;
  head.command = spec_.command;
  head.started = WallAnchor::now().iso(clock_.now());
  head.host = runner_.host();
  auto begun = store_.begin_experiment(head, plan_text(spec_));
  if (!begun) return begun.error();
  result_.experiment = *begun;
  return {};
}

Result<void> SweepInProgress::measure_into(RunWriter& writer, Instant begin, const PlannedRun& run,
                                           RunRecord& record, std::optional<Error>& launch_error) {
  const auto command = cell_command(spec_, run.cell);
  if (!command) return command.error();
  auto guard = events_.prepare(run.cell);
  if (!guard) {
    record.exit_code = 125;
    record.invalid = guard.error().text();
    launch_error = guard.error();
    return {};
  }
  RecordingEvents recording(&writer, begin, events_.run_events());
  RunRequest request{*command, record.index, record.warmup};
  std::optional<TemporaryFolder> folder;
  if (spec_.capture_output) {
    auto made = TemporaryFolder::create("ergo-output");
    if (!made) return made.error();
    folder.emplace(std::move(*made));
    request.output = folder->path() / "output";
  }
  auto outcome = runner_.run(request, recording);
  if (!outcome) return outcome.error();
  if (folder && outcome->record.exit_code != 0) {
    std::string said = last_line(request.output);
    if (!said.empty()) outcome->record.warnings.push_back(std::move(said));
  }
  record = std::move(outcome->record);
  launch_error = outcome->launch_error;
  result_.stop_signal = outcome->stop_signal;
  if (*guard) (*guard)->inspect(record);
  return {};
}

Result<void> SweepInProgress::execute_one(const PlannedRun& run, bool warmup) {
  RunPlan plan;
  plan.index = index_;
  plan.cell.parameters = run.cell;
  plan.cell.repeat = run.repeat;
  plan.cell.warmup = warmup;
  plan.begin = clock_.now();
  plan.started_unix_ns = WallAnchor::now().unix_ns_at(plan.begin);
  if (const auto limit = run.cell.find(std::string(power_limit_axis)); limit != run.cell.end()) {
    plan.cell.power_limit = Watts(std::strtod(limit->second.c_str(), nullptr));
  }
  auto writer = store_.begin_run(result_.experiment, plan);
  if (!writer) return writer.error();
  RunRecord record;
  record.index = index_++;
  record.warmup = warmup;
  record.begin = plan.begin;
  record.started_unix_ns = plan.started_unix_ns;
  std::optional<Error> launch_error;
  if (auto measured = measure_into(**writer, plan.begin, run, record, launch_error); !measured)
    return measured;
  // Cut short by a signal: the run stays unfinished in the store, and is made again by the next
  // call.
  if (result_.stop_signal) return {};
  record.parameters = run.cell;
  record.repeat = run.repeat;
  if (!record.power_limit) record.power_limit = plan.cell.power_limit;
  if (auto finished = (*writer)->finish(record); !finished) return finished;
  if (!warmup) {
    ++result_.measured;
    if ((record.exit_code != 0 && !is_skip(record)) || record.invalid) ++result_.failed;
    repeats_[key_of(run.cell)] = std::max(repeats_[key_of(run.cell)], run.repeat + 1);
    if (const auto energy = energy_of(record)) energies_[key_of(run.cell)].push_back(*energy);
  }
  events_.on_record(record, launch_error);
  if (is_skip(record)) note_skip(record);
  return {};
}

void SweepInProgress::note_skip(const RunRecord& record) {
  if (skipped_.insert(key_of(record.parameters)).second)
    events_.on_skip(record.parameters, reason_of(record));
}

void SweepInProgress::cool_down() {
  if (spec_.cooldown.value() <= 0) return;
  events_.run_events().on_phase("cooling down", spec_.cooldown);
  auto signals = SignalForwarder::install();
  if (signals) result_.stop_signal = signals->wait_until(clock_.now() + spec_.cooldown);
}

Result<void> SweepInProgress::execute(const std::vector<PlannedRun>& runs) {
  total_ += runs.size();
  for (const PlannedRun& run : runs) {
    if (skipped_.contains(key_of(run.cell))) {
      --total_;
      continue;
    }
    if (number_ > 0) cool_down();
    if (result_.stop_signal) return {};
    events_.on_run(++number_, total_, run.cell, run.repeat);
    const bool warmed = !warm_.insert(key_of(run.cell)).second;
    for (int i = 0; !warmed && i < spec_.warmup && !result_.stop_signal; ++i) {
      if (auto done = execute_one({run.cell, i}, true); !done) return done;
    }
    if (result_.stop_signal) return {};
    if (skipped_.contains(key_of(run.cell))) continue;
    if (auto done = execute_one(run, false); !done) return done;
    if (result_.stop_signal) return {};
  }
  return {};
}

/// One more repeat for every cell whose interval is still too wide.
std::vector<PlannedRun> SweepInProgress::more_for_wide_cells() {
  std::vector<PlannedRun> more;
  if (!spec_.until) return more;
  const auto cells = grid_of(spec_.axes);
  for (const GridCell& cell : *cells) {
    const std::string key = key_of(cell);
    const auto& energies = energies_[key];
    const int repeats = repeats_[key];
    // A cell that always fails has no energies and would be repeated for ever.
    if (energies.empty() || repeats >= spec_.most_repeats) continue;
    const Estimate e = stats::median_interval(energies);
    const bool narrow =
        energies.size() >= 3 && (e.high - e.low) / 2 <= *spec_.until * std::abs(e.value);
    if (!narrow) more.push_back({cell, repeats});
  }
  return more;
}

Result<SweepResult> SweepInProgress::run() {
  const auto cells = grid_of(spec_.axes);
  if (!cells) return cells.error();
  if (auto words = cell_command(spec_, cells->front()); !words) return words.error();
  if (auto opened = open_experiment(); !opened) return opened.error();
  auto runs = remaining_runs(spec_, store_, result_.experiment);
  if (!runs) return runs.error();
  result_.resumed = cells->size() * static_cast<std::size_t>(spec_.repeats) - runs->size();
  while (!runs->empty()) {
    if (auto done = execute(*runs); !done) return done.error();
    if (result_.stop_signal) return result_;
    *runs = more_for_wide_cells();
  }
  result_.skipped = skipped_.size();
  if (auto finished = store_.finish_experiment(result_.experiment, SummaryRecord{}); !finished)
    return finished.error();
  return result_;
}

Result<SweepResult> run_sweep(const SweepSpec& spec, Runner& runner, Store& store, Clock& clock,
                              SweepEvents& events) {
  return SweepInProgress(spec, runner, store, clock, events).run();
}

}  // namespace ergo
