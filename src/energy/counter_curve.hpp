#pragma once
// The energy curve around one instant, as a counter shows it. Internal to energy/.

#include "ergo/sampling/timeline.hpp"

#include <optional>
#include <vector>

namespace ergo::energy_detail {

/// A tick of a counter: somewhere in [lo, hi] the energy was `joules`. Seconds relative to the
/// curve's instant.
struct Knot {
  double lo = 0.0;
  double hi = 0.0;
  double joules = 0.0;
  [[nodiscard]] double mid() const { return 0.5 * (lo + hi); }
};

/// The energy at an instant, and how far it may be off. Half-widths of uniform errors.
struct EdgeEnergy {
  double joules = 0.0;
  double lag = 0.0;    ///< the counter's ticks fell somewhere between two readings
  double shape = 0.0;  ///< between two ticks the power may have moved
  double clock = 0.0;  ///< the reading itself took time
  double at_least = 0.0;
  double at_most = 0.0;
  bool at_most_known = false;
};

/// A power signal of the same channel around the instant.
struct PowerShape {
  std::vector<Sample> samples;
  double resolution = 0.0;  ///< s: changes faster than this do not show
};

/// A few seconds of a counter around an instant.
class CounterCurve {
 public:
  /// Reads as much of the signal around `center` as is needed. At least two samples must exist.
  CounterCurve(const Timeline& timeline, SignalId id, Instant center);

  /// Longest time between two ticks: the stated period, or longer where the readings show it.
  [[nodiscard]] double period() const { return period_; }
  /// Typical time between two readings.
  [[nodiscard]] double spacing() const { return spacing_; }
  [[nodiscard]] const std::vector<Knot>& knots() const { return knots_; }

  /// Energy at the curve's instant. `power` tells in which range the load moved and, where it is
  /// finer than the counter's ticks, how it moved between them.
  [[nodiscard]] EdgeEnergy edge(const PowerShape& power) const;
  [[nodiscard]] Instant center() const { return center_; }
  [[nodiscard]] double span() const;

 private:
  struct Range {
    double low;
    double high;
  };

  void gather(const Timeline& timeline);
  void build_knots(const std::vector<Sample>& samples);
  [[nodiscard]] std::size_t segment() const;
  [[nodiscard]] double slope(std::size_t segment) const;
  [[nodiscard]] double value(double x) const;
  [[nodiscard]] Range power_range(std::size_t segment, const PowerShape& power) const;
  void tighten_first_knot();
  void edge_by_lines(EdgeEnergy& edge, const PowerShape& power) const;
  [[nodiscard]] bool edge_by_power(EdgeEnergy& edge, const PowerShape& power) const;
  [[nodiscard]] double lag(std::size_t segment) const;
  void bound(EdgeEnergy& edge) const;

  SignalId id_;
  Instant center_;
  double stated_period_;
  double sampled_fraction_;
  double period_ = 0.0;
  double spacing_ = 0.0;
  double half_width_ = 0.0;
  std::vector<Knot> knots_;
};

}  // namespace ergo::energy_detail
