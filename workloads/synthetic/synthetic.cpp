#include "synthetic/synthetic.hpp"

#include "ergo/mark.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace ergo::workload {
namespace {

bool is_fraction(double value) {
  return value >= 0.0 && value <= 1.0;
}

Result<void> check(const SyntheticOptions& options) {
  const auto refuse = [](const char* fact, const char* remedy) {
    return Error{Errc::invalid_argument, fact, remedy};
  };
  if (!is_fraction(options.compute) || !is_fraction(options.memory) ||
      !is_fraction(options.memory_bound)) {
    return refuse("a demand lies outside of 0..1",
                  "give --compute, --memory and --memory-bound as fractions");
  }
  if (!(options.duty > 0.0) || options.duty > 1.0) {
    return refuse("the duty is not above 0 and at most 1", "give --duty as a fraction");
  }
  if (!options.seconds && !options.iterations) {
    return refuse("nothing says when to stop", "give --seconds or --iterations");
  }
  if (!(options.iteration.value() > 0.0)) {
    return refuse("an iteration takes no time", "give --iteration-time above 0");
  }
  if (options.burst_period.value() < 0.0) {
    return refuse("the burst period is negative", "give --burst-period as a duration");
  }
  return {};
}

/// Hands out work in bursts: `work` seconds of it, with a pause after each burst. Remembers where
/// in a burst it is, so that bursts run through iterations of any length.
class Bursts {
 public:
  Bursts(const SyntheticOptions& options, Worker& worker)
      : worker_(worker),
        demand_{options.compute, options.memory, options.memory_bound},
        busy_(options.burst_period * options.duty),
        pause_(options.burst_period - busy_),
        in_bursts_(options.burst_period.value() > 0.0 && options.duty < 1.0),
        left_(busy_) {}

  Result<void> run(Seconds work) {
    while (work.value() > 0.0) {
      const Seconds part = in_bursts_ ? std::min(work, left_) : work;
      const Result<Seconds> took = worker_.run(demand_, part);
      if (!took) return took.error();
      work -= part;
      left_ -= part;
      if (in_bursts_ && left_.value() <= 1e-9) {
        if (Result<void> paused = worker_.pause(pause_); !paused) return paused;
        left_ = busy_;
      }
    }
    return {};
  }

 private:
  Worker& worker_;
  WorkDemand demand_;
  Seconds busy_;
  Seconds pause_;
  bool in_bursts_;
  Seconds left_;
};

}  // namespace

Result<SyntheticReport> run_synthetic(const SyntheticOptions& options, Worker& worker) {
  if (Result<void> checked = check(options); !checked) return checked.error();
  Bursts bursts(options, worker);
  SyntheticReport report;
  const Instant begin = worker.now();
  const auto done = [&] {
    const auto count = static_cast<std::int64_t>(report.latencies.size());
    return (options.iterations && count >= *options.iterations) ||
           (options.seconds && count > 0 && worker.now() - begin >= *options.seconds);
  };

  Mark work("work", 0);
  std::optional<Mark> epoch;
  std::int64_t in_epoch = 0;
  while (!done()) {
    if (options.epoch_iterations > 0 && !epoch) epoch.emplace("epoch", 0);
    const Instant start = worker.now();
    if (Result<void> ran = bursts.run(options.iteration); !ran) return ran.error();
    report.latencies.push_back(worker.now() - start);
    if (!epoch) continue;
    epoch->set_count(++in_epoch);
    if (in_epoch == options.epoch_iterations) {
      epoch.reset();
      in_epoch = 0;
    }
  }
  epoch.reset();
  work.set_count(static_cast<std::int64_t>(report.latencies.size()));
  report.duration = worker.now() - begin;
  return report;
}

}  // namespace ergo::workload
