// Two commands in ABBA order.

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/compare.hpp"
#include "ergo/experiment/recording.hpp"
#include "ergo/experiment/summary.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
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

/// One pass over the plan.
class ComparisonInProgress {
 public:
  ComparisonInProgress(const CompareSpec& spec, Runner& runner, Store* store, Clock& clock,
                       CompareEvents& events)
      : spec_(spec), runner_(runner), store_(store), clock_(clock), events_(events) {}

  Result<ComparedRuns> run();

 private:
  Result<void> begin();
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
  std::int64_t experiment_ = 0;
  std::size_t number_ = 0;
};

Result<void> ComparisonInProgress::begin() {
  ExperimentRecord& record = done_.record;
  record.name = spec_.name;
  record.command = spec_.commands[0];
  record.started = WallAnchor::now().iso(clock_.now());
  record.host = runner_.host();
  if (store_ == nullptr) return {};
  auto begun = store_->begin_experiment(record, compare_plan_text(spec_));
  if (!begun) return begun.error();
  experiment_ = *begun;
  return {};
}

Result<std::unique_ptr<RunWriter>> ComparisonInProgress::writer_for(const ComparedRun& run,
                                                                    bool warmup, Instant begin) {
  if (store_ == nullptr) return std::unique_ptr<RunWriter>();
  RunPlan plan;
  plan.index = static_cast<int>(number_) - 1;
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
  const auto total = 2 * static_cast<std::size_t>(spec_.pairs + spec_.warmup);
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
  RunRequest request{spec_.commands[side], static_cast<int>(number_) - 1, warmup,
                     folder->path() / "output"};
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
  for (int i = 0; i < spec_.warmup; ++i) {
    for (const int side : {0, 1}) {
      if (auto done = execute({side, i}, true); !done) return done.error();
      if (done_.stop_signal) return std::move(done_);
    }
  }
  for (const ComparedRun& run : compare_order(spec_.pairs, spec_.seed)) {
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

Result<ComparedRuns> run_comparison(const CompareSpec& spec, Runner& runner, Store* store,
                                    Clock& clock, CompareEvents& events) {
  return ComparisonInProgress(spec, runner, store, clock, events).run();
}

}  // namespace ergo
