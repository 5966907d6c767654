#include "synthetic/worker.hpp"

#include <cstdint>

namespace ergo::workload {
namespace {

class CpuWorker final : public Worker {
 public:
  Result<Seconds> run(const WorkDemand&, Seconds work) override {
    const Instant start = now();
    const Instant end = start + work;
    while (now() < end)
      spin();
    return now() - start;
  }

  Result<void> pause(Seconds time) override {
    clock_.sleep_until(now() + time, {});
    return {};
  }

  [[nodiscard]] Instant now() const override { return clock_.now(); }
  [[nodiscard]] std::string description() const override { return "one CPU core"; }

 private:
  /// Some ten thousand dependent multiplications: long beside a reading of the clock, short beside
  /// an iteration.
  void spin() {
    for (int i = 0; i < 10'000; ++i)
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  }

  SystemClock clock_;
  volatile std::uint64_t state_ = 1;
};

}  // namespace

std::unique_ptr<Worker> make_cpu_worker() {
  return std::make_unique<CpuWorker>();
}

}  // namespace ergo::workload
