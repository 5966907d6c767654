#pragma once
// From the errors that members made on training curves to their weights and to the variance and the
// intervals of their mixture.

#include "ergo/model/method.hpp"
#include "model/constants.hpp"
#include "model/slowdowns.hpp"

#include <array>
#include <vector>

namespace ergo {

constexpr std::size_t most_members = 3;
using Weights = std::array<double, most_members>;
using MemberPredictions = std::array<Prediction, most_members>;

/// What the probes show of a curve: its power under the highest limit, and how much the lowest
/// probe slows it.
struct Traits {
  double log_power = 0.0;
  double log_slowdown = 0.0;
};

Traits traits_of(const Target& target);

/// How much a curve with the one's traits tells about errors on a curve with the other's.
double likeness(const Constants::Mixture& k, const Traits& a, const Traits& b);

/// One point of a training curve that was predicted while its group was left out.
struct Trial {
  MemberPredictions predicted;
  double log_time = 0.0;
  double log_power = 0.0;
  double weight = 1.0;
  Traits traits;  ///< of the curve
  // ln of energy and of EDP over the least of the curve: 0 under the limit to choose.
  double above_least_energy = 0.0;
  double above_least_edp = 0.0;
  double log_top_time = 0.0;  ///< of the curve, under its highest limit
  std::size_t group = 0;      ///< left out together
};

/// How the errors of one quantity follow from the members' own variance.
struct Spread {
  double scale = 1.0;      ///< of the standard deviation without that of one measurement
  double least = 0.02;     ///< what is left where the members are sure
  double tail = 1.959964;  ///< how many standard deviations hold 95 %
};

struct Calibration {
  Weights weights{};
  Spread time, energy, edp;
  std::vector<SlowdownMiss> slowdowns;  ///< for a card that training curves are from
};

/// Of the interval of a logarithm. Beyond a factor of e^50 nothing is known; the ends stay numbers.
double half_width(double variance, double tail);

/// The members' own variances, unscaled: what holds with nothing to learn from.
Calibration uncalibrated(const Weights& weights);

/// Weights and spreads for a card that training curves are from.
Calibration calibrated(const std::vector<Trial>& trials, const Constants::Mixture& constants);

/// For a card that none of them is from, with given weights. A handful of cards says how wide
/// intervals must be; they are too few to scale what decisions rest on.
Calibration calibrated_tails(const std::vector<Trial>& trials, const Weights& weights);

/// The mixture with calibrated variances; `noise` (of ln time) is added.
Prediction mixture_of(const MemberPredictions& members, const Calibration& calibration,
                      double noise);

}  // namespace ergo
