// Two commands in ABBA order.

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/compare.hpp"
#include "ergo/experiment/recording.hpp"
#include "ergo/experiment/summary.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <map>
#include <random>

namespace ergo {

std::vector<ComparedRun> compare_order(int pairs, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<ComparedRun> order;
  for (int pair = 0; pair < pairs; pair += 2) {
    // The top bit: the same on every machine, as no distribution is asked.
    const int first = static_cast<int>(random() >> 63);
    order.push_back({first, pair});
    order.push_back({1 - first, pair});
    if (pair + 1 == pairs) break;
    order.push_back({1 - first, pair + 1});
    order.push_back({first, pair + 1});
  }
  return order;
}

std::string compare_plan_text(const CompareSpec& spec) {
  const nlohmann::ordered_json plan{{"compare",
                                     {{"name", spec.name},
                                      {"axis", spec.axis},
                                      {"values", spec.values},
                                      {"commands", spec.commands},
                                      {"seed", spec.seed}}}};
  return plan.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::optional<ComparePlan> parse_compare_plan(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("compare") || !json["compare"].is_object())
    return std::nullopt;
  const auto& plan = json["compare"];
  const auto axis = plan.find("axis");
  const auto values = plan.find("values");
  if (axis == plan.end() || !axis->is_string() || values == plan.end() || !values->is_array() ||
      values->size() != 2 || !(*values)[0].is_string() || !(*values)[1].is_string())
    return std::nullopt;
  return ComparePlan{axis->get<std::string>(),
                     {(*values)[0].get<std::string>(), (*values)[1].get<std::string>()}};
}

namespace {

/// The last line of a program's output that is not empty.
std::string last_words(const std::filesystem::path& output) {
  const auto text = read_text(output);
  if (!text) return {};
  std::string_view line;
  for (const std::string_view one : split(*text, '\n')) {
    if (!trim(one).empty()) line = trim(one);
  }
  constexpr std::size_t longest = 500;
  return std::string(line.substr(0, longest));
}

Result<std::optional<std::int64_t>> find_comparison(const CompareSpec& spec, const Store& store) {
  const auto all = store.experiments();
  if (!all) return all.error();
  const std::string plan = compare_plan_text(spec);
  std::optional<std::int64_t> newest;
  for (const ExperimentInfo& one : *all) {
    if (one.plan == plan) newest = one.id;
  }
  return newest;
}

using Pair = std::array<const RunRecord*, 2>;

/// Pairs of which both sides ended well, by repeat number. Of a side that ran twice (its pair was
/// cut short), the later run.
std::map<int, Pair> whole_pairs(const CompareSpec& spec, const ExperimentRecord& record) {
  std::map<int, Pair> pairs;
  for (const RunRecord& run : record.runs) {
    if (run.warmup || run.invalid || run.exit_code != 0) continue;
    const auto value = run.parameters.find(spec.axis);
    if (value == run.parameters.end()) continue;
    for (std::size_t side = 0; side < 2; ++side) {
      if (value->second == spec.values[side]) pairs[run.repeat][side] = &run;
    }
  }
  std::erase_if(pairs, [](const auto& one) { return !one.second[0] || !one.second[1]; });
  return pairs;
}

/// One pass over the plan.
class ComparisonInProgress {
 public:
  ComparisonInProgress(const CompareSpec& spec, Runner& runner, Store* store, Clock& clock,
                       CompareEvents& events)
      : spec_(spec), runner_(runner), store_(store), clock_(clock), events_(events) {}

  Result<ComparedRuns> run();

 private:
  Result<void> begin();
  Result<bool> resume();
  Result<void> execute(const ComparedRun& run, bool warmup);
  Result<std::unique_ptr<RunWriter>> writer_for(const ComparedRun& run, bool warmup, Instant begin);
  Result<void> check(const RunOutcome& outcome, const ComparedRun& run,
                     const std::filesystem::path& output) const;
  void cool_down();

  const CompareSpec& spec_;
  Runner& runner_;
  Store* store_;
  Clock& clock_;
  CompareEvents& events_;
  ComparedRuns done_;
  std::vector<ComparedRun> remaining_;
  std::int64_t experiment_ = 0;
  int index_ = 0;  ///< of the next run in the store
  std::size_t number_ = 0;
};

Result<void> ComparisonInProgress::begin() {
  remaining_ = compare_order(spec_.pairs, spec_.seed);
  ExperimentRecord& record = done_.record;
  record.name = spec_.name;
  record.command = spec_.commands[0];
  record.started = WallAnchor::now().iso(clock_.now());
  record.host = runner_.host();
  if (store_ == nullptr) return {};
  const auto resumed = resume();
  if (!resumed) return resumed.error();
  if (*resumed) return {};
  auto begun = store_->begin_experiment(record, compare_plan_text(spec_));
  if (!begun) return begun.error();
  experiment_ = *begun;
  return {};
}

/// Takes over the comparison that the store holds already; false when it holds none.
Result<bool> ComparisonInProgress::resume() {
  const auto known = find_comparison(spec_, *store_);
  if (!known) return known.error();
  if (!*known) return false;
  experiment_ = **known;
  if (auto taken = store_->resume_experiment(experiment_); !taken) return taken.error();
  const auto before = store_->load_experiment(experiment_);
  if (!before) return before.error();
  index_ = static_cast<int>(before->runs.size());
  done_.record.started = before->started;
  const auto whole = whole_pairs(spec_, *before);
  done_.resumed = whole.size();
  for (const auto& [repeat, pair] : whole) {
    for (const RunRecord* run : pair)
      done_.record.runs.push_back(*run);
  }
  std::erase_if(remaining_, [&](const ComparedRun& run) { return whole.contains(run.repeat); });
  return true;
}

Result<std::unique_ptr<RunWriter>> ComparisonInProgress::writer_for(const ComparedRun& run,
                                                                    bool warmup, Instant begin) {
  if (store_ == nullptr) return std::unique_ptr<RunWriter>();
  RunPlan plan;
  plan.index = index_;
  plan.cell.parameters = {{spec_.axis, spec_.values[static_cast<std::size_t>(run.side)]}};
  plan.cell.repeat = run.repeat;
  plan.cell.warmup = warmup;
  plan.begin = begin;
  plan.started_unix_ns = WallAnchor::now().unix_ns_at(begin);
  return store_->begin_run(experiment_, plan);
}

Result<void> ComparisonInProgress::check(const RunOutcome& outcome, const ComparedRun& run,
                                         const std::filesystem::path& output) const {
  const char* side = run.side == 0 ? "A" : "B";
  if (outcome.launch_error)
    return Error{outcome.launch_error->code,
                 fmt::format("{} could not be started: {}", side, outcome.launch_error->message),
                 outcome.launch_error->remedy};
  if (outcome.record.exit_code == 0 || outcome.stop_signal) return {};
  const std::string words = last_words(output);
  return Error{Errc::canceled,
               fmt::format("{} failed with exit code {}{}{}", side, outcome.record.exit_code,
                           words.empty() ? "" : ": ", words),
               "nothing is compared until both commands end with 0"};
}

Result<void> ComparisonInProgress::execute(const ComparedRun& run, bool warmup) {
  const auto total = 2 * static_cast<std::size_t>(spec_.warmup) + remaining_.size();
  if (number_ > 0) cool_down();
  if (done_.stop_signal) return {};
  events_.on_run(++number_, total, run, warmup);
  const auto folder = TemporaryFolder::create("ergo-output");
  if (!folder) return folder.error();
  const Instant begin = clock_.now();
  auto writer = writer_for(run, warmup, begin);
  if (!writer) return writer.error();
  RecordingEvents recording(writer->get(), begin, events_.run_events());
  const auto side = static_cast<std::size_t>(run.side);
  RunRequest request{spec_.commands[side], index_++, warmup, folder->path() / "output"};
  auto outcome = runner_.run(request, recording);
  if (!outcome) return outcome.error();
  done_.stop_signal = outcome->stop_signal;
  // Cut short: the run stays unfinished in the store.
  if (done_.stop_signal) return {};
  RunRecord& record = outcome->record;
  record.parameters = {{spec_.axis, spec_.values[side]}};
  record.repeat = run.repeat;
  if (*writer) {
    if (auto finished = (*writer)->finish(record); !finished) return finished;
  }
  events_.on_record(record, run);
  if (auto good = check(*outcome, run, request.output); !good) return good;
  done_.record.runs.push_back(std::move(record));
  return {};
}

void ComparisonInProgress::cool_down() {
  if (spec_.cooldown.value() <= 0) return;
  events_.run_events().on_phase("cooling down", spec_.cooldown);
  auto signals = SignalForwarder::install();
  if (signals) done_.stop_signal = signals->wait_until(clock_.now() + spec_.cooldown);
}

Result<ComparedRuns> ComparisonInProgress::run() {
  if (auto begun = begin(); !begun) return begun.error();
  for (int i = 0; !remaining_.empty() && i < spec_.warmup; ++i) {
    for (const int side : {0, 1}) {
      if (auto done = execute({side, i}, true); !done) return done.error();
      if (done_.stop_signal) return std::move(done_);
    }
  }
  for (const ComparedRun& run : remaining_) {
    if (auto done = execute(run, false); !done) return done.error();
    if (done_.stop_signal) return std::move(done_);
  }
  done_.record.summary = SummaryRecord{};
  if (store_ != nullptr) {
    if (auto ended = store_->finish_experiment(experiment_, done_.record.summary); !ended)
      return ended.error();
  }
  return std::move(done_);
}

}  // namespace

Result<std::vector<ComparedRun>> remaining_comparison(const CompareSpec& spec, const Store& store) {
  std::vector<ComparedRun> order = compare_order(spec.pairs, spec.seed);
  const auto known = find_comparison(spec, store);
  if (!known) return known.error();
  if (!*known) return order;
  const auto before = store.load_experiment(**known);
  if (!before) return before.error();
  const auto whole = whole_pairs(spec, *before);
  std::erase_if(order, [&](const ComparedRun& run) { return whole.contains(run.repeat); });
  return order;
}

Result<ComparedRuns> run_comparison(const CompareSpec& spec, Runner& runner, Store* store,
                                    Clock& clock, CompareEvents& events) {
  return ComparisonInProgress(spec, runner, store, clock, events).run();
}

}  // namespace ergo
