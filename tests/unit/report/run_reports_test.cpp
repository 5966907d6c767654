#include "ergo/report/console.hpp"
#include "ergo/report/format.hpp"
#include "ergo/report/json.hpp"
#include "golden.hpp"
#include "unit/report/sample_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ergo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RunReports, TheJsonOfARunIsAsApproved) {
  testing::expect_golden("run.json", report::run_json(testing::sample_record()));
}

TEST(RunReports, TheConsoleTableOfARunIsAsApproved) {
  testing::expect_golden("run_console.txt",
                         report::console_report(testing::sample_record(), {.explain = true}));
}

TEST(RunReports, TheConsoleTableOfRepeatsIsAsApproved) {
  ExperimentRecord record = testing::sample_record();
  record.runs.insert(record.runs.begin(), record.runs.front());
  record.runs.front().warmup = true;
  record.runs.push_back(record.runs.back());
  record.summary.repeats = 2;
  testing::expect_golden("run_console_repeats.txt", report::console_report(record));
}

TEST(RunReports, WhatWasNotMeasuredIsAbsentAndNotZero) {
  ExperimentRecord record = testing::sample_record();
  record.runs[0].energy.clear();
  record.runs[0].total = {};
  record.runs[0].latency.reset();
  const auto json = nlohmann::json::parse(report::run_json(record));
  EXPECT_TRUE(json["runs"][0]["energy"].empty());
  EXPECT_FALSE(json["runs"][0]["total"].contains("measured_j"));
  EXPECT_FALSE(json["runs"][0]["total"].contains("estimated_j"));
  EXPECT_FALSE(json["runs"][0].contains("latency"));
  EXPECT_THAT(report::console_report(record), HasSubstr("no energy was measured"));
}

TEST(RunReports, MeasuredAndEstimatedAreNeverAddedUp) {
  const auto json = nlohmann::json::parse(report::run_json(testing::sample_record()));
  EXPECT_DOUBLE_EQ(json["runs"][0]["total"]["measured_j"].get<double>(), 812.4);
  EXPECT_DOUBLE_EQ(json["runs"][0]["total"]["estimated_j"].get<double>(), 103);
  EXPECT_DOUBLE_EQ(json["runs"][0]["total"]["estimated_low_j"].get<double>(), 51.5);
  EXPECT_DOUBLE_EQ(json["runs"][0]["total"]["estimated_high_j"].get<double>(), 206);
}

TEST(RunReports, SimulatedTotalsSayThatTheyAre) {
  ExperimentRecord record = testing::sample_record();
  record.runs[0].energy[0].provenance = Provenance::simulated;
  const auto json = nlohmann::json::parse(report::run_json(record));
  EXPECT_EQ(json["runs"][0]["total"]["provenance"], "simulated");
  EXPECT_THAT(report::console_report(record), HasSubstr("simulated"));
}

TEST(RunReports, ANameThatIsNoUtf8DoesNotLoseTheReport) {
  ExperimentRecord record = testing::sample_record();
  record.command = {"\xff\xfe"};
  EXPECT_NO_THROW(std::ignore = nlohmann::json::parse(report::run_json(record)));
}

TEST(RunReports, ColoursAreOnlyThereWhenAskedFor) {
  EXPECT_THAT(report::console_report(testing::sample_record()), Not(HasSubstr("\x1b[")));
  EXPECT_THAT(report::console_report(testing::sample_record(), {.color = true}),
              HasSubstr("\x1b["));
}

TEST(Format, ValuesGetAUnitThatFits) {
  EXPECT_EQ(report::format_energy(Joules(812.4)), "812.4 J");
  EXPECT_EQ(report::format_energy(Joules(1204)), "1.204 kJ");
  EXPECT_EQ(report::format_energy(Joules(0.0352)), "35.20 mJ");
  EXPECT_EQ(report::format_energy(Joules(0)), "0 J");
  EXPECT_EQ(report::format_energy(Joules(999.96)), "1.000 kJ");
  EXPECT_EQ(report::format_duration(Seconds(0.0011)), "1.100 ms");
  EXPECT_EQ(report::format_duration(Seconds(7380)), "2 h 03 min");
}

TEST(Format, AnUncertaintyIsOneNumberOnlyWhenItIsSymmetric) {
  EXPECT_EQ(report::format_uncertainty(Joules(100), Joules(97), Joules(103)), "±3.0 %");
  EXPECT_EQ(report::format_uncertainty(Joules(100), Joules(50), Joules(200)), "-50 % / +100 %");
}

}  // namespace
}  // namespace ergo
