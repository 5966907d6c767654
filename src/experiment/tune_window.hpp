#pragma once
// Gathers observations under one limit until they make a measurement.

#include "ergo/experiment/tune.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace ergo::tune {

class WindowGatherer {
 public:
  void clear() { slices_.clear(); }
  void add(const TuneObservation& slice) { slices_.push_back(slice); }
  [[nodiscard]] bool empty() const { return slices_.empty(); }
  [[nodiscard]] Seconds length() const;
  /// Power at even steps, and the step; empty where it was not given.
  [[nodiscard]] std::pair<std::vector<double>, double> watts() const;
  /// A measurement, once it is long enough and exact enough, or has become too long.
  [[nodiscard]] std::optional<TuneWindow> complete(Seconds shortest, Seconds longest,
                                                   double precision) const;

 private:
  [[nodiscard]] std::optional<TuneWindow> measured() const;
  std::vector<TuneObservation> slices_;
};

}  // namespace ergo::tune
