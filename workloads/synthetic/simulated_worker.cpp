#include "synthetic/worker.hpp"

#include <cstdlib>

#ifdef ERGO_WITH_SIMULATOR
#include "sim_api.h"
#endif

namespace ergo::workload {

#ifdef ERGO_WITH_SIMULATOR
namespace {

class SimulatedWorker final : public Worker {
 public:
  explicit SimulatedWorker(unsigned gpu) : gpu_(gpu) {}
  ~SimulatedWorker() override { ergo_sim_set_demand(gpu_, 0, 0, 0); }

  Result<Seconds> run(const WorkDemand& demand, Seconds work) override {
    const double took =
        ergo_sim_run(gpu_, demand.compute, demand.memory, demand.memory_bound, work.value());
    if (took < 0) return Error{Errc::lost, "the simulated GPU is gone", ""};
    return Seconds(took);
  }

  Result<void> pause(Seconds time) override {
    // Work that neither computes nor moves data, at a speed that no clock changes, is waiting.
    const Result<Seconds> waited = run({0.0, 0.0, 1.0}, time);
    return waited ? Result<void>() : Result<void>(waited.error());
  }

  [[nodiscard]] Instant now() const override { return Instant{ergo_sim_now_ns()}; }
  [[nodiscard]] std::string description() const override {
    return "simulated GPU " + std::to_string(gpu_);
  }

 private:
  unsigned gpu_;
};

}  // namespace

Result<std::unique_ptr<Worker>> make_simulated_worker(unsigned gpu) {
  const int gpus = ergo_sim_gpu_count();
  if (gpus < 0) {
    return Error{Errc::not_found, "ERGO_SIM_STATE names no simulated node",
                 "start it with ergo's --sim"};
  }
  if (gpu >= static_cast<unsigned>(gpus)) {
    return Error{Errc::invalid_argument, "the simulated node has " + std::to_string(gpus) + " GPUs",
                 "choose another --gpu"};
  }
  return std::unique_ptr<Worker>(std::make_unique<SimulatedWorker>(gpu));
}
#else
Result<std::unique_ptr<Worker>> make_simulated_worker(unsigned) {
  return Error{Errc::not_supported, "this ergo-workload was built without the simulated node", ""};
}
#endif

}  // namespace ergo::workload
