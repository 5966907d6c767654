// Writes into a store as a separate process, so that tests can kill it, let two of them compete, or
// limit its files.
//   store_child stream FILE          samples without end; "taken NS COUNT" after each, "flushed
//   COUNT" after each flush store_child timed FILE           samples without end, never flushed by
//   hand; "taken NS COUNT" after each store_child runs FILE NAME N     an experiment of N finished
//   runs with 500 samples each store_child limited FILE BYTES   files may not grow beyond BYTES:
//   writes until that fails, then without the limit
#include "ergo/store/store.hpp"
#include "sample_records.hpp"

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

using namespace ergo;

[[noreturn]] void fail(const Error& error) {
  std::printf("error %s\n", error.text().c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

template <class T>
T need(Result<T> result) {
  if (!result) fail(result.error());
  return std::move(*result);
}

std::int64_t monotonic_ns() {
  return SystemClock().now().ns;
}

int stream(const std::string& file, bool flush) {
  auto store = need(Store::open(file, Store::Mode::create));
  const auto experiment = need(store.begin_experiment(testing::full_experiment(0), "plan"));
  RunPlan plan;
  plan.begin = Instant{monotonic_ns()};
  auto writer = need(store.begin_run(experiment, plan));
  for (int count = 1;; ++count) {
    const std::int64_t now = monotonic_ns();
    writer->append(testing::power_signal(), {Instant{now}, static_cast<double>(count), 0.0F});
    std::printf("taken %lld %d\n", static_cast<long long>(now), count);
    if (flush && count % 7 == 0) {
      if (auto done = writer->flush(); !done) fail(done.error());
      std::printf("flushed %d\n", count);
    }
    std::fflush(stdout);
    std::this_thread::sleep_for(flush ? std::chrono::microseconds(200)
                                      : std::chrono::milliseconds(5));
  }
}

int write_runs(const std::string& file, const std::string& name, int n) {
  auto store = need(Store::open(file, Store::Mode::create));
  auto record = testing::full_experiment(0);
  record.name = name;
  const auto experiment = need(store.begin_experiment(record));
  for (int i = 0; i < n; ++i) {
    RunPlan plan;
    plan.index = i;
    auto writer = need(store.begin_run(experiment, plan));
    for (int k = 0; k < 500; ++k) {
      writer->append(testing::power_signal(), {Instant{k}, i * 1000.0 + k, 0.0F});
      if (k % 50 == 0) {
        if (auto done = writer->flush(); !done) fail(done.error());
      }
    }
    if (auto done = writer->finish(testing::full_run(i)); !done) fail(done.error());
  }
  if (auto done = store.finish_experiment(experiment, SummaryRecord{}); !done) fail(done.error());
  std::printf("done\n");
  return 0;
}

void limit_files(rlim_t bytes) {
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  setrlimit(RLIMIT_FSIZE, &limit);
}

int limited(const std::string& file, const std::string& bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  auto store = need(Store::open(file, Store::Mode::create));
  const auto experiment = need(store.begin_experiment(testing::full_experiment(0)));
  auto writer = need(store.begin_run(experiment, RunPlan{}));
  limit_files(static_cast<rlim_t>(std::stoul(bytes)));
  int count = 0;
  std::string message;
  while (message.empty() && count < 10'000'000) {
    for (int k = 0; k < 1000; ++k, ++count) {
      writer->append(testing::power_signal(), {Instant{count}, static_cast<double>(count), 0.0F});
    }
    if (auto done = writer->flush(); !done) message = done.error().text();
  }
  std::printf("failed at %d: %s\n", count, message.c_str());
  // While nothing can be written the run goes on.
  for (int k = 0; k < 1000; ++k, ++count) {
    writer->append(testing::power_signal(), {Instant{count}, static_cast<double>(count), 0.0F});
  }
  std::printf("finish %s\n", writer->finish(RunRecord{}) ? "worked" : "failed");
  limit_files(RLIM_INFINITY);
  if (auto done = writer->finish(RunRecord{}); !done) fail(done.error());
  std::printf("saved %d\n", count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  if (mode == "stream") return stream(argv[2], true);
  if (mode == "timed") return stream(argv[2], false);
  if (mode == "runs" && argc == 5) return write_runs(argv[2], argv[3], std::stoi(argv[4]));
  if (mode == "limited" && argc == 4) return limited(argv[2], argv[3]);
  return 2;
}
