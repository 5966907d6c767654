// Laws along the axis, warm-up and odd runs of a study.

#include "ergo/experiment/study_results.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo {
namespace {

RunRecord timed_run(const std::string& size, int repeat, double seconds) {
  RunRecord run;
  run.parameters = {{"size", size}};
  run.repeat = repeat;
  run.duration = Seconds(seconds);
  return run;
}

ExperimentRecord timed(const std::vector<double>& seconds) {
  ExperimentRecord record;
  for (std::size_t i = 0; i < seconds.size(); ++i)
    record.runs.push_back(timed_run(std::to_string(i + 1), 0, seconds[i]));
  return record;
}

TEST(StudyAnalysis, ALineNeedsThreeCellsAndABreakSix) {
  EXPECT_TRUE(study_results(timed({1, 2})).fits.empty());
  const auto three = study_results(timed({1, 2, 3.1}));
  ASSERT_EQ(three.fits.size(), 1U);
  EXPECT_EQ(three.fits[0].quantity, "time_s");
  EXPECT_FALSE(three.fits[0].broken);
  EXPECT_FALSE(three.fits[0].is_broken());
}

// The plateau of fit_test.cpp, whose break point has an independent source.
TEST(StudyAnalysis, TheBreakOfAPlateauIsFoundWithItsInterval) {
  const auto results = study_results(
      timed({2.02, 1.97, 2.05, 1.99, 2.01, 2.38, 2.83, 3.19, 3.63, 4.02, 4.37, 4.81}));
  ASSERT_EQ(results.fits.size(), 1U);
  const AxisFit& fit = results.fits[0];
  EXPECT_TRUE(fit.is_broken());
  EXPECT_TRUE(fit.bounds_break());
  EXPECT_NEAR(fit.broken->at.value, 5.0092857142857135, 1e-9);
  EXPECT_NEAR(fit.broken->at.low, 4.767719397903978, 1e-6);
  EXPECT_DOUBLE_EQ(fit.from, 1);
  EXPECT_DOUBLE_EQ(fit.to, 12);
}

TEST(StudyAnalysis, EachSeriesHasItsOwnLine) {
  ExperimentRecord record;
  for (const char* batch : {"1", "8"}) {
    for (int size = 1; size <= 4; ++size) {
      record.runs.push_back(timed_run(std::to_string(size), 0, size * std::atof(batch)));
      record.runs.back().parameters["batch"] = batch;
    }
  }
  const auto results = study_results(record, {"", "", "size", "", ""});
  ASSERT_EQ(results.fits.size(), 2U);
  EXPECT_EQ(results.fits[0].series, "batch=1");
  EXPECT_NEAR(results.fits[0].line.slope.value, 1, 1e-12);
  EXPECT_NEAR(results.fits[1].line.slope.value, 8, 1e-12);
}

TEST(StudyAnalysis, WhatIsTheSameInEveryCellHasNoLine) {
  EXPECT_TRUE(study_results(timed({3, 3, 3, 3 + 1e-15})).fits.empty());
}

TEST(StudyAnalysis, NamesAreNoAxisForALine) {
  ExperimentRecord record;
  for (const char* name : {"alexnet", "bert", "vit"})
    record.runs.push_back(timed_run(name, 0, 1));
  EXPECT_TRUE(study_results(record).fits.empty());
}

/// 100 exp(-i/6) + 20 + ((7919 i) mod 13) / 13: the warm-up of steady_test.cpp, 40 by NumPy.
std::vector<double> warming_up() {
  std::vector<double> series;
  for (int i = 0; i < 100; ++i)
    series.push_back(100 * std::exp(-i / 6.0) + 20 + ((i * 7919) % 13) / 13.0);
  return series;
}

TEST(StudyAnalysis, TheWarmUpOfLatenciesIsCountedInIterations) {
  ExperimentRecord record = timed({1});
  record.runs[0].latencies_s = warming_up();
  const auto results = study_results(record);
  ASSERT_EQ(results.courses.size(), 1U);
  const CellCourse& course = results.courses[0];
  EXPECT_EQ(course.of, "latency");
  EXPECT_EQ(course.iterations, 100U);
  EXPECT_EQ(course.warm_up, 40U);
  EXPECT_EQ(course.settled, 1U);
  EXPECT_EQ(course.drifting, 0U);
  EXPECT_LT(*course.steady_median, course.median);
}

TEST(StudyAnalysis, WhereTheProgramLeavesNoLatenciesItsWindowsServe) {
  ExperimentRecord record = timed({1});
  RunRecord& run = record.runs[0];
  double start = 0;
  for (const double seconds : warming_up()) {
    WindowRecord window;
    window.name = "step";
    window.start = Seconds(start);
    window.duration = Seconds(4 * seconds);
    window.count = 4;
    start += 4 * seconds;
    run.windows.push_back(window);
  }
  run.items = ItemsRecord{"step", 400, Seconds(start), {}, {}};
  const auto results = study_results(record);
  ASSERT_EQ(results.courses.size(), 1U);
  EXPECT_EQ(results.courses[0].of, "step");
  EXPECT_EQ(results.courses[0].warm_up, 40U);
}

TEST(StudyAnalysis, WhatNeverSettlesHasNoWarmUp) {
  ExperimentRecord record = timed({1});
  for (int i = 0; i < 100; ++i)
    record.runs[0].latencies_s.push_back(std::exp(i / 10.0));
  const auto results = study_results(record);
  ASSERT_EQ(results.courses.size(), 1U);
  EXPECT_TRUE(results.courses[0].settled == 0 || results.courses[0].drifting > 0);
}

TEST(StudyAnalysis, ManyRepeatsAreASeriesThemselves) {
  ExperimentRecord record;
  const auto series = warming_up();
  for (std::size_t i = 0; i < series.size(); ++i)
    record.runs.push_back(timed_run("1", static_cast<int>(i), series[i]));
  const auto results = study_results(record);
  ASSERT_EQ(results.courses.size(), 1U);
  EXPECT_EQ(results.courses[0].of, "repeats");
  EXPECT_EQ(results.courses[0].unit, "s");
  EXPECT_EQ(results.courses[0].warm_up, 40U);
}

TEST(StudyAnalysis, ARunThatStandsApartIsNamedAndStillCounts) {
  ExperimentRecord record;
  const std::vector<double> seconds{1.1, 1.2, 1.15, 1.18, 1.22, 5.0};
  for (std::size_t i = 0; i < seconds.size(); ++i)
    record.runs.push_back(timed_run("1", static_cast<int>(i), seconds[i]));
  const auto results = study_results(record);
  ASSERT_EQ(results.odd_runs.size(), 1U);
  EXPECT_EQ(results.odd_runs[0].repeat, 5);
  EXPECT_EQ(results.odd_runs[0].quantity, "time_s");
  EXPECT_NEAR(results.odd_runs[0].z, 73.42414285714278, 1e-9);
  EXPECT_EQ(results.cells[0].good, 6);
}

TEST(StudyAnalysis, FourRunsAreTooFewToCallOneOdd) {
  ExperimentRecord record;
  for (int i = 0; i < 4; ++i)
    record.runs.push_back(timed_run("1", i, i == 3 ? 50 : 1 + 0.01 * i));
  EXPECT_TRUE(study_results(record).odd_runs.empty());
}

}  // namespace
}  // namespace ergo
