#include "ergo/report/sweep_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// An estimate of -50 % / +100 %, as on a machine without a meter.
RunRecord estimated_run(int repeat, double joules) {
  RunRecord run;
  run.parameters = {{"size", "112"}};
  run.repeat = repeat;
  run.duration = Seconds(2);
  ChannelEnergy cpu;
  cpu.channel = "cpu0";
  cpu.domain = Domain::cpu;
  cpu.provenance = Provenance::estimated;
  cpu.in_total = true;
  cpu.joules = Joules(joules);
  cpu.low = Joules(joules / 2);
  cpu.high = Joules(joules * 2);
  run.energy = {cpu};
  run.total = total_of(run.energy);
  return run;
}

TEST(SweepTable, AnEstimateHasItsIntervalAndItsName) {
  ExperimentRecord record;
  record.runs = {estimated_run(0, 100)};
  EXPECT_THAT(sweep_table(record), HasSubstr("100.0 J  50.00 … 200.0 J"));
  EXPECT_THAT(sweep_table(record), HasSubstr("estimated"));
  EXPECT_EQ(run_line(record.runs[0]), "2.000 s, 100.0 J (50.00 … 200.0 J), estimated");
}

TEST(SweepTable, ALopsidedIntervalStaysLopsidedOverRepeats) {
  ExperimentRecord record;
  record.runs = {estimated_run(0, 100), estimated_run(1, 100), estimated_run(2, 100)};
  EXPECT_THAT(sweep_table(record), HasSubstr("100.0 J  50.00 … 200.0 J"));
}

TEST(SweepTable, NoIntervalGoesBelowNoEnergyAtAll) {
  ExperimentRecord record;
  record.runs = {estimated_run(0, 1), estimated_run(1, 900)};
  EXPECT_THAT(sweep_table(record), HasSubstr("450.5 J  0"));
  EXPECT_THAT(sweep_table(record), Not(HasSubstr("-")));
}

TEST(SweepTable, CellsStandInTheOrderOfTheirNumbers) {
  ExperimentRecord record;
  for (const char* share : {"1", "0.2", "10", "0.6"}) {
    record.runs.push_back(estimated_run(0, 100));
    record.runs.back().parameters = {{"share", share}};
  }
  const std::string text = sweep_table(record);
  std::size_t last = 0;
  for (const char* name : {"share=0.2 ", "share=0.6 ", "share=1 ", "share=10 "}) {
    const std::size_t at = text.find(name);
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_GT(at, last) << name;
    last = at;
  }
}

TEST(SweepTable, ARunThatWasCutShortAndMadeAgainIsNoFailure) {
  ExperimentRecord record;
  record.runs = {estimated_run(0, 0), estimated_run(0, 100)};
  record.runs[0].invalid = "interrupted: 3 samples over 0.2 s are kept";
  EXPECT_THAT(sweep_table(record), AllOf(Not(HasSubstr("failed")), Not(HasSubstr("invalid"))));
  record.runs.pop_back();
  EXPECT_THAT(sweep_table(record), HasSubstr("1 invalid"));
}

TEST(Format, WhatIsLeftIsRough) {
  EXPECT_EQ(format_rough(Seconds(0.2)), "1 s");
  EXPECT_EQ(format_rough(Seconds(43.89)), "44 s");
  EXPECT_EQ(format_rough(Seconds(725)), "12 min");
  EXPECT_EQ(format_rough(Seconds(7380)), "2 h 03 min");
}

TEST(Format, BytesComeInPowersOf1024) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(400e3), "390.6 KiB");
  EXPECT_EQ(format_bytes(1000), "1000 B");
  EXPECT_EQ(format_bytes(1024 * 1024 - 1), "1 MiB");
  EXPECT_EQ(format_bytes(1.5e9), "1.397 GiB");
  EXPECT_EQ(format_bytes(5e15), "4547 TiB");
}

TEST(SweepTable, AFailedCellHasNoFigures) {
  ExperimentRecord record;
  record.runs = {estimated_run(0, 100)};
  record.runs[0].exit_code = 3;
  EXPECT_THAT(sweep_table(record), HasSubstr("1 failed"));
  EXPECT_THAT(sweep_table(record), Not(HasSubstr(" J")));
}

}  // namespace
}  // namespace ergo::report
