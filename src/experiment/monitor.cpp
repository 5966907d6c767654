#include "ergo/experiment/monitor.hpp"

#include "ergo/sampling/sampler.hpp"

#include <unistd.h>

#include <cmath>
#include <map>
#include <mutex>
#include <set>

namespace ergo {

struct Monitor::State {
  State(const Environment& environment, const MonitorOptions& options, Clock& the_clock)
      : clock(the_clock),
        found(discover({environment, options.gpus, nullptr})),
        start(clock.now()) {
    std::vector<Sensor*> sensors;
    for (const auto& sensor : found.sensors)
      sensors.push_back(sensor.get());
    sampler = std::make_unique<Sampler>(std::move(sensors), timeline, clock,
                                        SamplerOptions{options.period});
    sampler->start();
  }

  struct Open {
    std::string name;
    Instant begin;
  };

  Clock& clock;
  Discovery found;
  Timeline timeline;
  std::unique_ptr<Sampler> sampler;
  Instant start;
  pid_t owner = ::getpid();

  mutable std::mutex mutex;  // guards what follows
  WindowId next = 1;
  std::map<WindowId, Open> open;
  std::map<std::string, int> ended;
  std::set<std::string> warnings;

  Result<Open> take(WindowId window);
  /// False in a forked child, where a lock may be held by a thread that does not exist.
  [[nodiscard]] bool ours() const { return ::getpid() == owner; }
};

/// Removes an open window from the list and returns it.
Result<Monitor::State::Open> Monitor::State::take(WindowId window) {
  if (!ours()) {
    return Error{Errc::not_supported, "this monitor belongs to the parent process",
                 "start a new monitor after fork()"};
  }
  const std::lock_guard lock(mutex);
  const auto found_window = open.find(window);
  if (found_window == open.end()) {
    return Error{Errc::not_found, "no such window is open", "end or cancel each window once"};
  }
  Open taken = std::move(found_window->second);
  open.erase(found_window);
  return taken;
}

Monitor::Monitor(std::unique_ptr<State> state) : state_(std::move(state)) {}

Monitor::~Monitor() {
  if (state_->ours()) return;
  // The sampler's thread does not exist in a forked child: joining it would wait for ever, so all
  // of it is left.
  std::ignore = state_.release();
}

Result<std::unique_ptr<Monitor>> Monitor::start(const MonitorOptions& options) {
  // Never destroyed: the threads of monitors that nobody stops read it until the process ends.
  static SystemClock& clock = *new SystemClock;
  return start(Environment::from_process(), options, clock);
}

Result<std::unique_ptr<Monitor>> Monitor::start(const Environment& environment,
                                                const MonitorOptions& options, Clock& clock) {
  // Written so that NaN is refused, too.
  if (!(options.period.value() >= 1e-3)) {
    return Error{Errc::invalid_argument, "the period is shorter than 1 ms", "choose 1 ms or more"};
  }
  if (!std::isfinite(options.period.value())) {
    return Error{Errc::invalid_argument, "the period is endless", "choose a number of seconds"};
  }
  return std::unique_ptr<Monitor>(
      new Monitor(std::make_unique<State>(environment, options, clock)));
}

Monitor::WindowId Monitor::begin(std::string name) {
  if (!state_->ours()) return 0;
  state_->sampler->tick();
  const std::lock_guard lock(state_->mutex);
  const WindowId id = state_->next++;
  state_->open[id] = {std::move(name), state_->clock.now()};
  return id;
}

Result<WindowRecord> Monitor::end(WindowId window, std::optional<std::int64_t> count) {
  const Instant end = state_->clock.now();
  auto opened = state_->take(window);
  if (!opened) return opened.error();
  state_->sampler->tick();
  WindowEnergy energy = measure(state_->timeline, {opened->begin, end});
  WindowRecord record;
  record.name = opened->name;
  record.pid = static_cast<int>(state_->owner);
  record.start = opened->begin - state_->start;
  record.duration = end - opened->begin;
  record.count = count;
  record.energy = std::move(energy.channels);
  record.total = energy.total;
  const std::lock_guard lock(state_->mutex);
  record.index = state_->ended[record.name]++;
  state_->warnings.insert(energy.warnings.begin(), energy.warnings.end());
  return record;
}

Result<void> Monitor::cancel(WindowId window) {
  auto taken = state_->take(window);
  if (!taken) return taken.error();
  return {};
}

std::size_t Monitor::open_windows() const {
  if (!state_->ours()) return 0;
  const std::lock_guard lock(state_->mutex);
  return state_->open.size();
}

Instant Monitor::started() const {
  return state_->start;
}

const Discovery& Monitor::discovery() const {
  return state_->found;
}

const Timeline& Monitor::timeline() const {
  return state_->timeline;
}

std::vector<std::string> Monitor::warnings() const {
  if (!state_->ours()) return {};
  std::set<std::string> all;
  {
    const std::lock_guard lock(state_->mutex);
    all = state_->warnings;
  }
  for (const std::string& notice : state_->sampler->notices())
    all.insert(notice);
  for (const std::string& warning : state_->found.warnings)
    all.insert(warning);
  return {all.begin(), all.end()};
}

Seconds Monitor::own_cpu() const {
  if (!state_->ours()) return Seconds(0.0);
  return state_->sampler->stats().cpu;
}

}  // namespace ergo
