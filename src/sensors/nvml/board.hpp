#pragma once
// One GPU as a sensor.

#include "ergo/sensors/registry.hpp"
#include "ergo/sensors/sensor.hpp"
#include "sensors/nvml/gpm.hpp"
#include "sensors/nvml/processes.hpp"
#include "sensors/nvml/samples.hpp"
#include "sensors/nvml/selection.hpp"
#include "sensors/nvml/traits.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ergo::nvml {

/// A value of the driver as a number; nothing when its type is unknown.
std::optional<double> number_of(int value_type, const abi::Value& value);
/// A value of nvmlDeviceGetFieldValues as a number, whatever its type; nothing when its type is
/// unknown.
std::optional<double> number_of(const abi::FieldValue& value);

/// An energy counter in millijoules that never falls. Counters of 32 bits wrap; any other fall is a
/// restart (driver reload, GPU reset), after which counting goes on from what was counted so far.
class BoardCounter {
 public:
  /// Joules since the first call. Sets `restarted` when the counter began anew.
  double update(double millijoules, bool is_32_bit, bool& restarted);

 private:
  WrapCounter counter_{0.0};
  double last_raw_ = 0.0;
  double wrapped_ = 0.0;
};

/// A field of the batched call, or a call of its own for drivers without it.
struct Field {
  unsigned id = 0;
  std::size_t signal = 0;
  SignalKind kind = SignalKind::gauge;
  BoardCounter energy;
  WrapCounter counter{0.0};
};

/// A call of its own that yields one or two numbers.
struct Poll {
  std::vector<std::size_t> signals;
  std::function<abi::Return(double* values)> ask;
  std::optional<Field> field;  ///< set for energy and power
};

/// Reads one board: energy and power in one nvmlDeviceGetFieldValues call per tick; utilisation,
/// clocks, memory and temperature about ten times a second, GPM five times, processes once, however
/// fast the sampler runs. Throttle times, which only grow and cost Hopper's driver 1 ms, join that
/// call once a second and at the edges of windows. An energy counter whose call takes the driver
/// long (3.4 ms of computing on Hopper) is read once a second and at the edges of windows, if it
/// sees all of the time. The driver's record of power samples, where it tells more than the
/// readings, is drained about ten times a second (once, if that takes the driver long) and at the
/// edges of windows. Which signals exist is decided at construction by asking for each once. Errors
/// of read: `lost` when the GPU fell off the bus, `unavailable` when a tick failed. Owns a share of
/// the library, so handles stay valid.
class BoardSensor final : public Sensor {
 public:
  struct Options {
    std::string model;                          ///< "Tesla V100-SXM2-16GB"
    std::shared_ptr<const ProcessScope> scope;  ///< absent: no per-process signals
    std::filesystem::path procfs;
  };

  /// Asks the board for everything once. What the board refuses for lack of rights goes to
  /// `so_far.missing`, what people should know about it to `so_far.warnings`.
  BoardSensor(std::shared_ptr<const Library> library, const Board& board, const Options& options,
              Discovery& so_far);

  /// Energy or power can be read.
  [[nodiscard]] bool meters_energy() const { return meters_energy_; }
  [[nodiscard]] bool paces() const override {
    return !dear_polls_.empty() || fields_.size() > fast_fields_ || samples_.has_value();
  }

 protected:
  Result<void> do_read(const Clock& clock, Batch& out) override;

 private:
  std::size_t add_signal(SignalInfo info);
  std::size_t add_gauge(std::string_view name, std::string_view unit,
                        SignalKind kind = SignalKind::gauge);
  std::size_t add_energy_signal(EnergyField field, SignalKind kind);
  void rank_power_signals();

  std::vector<abi::FieldValue> probe_fields(const std::vector<unsigned>& ids) const;
  void add_fields();
  [[nodiscard]] Seconds cost_of_counter() const;
  [[nodiscard]] bool wants_power_samples() const;
  void pace_counter(std::size_t signal, Seconds cost);
  void add_energy_polls();
  void add_power_samples();
  void add_state_polls();
  void add_clock_polls();
  void add_power_limit_poll();
  bool add_poll(std::vector<Poll>& polls,
                std::initializer_list<std::pair<std::string_view, std::string_view>> names,
                std::function<abi::Return(double*)> ask, SignalKind kind = SignalKind::gauge);
  void add_processes(Discovery& so_far, const Options& options);
  void add_gpm();
  [[nodiscard]] bool in_mig_mode() const;
  void note_refusal(abi::Return code, std::string_view what);

  Result<void> read_fields(const Clock& clock, bool all, Batch& out);
  Result<void> read_polls(std::vector<Poll>& polls, const Clock& clock, Batch& out);
  Result<void> read_samples(const Clock& clock, Batch& out);
  Result<void> read_processes(const Clock& clock, Batch& out);
  Result<void> read_gpm(const Clock& clock, Batch& out);
  void put(Field& field, double raw, bool is_32_bit, Instant before, Instant after, Batch& out);
  [[nodiscard]] Error lost_error() const;

  std::shared_ptr<const Library> library_;
  abi::Device device_;
  std::string id_;  ///< "gpu0"
  BoardKind kind_;
  bool mig_ = false;
  bool meters_energy_ = false;
  bool lost_ = false;

  std::vector<Field> fields_;  ///< those of every tick first, then those read rarely
  std::size_t fast_fields_ = 0;
  std::vector<abi::FieldValue> values_;
  std::vector<Poll> fast_polls_;
  std::vector<Poll> dear_polls_;
  std::vector<Poll> slow_polls_;
  std::optional<PowerSamples> samples_;
  std::size_t samples_signal_ = 0;
  bool samples_are_dear_ = false;
  std::unique_ptr<ProcessReader> processes_;
  std::size_t share_signal_ = 0;
  std::size_t memory_signal_ = 0;
  std::unique_ptr<GpmReader> gpm_;
  std::size_t first_gpm_signal_ = 0;

  std::optional<Instant> last_slow_;
  std::optional<Instant> last_dear_;
  std::optional<Instant> last_rare_;
  std::optional<Instant> last_samples_;
  std::optional<Instant> last_gpm_;
  std::optional<Instant> last_processes_;
  std::vector<Missing> refusals_;
};

}  // namespace ergo::nvml
