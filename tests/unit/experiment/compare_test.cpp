#include "ergo/experiment/compare.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ergo {
namespace {

ChannelEnergy channel_energy(std::string name, double joules,
                             Provenance provenance = Provenance::measured) {
  ChannelEnergy e;
  e.channel = std::move(name);
  e.domain = e.channel.starts_with("gpu") ? Domain::gpu : Domain::cpu;
  e.source = "nvml.total_energy";
  e.provenance = provenance;
  e.in_total = true;
  e.joules = Joules(joules);
  e.low = Joules(0.95 * joules);
  e.high = Joules(1.05 * joules);
  return e;
}

/// Runs of one channel with these joules, 10 s each.
CompareSide side_with(const std::vector<double>& joules,
                      Provenance provenance = Provenance::measured) {
  CompareSide side;
  side.host.name = "node";
  side.host.gpus = {{0, "GPU-1", "V100", 300.0, false}};
  for (const double value : joules) {
    RunRecord run;
    run.repeat = static_cast<int>(side.runs.size());
    run.duration = Seconds(10);
    run.energy = {channel_energy("gpu0", value, provenance)};
    side.runs.push_back(std::move(run));
  }
  return side;
}

void count_items(CompareSide& side, const std::string& window, std::int64_t count) {
  for (RunRecord& run : side.runs) {
    ItemsRecord items;
    items.window = window;
    items.count = count;
    items.duration = run.duration;
    items.energy = run.energy;
    run.items = items;
  }
}

const ComparedQuantity& quantity(const Comparison& comparison, const std::string& id) {
  const auto found = std::find_if(comparison.quantities.begin(), comparison.quantities.end(),
                                  [&](const ComparedQuantity& q) { return q.id == id; });
  EXPECT_NE(found, comparison.quantities.end()) << id;
  return *found;
}

bool has_note(const Comparison& comparison, std::string_view words) {
  return std::any_of(
      comparison.notes.begin(), comparison.notes.end(),
      [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

const std::vector<double> hundred{100, 101, 99, 100.5, 99.5, 100.2};
const std::vector<double> ninety{90, 91, 89.5, 90.5, 89.8, 90.1};

TEST(Compare, ATenthLessEnergyIsToldAndTheRestFollows) {
  const auto c = compare(side_with(hundred), side_with(ninety));
  ASSERT_TRUE(c);
  const ComparedQuantity& energy = quantity(*c, "energy");
  EXPECT_TRUE(energy.told);
  EXPECT_NEAR(energy.change.value, -0.099, 0.002);
  EXPECT_LT(energy.change.high, -0.08);
  EXPECT_NEAR(quantity(*c, "power").change.value, energy.change.value, 1e-12);
  EXPECT_NEAR(quantity(*c, "edp").change.value, energy.change.value, 1e-12);
  EXPECT_FALSE(quantity(*c, "time").told);
  EXPECT_FALSE(c->item);
}

TEST(Compare, EqualSidesCannotBeToldApart) {
  const auto c = compare(side_with(hundred), side_with({100.3, 99.7, 100.9, 99.4, 100.1, 100}));
  const ComparedQuantity& energy = quantity(*c, "energy");
  EXPECT_FALSE(energy.told);
  EXPECT_LT(energy.change.low, 0);
  EXPECT_GT(energy.change.high, 0);
}

TEST(Compare, OnOneDeviceTheGainCancelsAndOnTwoItDoesNot) {
  const auto same = compare(side_with(hundred), side_with(ninety));
  EXPECT_TRUE(same->gain_cancels);
  CompareSide other = side_with(ninety);
  other.host.gpus[0].uuid = "GPU-2";
  const auto apart = compare(side_with(hundred), other);
  EXPECT_FALSE(apart->gain_cancels);
  const Estimate narrow = quantity(*same, "energy").change;
  const Estimate wide = quantity(*apart, "energy").change;
  // 5 % of each side in quadrature is 7 %.
  EXPECT_GT(wide.high - wide.low, 0.12);
  EXPECT_LT(narrow.high - narrow.low, 0.03);
  EXPECT_NEAR(quantity(*apart, "time").change.high, quantity(*same, "time").change.high, 1e-12);
}

TEST(Compare, AnotherSourceOnTheSameDeviceIsAnotherGain) {
  CompareSide other = side_with(ninety);
  for (RunRecord& run : other.runs)
    run.energy[0].source = "nvml.power_instant";
  const auto c = compare(side_with(hundred), other);
  EXPECT_FALSE(c->gain_cancels);
  EXPECT_TRUE(has_note(*c, "nvml.power_instant in B"));
}

TEST(Compare, MeasuredAndSimulatedAreNotCompared) {
  const auto c = compare(side_with(hundred), side_with(ninety, Provenance::simulated));
  ASSERT_FALSE(c);
  EXPECT_NE(c.error().message.find("measured in A and simulated in B"), std::string::npos);
}

TEST(Compare, EstimatedJoulesAreNeverAddedToMeasuredOnes) {
  CompareSide a = side_with(hundred);
  CompareSide b = side_with(ninety);
  for (CompareSide* side : {&a, &b}) {
    for (RunRecord& run : side->runs)
      run.energy.push_back(channel_energy("cpu0", 500, Provenance::estimated));
  }
  const auto c = compare(a, b);
  EXPECT_NEAR(quantity(*c, "energy").a.value, 100.1, 0.1);
  EXPECT_EQ(quantity(*c, "energy").provenance, Provenance::measured);
}

TEST(Compare, AChannelOfOneSideIsLeftOutAndSaidSo) {
  CompareSide a = side_with(hundred);
  for (RunRecord& run : a.runs)
    run.energy.push_back(channel_energy("cpu0", 50));
  const auto c = compare(a, side_with(ninety));
  EXPECT_NEAR(quantity(*c, "energy").a.value, 100.1, 0.1);
  EXPECT_TRUE(has_note(*c, "cpu0 is known for A only"));
}

TEST(Compare, DifferentCountsAreComparedPerItem) {
  CompareSide a = side_with(hundred);
  CompareSide b = side_with(ninety);
  count_items(a, "step", 100);
  count_items(b, "step", 50);
  const auto c = compare(a, b);
  EXPECT_EQ(c->item, "step");
  EXPECT_NEAR(quantity(*c, "energy").a.value, 1.0, 0.01);
  EXPECT_NEAR(quantity(*c, "energy").change.value, 0.8, 0.01);
  EXPECT_NEAR(quantity(*c, "time").change.value, 1.0, 1e-9);
}

TEST(Compare, ItemsOfDifferentNamesAreNotLikeEachOther) {
  CompareSide a = side_with(hundred);
  CompareSide b = side_with(ninety);
  count_items(a, "step", 100);
  count_items(b, "epoch", 2);
  const auto c = compare(a, b);
  EXPECT_FALSE(c->item);
  EXPECT_TRUE(has_note(*c, "different items"));
}

TEST(Compare, PairsTakeOutWhatBothSidesShare) {
  std::vector<double> a;
  std::vector<double> b;
  for (const double drift : {1.0, 1.1, 1.2, 1.3, 1.4, 1.5}) {
    a.push_back(100 * drift);
    b.push_back(96 * drift + (drift < 1.25 ? 0.2 : -0.2));
  }
  EXPECT_FALSE(quantity(*compare(side_with(a), side_with(b)), "energy").told);
  const auto paired = compare(side_with(a), side_with(b), {.paired = true});
  EXPECT_TRUE(quantity(*paired, "energy").told);
  EXPECT_NEAR(quantity(*paired, "energy").change.value, -0.04, 0.002);
}

TEST(Compare, ARunWithoutItsPartnerIsLeftOutOfThePairs) {
  CompareSide b = side_with(ninety);
  b.runs[2].exit_code = 1;
  const auto c = compare(side_with(hundred), b, {.paired = true});
  EXPECT_EQ(c->runs_a, 5U);
  EXPECT_EQ(c->runs_b, 5U);
  EXPECT_TRUE(has_note(*c, "no partner"));
  EXPECT_TRUE(has_note(*c, "failed"));
}

TEST(Compare, OfAPairThatWasMadeAgainTheLaterRunsStand) {
  CompareSide a = side_with({100, 500, 101, 102});
  a.runs[1].repeat = 1;  // cut short after A: B never ran
  a.runs[2].repeat = 1;
  a.runs[3].repeat = 2;
  const auto c = compare(a, side_with({90, 91, 92}), {.paired = true});
  ASSERT_TRUE(c) << c.error().text();
  EXPECT_EQ(c->runs_a, 3U);
  EXPECT_DOUBLE_EQ(quantity(*c, "energy").a.value, 101);
  EXPECT_TRUE(c->notes.empty());
}

TEST(Compare, ARunThatWasCutShortAndMadeAgainIsNotLeftOut) {
  CompareSide a = side_with({100, 100, 101});
  a.runs[0].invalid = "interrupted";
  a.runs[1].repeat = 0;
  a.runs[2].repeat = 1;
  const auto c = compare(a, side_with({90, 91}), {.paired = true});
  ASSERT_TRUE(c) << c.error().text();
  EXPECT_TRUE(c->notes.empty());
}

TEST(Compare, TheErrorBudgetOfARunIsKnownForBothSides) {
  const auto c = compare(side_with({100, 102, 101}), side_with({90, 91, 92}));
  EXPECT_NEAR(quantity(*c, "energy").budget_a, 0.05, 1e-12);
  EXPECT_NEAR(quantity(*c, "edp").budget_b, 0.05, 1e-12);
  EXPECT_DOUBLE_EQ(quantity(*c, "time").budget_a, 0);
}

TEST(Compare, OneRunOfASideIsNoComparison) {
  const auto c = compare(side_with(hundred), side_with({90}));
  ASSERT_FALSE(c);
  EXPECT_NE(c.error().message.find("B has one run"), std::string::npos);
  EXPECT_FALSE(compare(side_with({}), side_with(ninety)));
}

TEST(Compare, ARunThatStandsApartIsNamedAndCounted) {
  const auto c = compare(side_with({100, 101, 99, 100, 100.5, 150}), side_with(ninety));
  EXPECT_EQ(c->runs_a, 6U);
  EXPECT_TRUE(has_note(*c, "repeat 5 of A stands apart"));
}

TEST(Compare, WithoutEnergyTimeIsStillCompared) {
  CompareSide a = side_with(hundred);
  CompareSide b = side_with(ninety);
  for (CompareSide* side : {&a, &b}) {
    for (RunRecord& run : side->runs)
      run.energy.clear();
  }
  const auto c = compare(a, b);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->quantities.size(), 1U);
  EXPECT_EQ(c->quantities[0].id, "time");
  EXPECT_TRUE(has_note(*c, "no energy"));
}

TEST(CompareOrder, EachBlockOfFourTurnsRound) {
  const auto order = compare_order(100, 7);
  ASSERT_EQ(order.size(), 200U);
  int a_first = 0;
  for (std::size_t i = 0; i < order.size(); i += 4) {
    EXPECT_EQ(order[i].side, order[i + 3].side);
    EXPECT_EQ(order[i + 1].side, order[i + 2].side);
    EXPECT_NE(order[i].side, order[i + 1].side);
    EXPECT_EQ(order[i].repeat, order[i + 1].repeat);
    a_first += order[i].side == 0 ? 1 : 0;
  }
  EXPECT_GT(a_first, 10);
  EXPECT_LT(a_first, 40);
  EXPECT_EQ(compare_order(100, 7), order);
  EXPECT_NE(compare_order(100, 8), order);
}

TEST(CompareOrder, AnOddLastPairIsAPair) {
  const auto order = compare_order(3, 1);
  ASSERT_EQ(order.size(), 6U);
  EXPECT_NE(order[4].side, order[5].side);
  EXPECT_EQ(order[5].repeat, 2);
}

TEST(ComparePlan, ItIsReadBackAndNothingElseIsTakenForOne) {
  CompareSpec spec;
  spec.axis = "precision";
  spec.values = {"fp32", "fp16"};
  const auto plan = parse_compare_plan(compare_plan_text(spec));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->axis, "precision");
  EXPECT_EQ(plan->values[1], "fp16");
  for (const char* text :
       {"", "{", "[]", "{\"compare\": 3}", "{\"compare\": {\"axis\": 1}}",
        "{\"compare\": {\"axis\": \"a\", \"values\": [\"1\"]}}", "{\"name\": \"sweep\"}"})
    EXPECT_FALSE(parse_compare_plan(text)) << text;
}

}  // namespace
}  // namespace ergo
