#include "ergo/experiment/study_results.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ergo {
namespace {

ChannelEnergy channel(std::string name, Domain domain, double joules, double half = 0.0) {
  ChannelEnergy e;
  e.channel = std::move(name);
  e.domain = domain;
  e.in_total = true;
  e.joules = Joules(joules);
  e.low = Joules(joules - half);
  e.high = Joules(joules + half);
  return e;
}

/// A run of 10 items that took `joules` on the GPU and a tenth of that on the CPU.
RunRecord run_at(int size, double joules, int repeat = 0) {
  RunRecord run;
  run.parameters = {{"size", std::to_string(size)}};
  run.repeat = repeat;
  run.duration = Seconds(20);
  ItemsRecord items;
  items.window = "inference";
  items.count = 10;
  items.duration = Seconds(5);
  items.energy = {channel("gpu0", Domain::gpu, joules, joules / 20),
                  channel("cpu0", Domain::cpu, joules / 10)};
  items.total = {Joules(joules * 1.1), Joules(joules), Joules(joules * 1.2), std::nullopt};
  run.items = items;
  run.metrics = {{"gpu0.sm_utilization", "%", 80, 99}, {"process.memory_rss", "B", 4e6, 5e6}};
  run.latency = LatencySummary{10, Seconds(0.5), Seconds(0.6), Seconds(0.7)};
  return run;
}

ExperimentRecord three_sizes() {
  ExperimentRecord record;
  record.name = "Sizes";
  record.command = {"work", "{size}"};
  for (const int size : {224, 112, 448}) {
    for (int repeat = 0; repeat < 3; ++repeat)
      record.runs.push_back(run_at(size, size + repeat, repeat));
  }
  return record;
}

const ResultFigure& figure(const ResultCell& cell, const std::string& id) {
  return cell.figures.at(id);
}

TEST(StudyResults, EnergiesAndTimesArePerItemAndMediansOverRuns) {
  const StudyResults results = study_results(three_sizes());
  ASSERT_EQ(results.cells.size(), 3U);
  const ResultCell& first = results.cells.front();
  EXPECT_EQ(first.axis, "112") << "cells come in the order of the axis";
  EXPECT_EQ(first.good, 3);
  EXPECT_DOUBLE_EQ(figure(first, "nvidia_draw_absolute").estimate.value, 11.3);
  EXPECT_DOUBLE_EQ(figure(first, "intel_power").estimate.value, 1.13);
  EXPECT_DOUBLE_EQ(figure(first, "time_s").estimate.value, 0.5);
  EXPECT_DOUBLE_EQ(figure(first, "sm").estimate.value, 0.8);
  EXPECT_DOUBLE_EQ(figure(first, "mem_use_abs").estimate.value, 4e6);
  EXPECT_DOUBLE_EQ(figure(first, "latency_p99_s").estimate.value, 0.7);
}

TEST(StudyResults, TheIntervalOfAShareStaysBetweenNothingAndAll) {
  ExperimentRecord record;
  for (const double busy : {30.0, 70.0, 99.0}) {
    record.runs.push_back(run_at(112, 100, static_cast<int>(record.runs.size())));
    record.runs.back().metrics.front().mean = busy;
  }
  const Estimate sm = figure(study_results(record).cells.front(), "sm").estimate;
  EXPECT_DOUBLE_EQ(sm.value, 0.7);
  EXPECT_EQ(sm.low, 0.0);
  EXPECT_EQ(sm.high, 1.0);
}

TEST(StudyResults, TheIntervalIsNeverNarrowerThanOneRunsErrorBudget) {
  const StudyResults results = study_results(three_sizes());
  const Estimate e = figure(results.cells.back(), "nvidia_draw_absolute").estimate;
  EXPECT_LE(e.low, e.value * 0.95);
  EXPECT_GE(e.high, e.value * 1.05);
  EXPECT_GE(e.low, 0.0);
}

TEST(StudyResults, NoIntervalReachesBelowZero) {
  ExperimentRecord record;
  record.runs = {run_at(1, 1), run_at(1, 1000, 1)};
  const StudyResults results = study_results(record);
  EXPECT_EQ(figure(results.cells.front(), "nvidia_draw_absolute").estimate.low, 0.0);
}

TEST(StudyResults, WhatOneRunLacksIsAbsent) {
  auto record = three_sizes();
  record.runs[0].latency.reset();
  record.runs[0].metrics.clear();
  const StudyResults results = study_results(record);
  EXPECT_FALSE(results.cells[1].figures.contains("latency"));
  EXPECT_FALSE(results.cells[1].figures.contains("mem_use_abs"));
  EXPECT_TRUE(results.cells[0].figures.contains("latency"));
  EXPECT_FALSE(results.cells[0].figures.contains("total_cpu_power"));
}

TEST(StudyResults, FailedInvalidAndWarmUpRunsGiveNoNumbers) {
  auto record = three_sizes();
  RunRecord failed = run_at(112, 9999, 3);
  failed.exit_code = 3;
  failed.warnings = {"needs 9 GiB, 2 GiB are free"};
  RunRecord invalid = run_at(224, 9999, 3);
  invalid.invalid = "the limit was changed";
  RunRecord warm = run_at(448, 9999, 3);
  warm.warmup = true;
  record.runs.insert(record.runs.end(), {failed, invalid, warm});
  const StudyResults results = study_results(record);
  EXPECT_EQ(results.cells[0].failed, 1);
  EXPECT_EQ(results.cells[0].reason, "needs 9 GiB, 2 GiB are free");
  EXPECT_EQ(results.cells[1].reason, "the limit was changed");
  EXPECT_EQ(results.cells[2].failed, 0);
  for (const ResultCell& cell : results.cells)
    EXPECT_LT(figure(cell, "nvidia_draw_absolute").estimate.high, 100);
}

TEST(StudyResults, ARunThatWasCutShortAndMadeAgainLeavesNoTrace) {
  auto record = three_sizes();
  RunRecord cut = run_at(112, 9999, 1);
  cut.invalid = "it was cut short";
  cut.warnings = {"it was cut short"};
  record.runs.insert(record.runs.begin(), cut);
  const StudyResults results = study_results(record);
  EXPECT_EQ(results.cells[0].failed, 0);
  EXPECT_FALSE(results.cells[0].reason);
  EXPECT_TRUE(results.warnings.empty());
  record.runs.front().repeat = 7;  // never made again
  EXPECT_EQ(study_results(record).cells[0].failed, 1);
}

TEST(StudyResults, ACellThatNeverWorkedKeepsItsPlaceAndItsReason) {
  auto record = three_sizes();
  RunRecord failed = run_at(4096, 1);
  failed.exit_code = 3;
  record.runs.push_back(failed);
  const StudyResults results = study_results(record);
  ASSERT_EQ(results.cells.size(), 4U);
  EXPECT_TRUE(results.cells[3].figures.empty());
  EXPECT_EQ(results.cells[3].reason, "exit code 3");
  EXPECT_EQ(results.correlation.cells, 3U);
}

TEST(StudyResults, EstimatesAreNeverAddedToMeasuredEnergy) {
  ExperimentRecord record;
  record.runs = {run_at(1, 100)};
  ChannelEnergy guess = channel("cpu1", Domain::cpu, 500);
  guess.provenance = Provenance::estimated;
  record.runs[0].items->energy.push_back(guess);
  const StudyResults results = study_results(record);
  EXPECT_DOUBLE_EQ(figure(results.cells[0], "intel_power").estimate.value, 1);
  EXPECT_EQ(figure(results.cells[0], "intel_power").provenance, Provenance::measured);
  EXPECT_DOUBLE_EQ(figure(results.cells[0], "cpu_estimated_j").estimate.value, 50);
  EXPECT_EQ(figure(results.cells[0], "cpu_estimated_j").provenance, Provenance::estimated);
  EXPECT_DOUBLE_EQ(figure(results.cells[0], "energy_j").estimate.value, 11);
}

TEST(StudyResults, OneSimulatedRunMakesTheMedianSimulated) {
  auto record = three_sizes();
  record.runs[3].items->energy[0].provenance = Provenance::simulated;
  const StudyResults results = study_results(record);
  EXPECT_EQ(figure(results.cells[0], "nvidia_draw_absolute").provenance, Provenance::simulated);
  EXPECT_EQ(figure(results.cells[0], "energy_j").provenance, Provenance::simulated);
  EXPECT_EQ(figure(results.cells[1], "nvidia_draw_absolute").provenance, Provenance::measured);
}

TEST(StudyResults, SpearmanIsOverCellsAndKnowsItsInterval) {
  const StudyResults results = study_results(three_sizes());
  const auto& c = results.correlation;
  EXPECT_EQ(c.cells, 3U);
  EXPECT_EQ(c.ids.back(), "size");
  const auto gpu = static_cast<std::size_t>(
      std::find(c.ids.begin(), c.ids.end(), "nvidia_draw_absolute") - c.ids.begin());
  ASSERT_TRUE(c.rho[gpu].back());
  EXPECT_DOUBLE_EQ(c.rho[gpu].back()->value, 1.0);
  EXPECT_LT(c.rho[gpu].back()->low, 1.0);
  EXPECT_DOUBLE_EQ(c.rho[gpu][gpu]->low, 1.0) << "with itself there is nothing to doubt";
  const auto sm =
      static_cast<std::size_t>(std::find(c.ids.begin(), c.ids.end(), "sm") - c.ids.begin());
  EXPECT_FALSE(c.rho[sm].back()) << "a quantity that does not vary has no ranks";
}

TEST(StudyResults, FurtherParametersMakeSeriesAndWordsHaveNoPosition) {
  ExperimentRecord record;
  for (const char* batch : {"1", "8"}) {
    for (const char* network : {"bert", "alexnet", "yolov5s"}) {
      RunRecord run = run_at(1, 100);
      run.parameters = {{"network", network}, {"batch", batch}};
      record.runs.push_back(run);
    }
  }
  const StudyResults results = study_results(record);
  EXPECT_EQ(results.titles.axis, "network") << "the parameter with most values";
  EXPECT_EQ(results.cells[0].series, "batch=1");
  EXPECT_EQ(results.cells[0].axis, "alexnet");
  EXPECT_FALSE(results.cells[0].position);
  EXPECT_NE(results.correlation.ids.back(), "network");
}

TEST(StudyResults, AnEmptyRecordHasNoCells) {
  const StudyResults results = study_results(ExperimentRecord{});
  EXPECT_TRUE(results.cells.empty());
  EXPECT_EQ(results.correlation.cells, 0U);
}

TEST(StudyResults, WarningsComeOnceTheMostFrequentFirst) {
  auto record = three_sizes();
  record.runs[0].warnings = {"rare"};
  for (RunRecord& run : record.runs)
    run.warnings.emplace_back("usual");
  EXPECT_EQ(study_results(record).warnings, (std::vector<std::string>{"usual", "rare"}));
}

}  // namespace
}  // namespace ergo
