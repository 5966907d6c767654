#include "ergo/report/sweep_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo::report {
namespace {

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

TEST(SweepTable, AFailedCellHasNoFigures) {
  ExperimentRecord record;
  record.runs = {estimated_run(0, 100)};
  record.runs[0].exit_code = 3;
  EXPECT_THAT(sweep_table(record), HasSubstr("1 failed"));
  EXPECT_THAT(sweep_table(record), Not(HasSubstr(" J")));
}

}  // namespace
}  // namespace ergo::report
