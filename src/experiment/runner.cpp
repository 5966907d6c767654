#include "ergo/experiment/runner.hpp"

#include "ergo/core/files.hpp"
#include "ergo/experiment/host.hpp"
#include "ergo/experiment/latency.hpp"
#include "ergo/experiment/marks.hpp"
#include "ergo/sampling/sampler.hpp"
#include "experiment/edge_reader.hpp"
#include "experiment/record.hpp"
#include "sensors/meter/meter.hpp"
#include "sensors/process/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <mutex>

namespace ergo {
namespace {

constexpr Seconds progress_period{0.5};
/// Readings go on after the end of the command, so that slow counters show their next value: at
/// most this share of the run's duration.
constexpr double linger_share = 0.05;
constexpr Seconds longest_linger{1.5};

/// The GPU sensors are opened once, but the processes that are "ours" change with every run.
class CurrentScope final : public ProcessScope {
 public:
  [[nodiscard]] bool contains(int pid) const override {
    const std::lock_guard lock(mutex_);
    return tree_ != nullptr && tree_->contains(pid);
  }
  void set(std::shared_ptr<const ProcessScope> tree) {
    const std::lock_guard lock(mutex_);
    tree_ = std::move(tree);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ProcessScope> tree_;
};

/// The longest time that a counter or sensor needs to show a new value.
Seconds slowest_update(const Timeline& timeline) {
  Seconds slowest{0.0};
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind == SignalKind::energy) slowest = std::max(slowest, info.traits.update_period);
  }
  return slowest;
}

/// Pairs marks up as they arrive, so that a window is known (and stored) as soon as it has ended.
/// The record's windows are built at the end, from all marks together.
class OpenWindows {
 public:
  explicit OpenWindows(RunEvents& events) : events_(events) {}

  void take(const MarkMessage& mark, int pid) {
    events_.on_mark(mark, pid);
    std::vector<MarkMessage>& open = open_[{pid, mark.name}];
    if (mark.kind == MarkKind::begin) open.push_back(mark);
    if (mark.kind != MarkKind::end || open.empty()) return;
    MarkedWindow window;
    window.name = mark.name;
    window.pid = pid;
    window.begin = open.back().time;
    window.end = mark.time;
    window.count = mark.count ? mark.count : open.back().count;
    open.pop_back();
    window.index = ended_[mark.name]++;
    events_.on_window(window);
  }

 private:
  RunEvents& events_;
  std::map<std::pair<int, std::string>, std::vector<MarkMessage>> open_;
  std::map<std::string, int> ended_;
};

std::string describe(const Missing& missing) {
  std::string text = fmt::format("{} is not measured: {}", missing.what, missing.why);
  if (!missing.fix.empty()) text += fmt::format("; to change that: {}", missing.fix);
  return text;
}

}  // namespace

struct Runner::State {
  Environment environment;
  RunnerOptions options;
  Clock& clock;
  std::shared_ptr<CurrentScope> scope;
  Discovery found;
  /// A meter that was asked for and does not answer ends a run before anything has started.
  Result<void> meters{};

  std::vector<Sensor*> sensors() const {
    std::vector<Sensor*> list;
    for (const auto& sensor : found.sensors)
      list.push_back(sensor.get());
    return list;
  }
  Result<void> open_meters();
  Sampler::Observer observer(RunEvents& events) const;
  std::optional<Window> baseline(Timeline& timeline, RunEvents& events, SignalForwarder& signals,
                                 std::string_view phase);
};

Result<void> Runner::State::open_meters() {
  auto meters = meter::open_all(options.meters);
  if (!meters) return meters.error();
  for (auto& sensor : *meters)
    found.sensors.push_back(std::move(sensor));
  return {};
}

Sampler::Observer Runner::State::observer(RunEvents& events) const {
  return [&events](const Timeline& timeline, SignalId id, const Sample& sample) {
    events.on_sample(timeline, id, sample);
  };
}

/// Reads the machine with nothing running. Nothing when no baseline is wanted or a signal ended it.
std::optional<Window> Runner::State::baseline(Timeline& timeline, RunEvents& events,
                                              SignalForwarder& signals, std::string_view phase) {
  if (options.idle.value() <= 0 || signals.stop_signal()) return std::nullopt;
  events.on_phase(phase, options.idle);
  Sampler sampler(sensors(), timeline, clock, {options.period}, observer(events));
  sampler.start();
  const Instant begin = clock.now();
  const auto stopped = signals.wait_until(begin + options.idle);
  const Instant end = clock.now();
  sampler.stop();
  if (stopped) return std::nullopt;
  return Window{begin, end};
}

/// One run, from the baseline before to the record.
class MeasuredRun {
 public:
  MeasuredRun(Runner::State& state, const RunRequest& request, RunEvents& events, EdgeReader& edges,
              SignalForwarder signals, TemporaryFolder folder, Fd output, MarkServer marks)
      : state_(state),
        request_(request),
        events_(events),
        edges_(edges),
        signals_(std::move(signals)),
        folder_(std::move(folder)),
        output_(std::move(output)),
        marks_(std::move(marks)),
        timeline_(std::make_shared<Timeline>()) {}

  RunOutcome execute();

 private:
  ChildSpec child_spec();
  Result<void> start_sampling(int pid);
  std::optional<ChildEnd> wait_for_end(Child& child);
  void ask_to_end(const Child& child);
  void linger();
  void finish(Child& child, const ChildEnd& end);
  void collect_warnings();

  Runner::State& state_;
  const RunRequest& request_;
  RunEvents& events_;
  EdgeReader& edges_;
  SignalForwarder signals_;
  TemporaryFolder folder_;
  Fd output_;
  MarkServer marks_;
  std::shared_ptr<Timeline> timeline_;
  std::optional<process::RunCgroup> cgroup_;
  std::shared_ptr<const process::ProcessTree> tree_;
  std::unique_ptr<Sensor> process_sensor_;
  std::shared_ptr<Sampler> sampler_;
  bool asked_to_end_ = false;
  std::vector<Window> idle_;
  Seconds cpu_before_{0.0};
  RunRecord record_;
};

ChildSpec MeasuredRun::child_spec() {
  ChildSpec spec;
  spec.argv = request_.command;
  spec.environment = state_.options.environment;
  spec.environment.emplace_back("ERGO_MARKS", marks_.path().string());
  spec.environment.emplace_back("ERGO_RUN_DIR", folder_.path().string());
  spec.adopt_orphans = true;
  if (output_) spec.output_fd = output_.get();
  spec.run_as = state_.options.run_as;
  if (auto cgroup = process::RunCgroup::create(state_.environment)) {
    cgroup_.emplace(std::move(*cgroup));
    spec.cgroup_fd = cgroup_->fd();
  }
  spec.before_exec = [this](int pid) { return start_sampling(pid); };
  return spec;
}

/// The child exists but has not started the command: counters see all of it, and the first reading
/// precedes it.
Result<void> MeasuredRun::start_sampling(int pid) {
  process::TreeOptions tree_options;
  tree_options.reaper = static_cast<int>(::getpid());
  if (cgroup_ && cgroup_->path().holds(state_.environment.procfs, pid))
    tree_options.cgroup = cgroup_->path();
  auto tree = std::make_shared<process::ProcessTree>(pid, state_.environment, tree_options);
  process::Options options;
  options.cgroup = tree_options.cgroup;
  options.before_exec = true;
  options.tree = tree;
  state_.scope->set(tree);
  tree_ = tree;
  std::vector<Sensor*> sensors = state_.sensors();
  if (auto sensor = process::open(pid, state_.environment, options)) {
    process_sensor_ = std::move(*sensor);
    sensors.push_back(process_sensor_.get());
  } else {
    record_.warnings.push_back("CPU time and memory of the program are not measured: " +
                               sensor.error().text());
  }
  sampler_ =
      std::make_shared<Sampler>(std::move(sensors), *timeline_, state_.clock,
                                SamplerOptions{state_.options.period}, state_.observer(events_));
  sampler_->start();
  edges_.use(sampler_);
  return {};
}

std::optional<ChildEnd> MeasuredRun::wait_for_end(Child& child) {
  for (;;) {
    auto end = child.wait_until(state_.clock.now() + progress_period, &signals_);
    if (!end) {
      record_.warnings.push_back("the end of the command could not be observed: " +
                                 end.error().text());
      return std::nullopt;
    }
    if (*end) return **end;
    events_.on_progress(*timeline_, child.started());
    if (!asked_to_end_ && events_.wants_stop()) ask_to_end(child);
  }
}

/// To the whole group, as the terminal does it: a shell between would keep the signal to itself.
void MeasuredRun::ask_to_end(const Child& child) {
  asked_to_end_ = true;
  for (const process::Stat& member : tree_->members()) {
    if (member.pid != child.pid() && ::getpgid(member.pid) == ::getpgrp())
      ::kill(member.pid, SIGINT);
  }
  std::ignore = child.send(SIGINT);
}

void MeasuredRun::linger() {
  const Seconds useful = slowest_update(*timeline_) + state_.options.period;
  const Seconds wait = std::min({useful, record_.duration * linger_share, longest_linger});
  if (wait.value() > 0) signals_.wait_until(state_.clock.now() + wait);
}

void MeasuredRun::finish(Child& child, const ChildEnd& end) {
  record_.exit_code = end.exit_code;
  record_.signal = end.signal;
  record_.duration = end.time - child.started();
  for (const Survivor& survivor : child.survivors()) {
    record_.warnings.push_back(
        fmt::format("process {} ({}) still runs; its later energy is not in these numbers",
                    survivor.pid, survivor.command));
  }
  linger();
  sampler_->stop();
  record_.self_cpu = process_cpu_time() - cpu_before_;
  state_.scope->set(nullptr);
  child.reap();
  if (const auto window = state_.baseline(*timeline_, events_, signals_, "idle after"))
    idle_.push_back(*window);

  marks_.stop();
  const Window run{child.started(), end.time};
  const MarkedRun marked = marks_.windows(run.begin, run.end);
  MeasureOptions options;
  options.idle = idle_from(*timeline_, idle_);
  fill_record(record_, *timeline_, run, marked.windows, options);
  record_.warnings.insert(record_.warnings.end(), marked.warnings.begin(), marked.warnings.end());
}

void MeasuredRun::collect_warnings() {
  for (const Missing& missing : state_.found.missing)
    record_.warnings.push_back(describe(missing));
  for (const std::string& warning : state_.found.warnings)
    record_.warnings.push_back(warning);
  if (sampler_) {
    for (const std::string& notice : sampler_->notices())
      record_.warnings.push_back(notice);
  }
  if (const auto error = timeline_->spill_error()) {
    record_.warnings.push_back("old readings were lost: " + error->text());
  }
}

RunOutcome MeasuredRun::execute() {
  const WallAnchor anchor = WallAnchor::now();
  RunOutcome outcome;
  record_.index = request_.index;
  record_.warmup = request_.warmup;
  if (const auto window = state_.baseline(*timeline_, events_, signals_, "idle before"))
    idle_.push_back(*window);
  if (!signals_.stop_signal()) {
    events_.on_phase("run", std::nullopt);
    cpu_before_ = process_cpu_time();
    auto child = launch(child_spec());
    if (child) {
      outcome.pid = child->pid();
      record_.begin = child->started();
      record_.started_unix_ns = anchor.unix_ns_at(child->started());
      if (const auto end = wait_for_end(*child)) finish(*child, *end);
      auto latencies = read_latencies(folder_.path());
      if (latencies) {
        record_.latencies_s = std::move(*latencies);
        record_.latency = summarize_latencies(record_.latencies_s);
      } else {
        record_.warnings.push_back(latencies.error().text());
      }
    } else {
      record_.exit_code = exit_code_of_failed_launch(child.error());
      outcome.launch_error = child.error();
    }
    if (sampler_) sampler_->stop();
  } else {
    record_.exit_code = 128 + *signals_.stop_signal();
    record_.signal = signals_.stop_signal();
  }
  collect_warnings();
  outcome.stop_signal = signals_.stop_signal();
  if (asked_to_end_ && !outcome.stop_signal) outcome.stop_signal = SIGINT;
  outcome.record = std::move(record_);
  outcome.timeline = timeline_;
  return outcome;
}

Runner::Runner(Environment environment, RunnerOptions options, Clock& clock)
    : state_(std::make_unique<State>(State{std::move(environment),
                                           std::move(options),
                                           clock,
                                           std::make_shared<CurrentScope>(),
                                           {}})) {
  state_->found = discover({state_->environment, state_->options.gpus, state_->scope});
  state_->meters = state_->open_meters();
}

Runner::~Runner() = default;

const Discovery& Runner::discovery() const {
  return state_->found;
}

HostRecord Runner::host() const {
  return describe_host(state_->environment, state_->found.gpus);
}

Result<RunOutcome> Runner::run(const RunRequest& request, RunEvents& events) {
  if (!state_->meters) return state_->meters.error();
  auto signals = SignalForwarder::install();
  if (!signals) return signals.error();
  auto folder = TemporaryFolder::create("ergo-run");
  if (!folder) return folder.error();
  if (const auto& user = state_->options.run_as;
      user && ::chown(folder->path().c_str(), user->uid, user->gid) != 0) {
    return system_error("cannot give the run's folder to the user of the command", errno);
  }
  Fd output;
  if (!request.output.empty()) {
    output = Fd(::open(request.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!output) return system_error("cannot write " + request.output.string(), errno);
  }
  OpenWindows open_windows(events);
  MarkServerOptions mark_options;
  EdgeReader edges;
  mark_options.on_mark = [&](const MarkMessage& mark, int pid) {
    edges.at(mark);
    open_windows.take(mark, pid);
  };
  if (state_->options.run_as) mark_options.owner = state_->options.run_as->uid;
  auto marks = MarkServer::start(mark_options);
  if (!marks) return marks.error();
  return MeasuredRun(*state_, request, events, edges, std::move(*signals), std::move(*folder),
                     std::move(output), std::move(*marks))
      .execute();
}

}  // namespace ergo
