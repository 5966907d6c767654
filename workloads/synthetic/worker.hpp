#pragma once
// Who does the synthetic work: a simulated GPU, or one core of the real CPU.

#include "ergo/core/clock.hpp"
#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"

#include <memory>
#include <string>

namespace ergo::workload {

/// What work asks of the device; all 0…1.
struct WorkDemand {
  double compute = 0.0;       ///< arithmetic units kept busy
  double memory = 0.0;        ///< memory bandwidth kept busy
  double memory_bound = 0.0;  ///< part of the time that does not depend on the core clock
};

class Worker {
 public:
  virtual ~Worker() = default;
  /// Does `work` (seconds at the highest clock, undisturbed) and returns how long it took.
  virtual Result<Seconds> run(const WorkDemand& demand, Seconds work) = 0;
  /// Does nothing for `time`.
  virtual Result<void> pause(Seconds time) = 0;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual std::string description() const = 0;
};

/// Keeps one CPU core busy for the time; the demand is not modelled beyond that.
std::unique_ptr<Worker> make_cpu_worker();

/// GPU 0 of the simulated node that ERGO_SIM_STATE names, which slows the work as its clock and
/// power limit have it. Errors: not_supported when this program was built without the simulator.
Result<std::unique_ptr<Worker>> make_simulated_worker(unsigned gpu);

}  // namespace ergo::workload
