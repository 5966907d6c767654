// Which limit is measured next.
#include "experiment/tune_choice.hpp"

#include "experiment/tune_ledger.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo::tune {
namespace {

TuneOptions every_tenth_watt(double low, double high) {
  TuneOptions options;
  for (double limit = low; limit <= high; limit += 10)
    options.limits_w.push_back(limit);
  return options;
}

/// Energy per item in units of the default's, when it takes as long and draws so much.
Measured costs(double energy, double drawn_w) {
  Measured m;
  m.log_power = std::log(drawn_w);
  m.log_time = std::log(energy) - m.log_power;
  m.se = 0.002;
  m.se_time = 0.002;
  return m;
}

TEST(Refinement, LooksIntoAGapThatTheCostFallsIntoFromBothSides) {
  const TuneOptions options = every_tenth_watt(100, 400);
  const MeasuredLimits measured{
      {160, costs(0.730, 159)}, {190, costs(0.736, 188)}, {400, costs(1.0, 352)}};
  const auto limit = refinement(options, measured, 0.003);
  ASSERT_TRUE(limit);
  // From 160 W downwards it is not known how the cost goes on, either: half-way is as good.
  EXPECT_LT(*limit, 190);
  MeasuredLimits more = measured;
  more[130] = costs(0.82, 133);
  const auto between = refinement(options, more, 0.003);
  ASSERT_TRUE(between);
  EXPECT_GT(*between, 160);
  EXPECT_LT(*between, 190);
}

TEST(Refinement, EndsWhereNoLimitIsLeftBetween) {
  const TuneOptions options = every_tenth_watt(100, 400);
  const MeasuredLimits measured{{160, costs(0.73, 159)},
                                {170, costs(0.718, 169)},
                                {180, costs(0.725, 178)},
                                {400, costs(1.0, 352)}};
  EXPECT_EQ(refinement(options, measured, 0.003), std::nullopt);
}

TEST(Refinement, DoesNotTakeNoiseForAValley) {
  const TuneOptions options = every_tenth_watt(100, 400);
  MeasuredLimits measured{{140, costs(0.777, 139)},
                          {160, costs(0.7300, 159)},
                          {180, costs(0.7301, 178)},
                          {400, costs(1.0, 352)}};
  ASSERT_TRUE(refinement(options, measured, 0.003));
  for (auto& [limit, m] : measured)
    m.se = 0.03;
  EXPECT_EQ(refinement(options, measured, 0.003), std::nullopt);
}

TEST(Refinement, GoesBelowWhatIsDrawnWhenALimitIsNotInTheWay) {
  const TuneOptions options = every_tenth_watt(100, 300);
  MeasuredLimits measured{{200, costs(1, 140)}, {300, costs(1, 140)}};
  measured[200].free = true;
  EXPECT_EQ(refinement(options, measured, 0.003), std::optional<double>(120));
}

TEST(Unsure, IsAChoiceWithinTheErrorsOfTheDefault) {
  const TuneOptions options = every_tenth_watt(100, 400);
  MeasuredLimits measured{{390, costs(0.995, 340)}, {400, costs(1.0, 352)}};
  EXPECT_TRUE(unsure(options, measured, 390));
  EXPECT_FALSE(unsure(options, measured, 400));
  measured[390] = costs(0.95, 340);
  EXPECT_FALSE(unsure(options, measured, 390));
  measured[390].se_time = 0.02;
  EXPECT_FALSE(unsure(options, measured, 390));
  TuneOptions by_time = options;
  by_time.goal.kind = TuneGoal::Kind::ed2p;
  EXPECT_TRUE(unsure(by_time, measured, 390)) << "time counts three times";
}

TEST(LowProbe, LiesInTheRangeThatIsDrawn) {
  const auto limits = every_tenth_watt(100, 300).limits_w;
  EXPECT_EQ(low_probe(limits, 290, 0.8), 140);
  EXPECT_EQ(low_probe(limits, 130, 0.0), 110);
  EXPECT_EQ(low_probe(limits, 130, std::nullopt), 140) << "bursts may reach any limit";
  EXPECT_EQ(low_probe(limits, 130, 0.2), 140);
  EXPECT_EQ(low_probe(limits, 90, 0.0), 100);
}

TuneWindow window(double limit_w, double seconds_per_item, double watts, double at) {
  TuneWindow w;
  w.begin = Instant{} + Seconds(at);
  w.end = w.begin + Seconds(4.0);
  w.limit_w = limit_w;
  w.work = 4 / seconds_per_item;
  w.joules = 4 * watts;
  w.log_time = std::log(seconds_per_item);
  w.log_power = std::log(watts);
  w.se_time = w.se_power = w.se_energy = 0.003;
  return w;
}

/// A default of 0.1 s and 160 W, and one other window.
Measured beside_the_default(double seconds_per_item, double watts, std::optional<double> capped) {
  Phase phase;
  phase.windows = {window(300, 0.1, 160, 0), window(180, seconds_per_item, watts, 10)};
  phase.windows.back().capped = capped;
  return phase.measured(300).at(180);
}

TEST(ALimit, ThatIsNotInTheWayHasTheValuesOfTheDefault) {
  const double default_energy = std::log(0.1 * 160);
  for (const std::optional<double>& capped :
       {std::optional<double>(0.0), std::optional<double>()}) {
    const Measured m = beside_the_default(0.1005, 160.5, capped);
    EXPECT_TRUE(m.free);
    EXPECT_NEAR(m.log_time + m.log_power, default_energy, 1e-12);
  }
}

TEST(ALimit, ThatHoldsTheClockDownIsMeasured) {
  EXPECT_FALSE(beside_the_default(0.1005, 160.5, 0.3).free);
  EXPECT_FALSE(beside_the_default(0.103, 150, std::nullopt).free);
  EXPECT_FALSE(beside_the_default(0.1, 175, std::nullopt).free) << "close to the limit";
}

TEST(ALimit, IsMeasuredWhereADriverAlwaysSaysNotCapped) {
  const Measured m = beside_the_default(0.12, 140, 0.0);
  EXPECT_FALSE(m.free);
  EXPECT_NEAR(m.log_time, std::log(0.12), 1e-9);
}

TEST(ALimit, IsComparedWithTheDefaultsNearIt) {
  // The default draws more and more: 160, 160, then 170 W.
  Phase phase;
  phase.windows = {window(300, 0.1, 160, 0), window(300, 0.1, 160, 5), window(200, 0.11, 150, 12),
                   window(300, 0.1, 170, 400)};
  const MeasuredLimits measured = phase.measured(300);
  const double ratio = measured.at(200).log_power - measured.at(300).log_power;
  EXPECT_NEAR(ratio, std::log(150.0 / 160), 0.001);
}

}  // namespace
}  // namespace ergo::tune
