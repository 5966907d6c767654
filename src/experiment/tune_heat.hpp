#pragma once
// How warm the card would be under the default limit all the time. A warmer card leaks more: the
// short returns to the default, on a card that is cool from the limit settled on, need less than
// the default would have needed.

#include "ergo/experiment/tune.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace ergo::tune {

/// Power and temperature over the job, and which kind of work it was.
class HeatLog {
 public:
  void add(const TuneObservation& o, std::size_t phase);
  /// Kind `from` turned out to be kind `to`.
  void merge(std::size_t from, std::size_t to);

  /// The mean temperature of each kind's time, had the card drawn `default_w(kind)` (nothing: what
  /// it drew). The card is a body with one heat capacity: T = ambient + R (low pass of power),
  /// fitted to what was read. Nothing when temperature was not read or does not follow power.
  [[nodiscard]] std::vector<std::optional<double>> under_default(
      std::size_t phases, const std::function<std::optional<double>(std::size_t)>& default_w) const;

 private:
  struct Point {
    double seconds = 0;
    double joules = 0;
    double kelvin_seconds = 0;  ///< celsius x seconds
    std::size_t phase = 0;
  };
  std::vector<Point> points_;
};

}  // namespace ergo::tune
