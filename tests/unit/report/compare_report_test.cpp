#include "ergo/report/compare.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ergo::report {
namespace {

Comparison two_quantities() {
  Comparison c;
  c.label_a = "./infer --fp32";
  c.label_b = "./infer --fp16";
  c.runs_a = c.runs_b = 6;
  c.paired = true;
  c.item = "inference";
  c.gain_cancels = true;
  ComparedQuantity energy;
  energy.id = "energy";
  energy.label = "energy";
  energy.unit = "J";
  energy.provenance = Provenance::simulated;
  energy.a = {0.0352, 0.035, 0.0354};
  energy.b = {0.03376, 0.0335, 0.034};
  energy.change = {-0.041, -0.047, -0.035};
  energy.test = {0.03125, 0.03125, true};
  energy.told = true;
  energy.pairs_needed = 4;
  ComparedQuantity time = energy;
  time.id = "time";
  time.label = "time";
  time.unit = "s";
  time.provenance.reset();
  time.change = {0.005, -0.01, 0.02};
  time.told = false;
  time.pairs_needed = 20;
  c.quantities = {energy, time};
  return c;
}

TEST(CompareReport, ADifferenceIsSaidWithItsUncertainty) {
  const Comparison c = two_quantities();
  EXPECT_EQ(compare_verdict(c.quantities[0], c), "B uses 4.1 ± 0.6 % less energy (3.5 … 4.7 %)");
}

TEST(CompareReport, WhatCannotBeToldSaysWhatWouldHelp) {
  const Comparison c = two_quantities();
  EXPECT_EQ(compare_verdict(c.quantities[1], c),
            "cannot tell whether B takes more or less time: between -1.0 and +2.0 %; 14 more pairs "
            "would resolve 1 %");
}

TEST(CompareReport, TheTableNamesLabelsProvenanceAndGain) {
  const std::string text = compare_text(two_quantities());
  for (const char* words : {"A  ./infer --fp32\n", "per item of 'inference', 6 pairs", "35.20 mJ",
                            "simulated", "cancels in the ratio"})
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  EXPECT_NE(text.find("35.20 mJ ±0.6 %"), std::string::npos) << text;
  Comparison apart = two_quantities();
  apart.quantities[0].budget_a = 0.05;
  EXPECT_NE(compare_text(apart).find("35.20 mJ ±5.0 %"), std::string::npos)
      << "the error budget is part of it";
  apart.gain_cancels = false;
  EXPECT_NE(compare_text(apart).find("different devices"), std::string::npos);
}

TEST(CompareReport, EqualSidesAreSaidToBeEqual) {
  Comparison c = two_quantities();
  c.quantities[1].change = {0, -1e-15, 1e-15};
  EXPECT_NE(compare_verdict(c.quantities[1], c).find("no difference at all"), std::string::npos);
}

TEST(CompareReport, AnEstimateHasAModelAndNoGain) {
  Comparison c = two_quantities();
  c.quantities[0].provenance = Provenance::estimated;
  const std::string text = compare_text(c);
  EXPECT_NE(text.find("estimated from load by a model, not measured"), std::string::npos) << text;
  EXPECT_EQ(text.find("metered"), std::string::npos) << text;
}

TEST(CompareReport, JsonHoldsEveryQuantity) {
  const auto json = nlohmann::json::parse(compare_json(two_quantities()));
  EXPECT_EQ(json["schema"], "ergo.compare/1");
  EXPECT_EQ(json["item"], "inference");
  EXPECT_FALSE(json["quantities"][0]["a"].contains("budget"));
  ASSERT_EQ(json["quantities"].size(), 2U);
  EXPECT_DOUBLE_EQ(json["quantities"][0]["change"]["value"], -0.041);
  EXPECT_EQ(json["quantities"][0]["provenance"], "simulated");
  EXPECT_FALSE(json["quantities"][1].contains("provenance"));
  EXPECT_EQ(json["quantities"][1]["told"], false);
}

}  // namespace
}  // namespace ergo::report
