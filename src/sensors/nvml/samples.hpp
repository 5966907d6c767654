#pragma once
// The driver's own record of a board's power: what its sensor read, one value after the other, each
// with its time. Finer than asking now and then for the latest value, where a board has no energy
// counter.

#include "ergo/core/clock.hpp"
#include "sensors/nvml/library.hpp"

#include <optional>
#include <span>
#include <vector>

namespace ergo::nvml {

/// Drains nvmlDeviceGetSamples(TOTAL_POWER).
class PowerSamples {
 public:
  struct Reading {
    Instant at;
    double watts = 0.0;
  };

  /// Asks once; nothing when the driver or the board keeps no such record. `refusal` gets the
  /// driver's answer.
  static std::optional<PowerSamples> open(const Library& library, abi::Device device,
                                          abi::Return& refusal);

  /// What came since the last call, in order of time; the first call gives what the driver still
  /// has. `status` gets the driver's answer; to have nothing new is success. The stamps are wall
  /// clock: they become instants through `clock`.
  std::vector<Reading> read(const Library& library, const Clock& clock, abi::Return& status);

  /// As the record was at opening, its values follow each other no more than one `look` apart, and
  /// none is an older one shown again and again.
  [[nodiscard]] bool leaves_nothing_out(Seconds look) const;

  /// What a call takes that fetches a few values.
  [[nodiscard]] Seconds cost() const { return cost_; }

  /// The stamps are those of another clock than this machine's: nothing more will come.
  [[nodiscard]] bool misdated() const { return strikes_ >= most_strikes; }

 private:
  static constexpr int most_strikes = 3;

  PowerSamples(abi::Device device, std::size_t capacity) : device_(device), buffer_(capacity) {}
  void look_at(std::span<const abi::Sample> held, int type);
  void measure_cost(const Library& library, unsigned long long newest_us);
  abi::Return fetch(const Library& library, unsigned& count, int& type);

  abi::Device device_;
  std::vector<abi::Sample> buffer_;
  unsigned long long last_seen_us_ = 0;
  std::optional<Instant> last_;
  Seconds step_{0.0};     ///< between two values, the median
  bool repeats_ = false;  ///< a value stays for several steps
  Seconds cost_{0.0};
  int strikes_ = 0;
};

}  // namespace ergo::nvml
