#include "model/calibration.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

constexpr double one_run = 4e-4;  // the variance of one measurement in every member's

/// A point at which all members agree, with this variance of ln time beyond that of a run.
MemberPredictions agreed(double variance) {
  Prediction p{100, 0, 0, variance + one_run, one_run, 0};
  return {p, p, p};
}

/// Members that are sure where errors are half a per cent, and unsure, twice too much, elsewhere.
std::vector<Trial> trials() {
  std::vector<Trial> all;
  for (int i = 0; i < 100; ++i) {
    const double z = 2.0 * (i % 10) / 9 - 1;  // uniform in -1..1: standard deviation 0.64
    const double alike = z / 0.64;
    all.push_back({agreed(0.0), 0.005 * alike, 0, 1, {}});
    all.push_back({agreed(0.04), 0.1 * alike, 0, 1, {}});
  }
  return all;
}

TEST(Calibration, FollowsTheErrorsWhereMembersAreSureAndWhereTheyAreNot) {
  const Calibration c = calibrated(trials(), {});
  EXPECT_NEAR(std::sqrt(mixture_of(agreed(0.0), c, 0).var_time), 0.005, 0.003);
  EXPECT_NEAR(std::sqrt(mixture_of(agreed(0.04), c, 0).var_time), 0.1, 0.05);
  const Prediction p = mixture_of(agreed(0.04), c, 0);
  EXPECT_GT(p.tail_time * std::sqrt(p.var_time), 0.15) << "holds the largest error";
}

TEST(Calibration, AHandfulOfCardsSetsTheTailsButNotTheVariance) {
  const Weights weights{0.5, 0.5, 0.0};
  const Calibration c = calibrated_tails(trials(), weights);
  const Prediction sure = mixture_of(agreed(0.0), c, 0);
  const Prediction unsure = mixture_of(agreed(0.04), c, 0);
  EXPECT_NEAR(sure.var_time, one_run, 1e-9);
  EXPECT_NEAR(unsure.var_time, 0.04 + one_run, 1e-9);
  EXPECT_NEAR(sure.tail_time, unsure.tail_time, 1e-9);
}

TEST(Calibration, NoiseOfTheProbesWidensEveryQuantity) {
  const Calibration c = uncalibrated({1.0, 0.0, 0.0});
  const Prediction clean = mixture_of(agreed(0.0), c, 0);
  const Prediction noisy = mixture_of(agreed(0.0), c, 0.05);
  EXPECT_NEAR(noisy.var_time - clean.var_time, 0.0025, 1e-9);
  EXPECT_GT(noisy.var_energy(), clean.var_energy());
  EXPECT_GT(noisy.var_edp(), clean.var_edp());
}

TEST(Calibration, TrustsTheMemberThatIsRightWhereLimitsAreChosen) {
  const auto says = [](double log_time) { return Prediction{100, log_time, 0, one_run, one_run}; };
  std::vector<Trial> all;
  for (int i = 0; i < 20; ++i) {
    Trial near{{says(0.00), says(0.05), says(0.05)}, 0, 0, 1, {}};
    Trial far{{says(1.10), says(1.00), says(1.00)}, 1.0, 0, 1, {}};
    far.above_least_energy = 0.9;  // nobody would choose a limit that costs 2.5 times the least
    far.above_least_edp = 1.9;
    all.push_back(near);
    all.push_back(far);
  }
  EXPECT_GT(calibrated(all, {}).weights[0], 0.7);
}

TEST(Calibration, IntervalsFromAFewWorkloadsAreWiderThanFromMany) {
  const auto half_width = [](std::size_t groups) {
    std::vector<Trial> some = trials();
    for (std::size_t i = 0; i < some.size(); ++i)
      some[i].group = i / 2 % groups;
    const Prediction p = mixture_of(agreed(0.04), calibrated(some, {}), 0);
    return p.tail_time * std::sqrt(p.var_time);
  };
  EXPECT_NEAR(half_width(2) / half_width(50), 4.303 / 2.009, 0.01) << "Student's t, 2 against 50";
  EXPECT_GT(half_width(3), half_width(5));
  EXPECT_GT(half_width(5), half_width(10));
}

TEST(Calibration, WithoutTrialsIsTheMembersOwn) {
  const Prediction p = mixture_of(agreed(0.01), calibrated({}, {}), 0);
  EXPECT_NEAR(p.var_time, 0.01 + one_run, 1e-9);
}

}  // namespace
}  // namespace ergo
