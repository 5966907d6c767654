#pragma once
// A load whose true energy is known exactly, and sensors that see it as real boards do: a counter
// that moves once a period and may look at part of it, a boxcar, a low pass. Small on purpose; the
// simulated node is the larger sister.

#include "ergo/core/clock.hpp"
#include "ergo/sensors/sensor.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace ergo::testing {

/// Power as a piecewise constant function of time (seconds from 0 on).
class TrueLoad {
 public:
  void add(double duration_s, double watts);
  [[nodiscard]] double energy(double from_s, double to_s) const;
  [[nodiscard]] double power(double t_s) const;
  [[nodiscard]] double end() const { return times_.back(); }
  [[nodiscard]] const std::vector<double>& edges() const { return times_; }

 private:
  [[nodiscard]] double cumulative(double t_s) const;
  [[nodiscard]] std::size_t piece(double t_s) const;

  std::vector<double> times_{0.0};
  std::vector<double> watts_;
  std::vector<double> joules_{0.0};
};

enum class LoadShape { steady, square, bursty };

/// `length_s` of a random load of a shape between an idle and a full power.
TrueLoad random_load(LoadShape shape, double length_s, double idle_w, double full_w,
                     std::mt19937_64& random);

/// How a board's sensor sees the load.
struct Board {
  std::string name;
  double idle_w = 50.0;
  double full_w = 250.0;
  double period_s = 0.1;    ///< the power value and the counter are renewed so often
  double window_s = 0.1;    ///< mean over the last so many seconds of each period
  double low_pass_s = 0.0;  ///< time constant in place of the boxcar
  bool counter = true;
  bool counter_sees_all = false;  ///< though the power reading looks at `window_s` alone
  /// The driver keeps a record of power, too: means of 22.5 ms, one every 20 ms or so, each with
  /// its time.
  bool record = false;
};

/// The boards of the simulated node.
std::vector<Board> boards();

/// A sensor of one board on channel "gpu0": a counter of joules where the board has one, its record
/// of power if it keeps one, and power.
class BoardSensor final : public Sensor {
 public:
  /// `phase` in [0, 1): where the board's periods lie relative to time 0.
  BoardSensor(const TrueLoad& load, const Board& board, double phase, double gain);

 private:
  Result<void> do_read(const Clock& clock, Batch& out) override;
  void go_to(double t_s);
  void declare(const SignalInfo& like);
  void drain_record(double t_s, std::size_t signal, Batch& out);
  [[nodiscard]] double read_out(double tick_s);

  const TrueLoad& load_;
  Board board_;
  double gain_;
  double next_tick_;
  double last_tick_ = 0.0;
  double filtered_ = 0.0;
  double watts_ = 0.0;
  double counted_ = 0.0;
  double next_record_;
  std::mt19937_64 jitter_;
};

}  // namespace ergo::testing
