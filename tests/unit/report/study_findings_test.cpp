// What a study finds besides medians, as every format shows it.

#include "ergo/report/html.hpp"
#include "ergo/report/study_report.hpp"
#include "golden.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace ergo::report {
namespace {

using ergo::testing::expect_golden;
using ::testing::HasSubstr;
using ::testing::Not;

/// Flat to 448, then 4 mJ a pixel; a little uneven, as cells are.
double plateau_joules(int size) {
  return 100 + 4 * std::max(0, size - 448) / 10.0 + (size * 7 % 5) * 0.4;
}

RunRecord plateau_run(int size, int repeat) {
  RunRecord run;
  run.parameters = {{"size", std::to_string(size)}};
  run.repeat = repeat;
  run.duration = Seconds(3);
  double joules = plateau_joules(size) + repeat * 0.1;
  if (size == 224 && repeat == 3) joules *= 1.5;
  ChannelEnergy gpu;
  gpu.channel = "gpu0";
  gpu.domain = Domain::gpu;
  gpu.in_total = true;
  gpu.joules = Joules(joules);
  gpu.low = Joules(joules * 0.95);
  gpu.high = Joules(joules * 1.05);
  run.energy = {gpu};
  run.total = total_of(run.energy);
  run.items = ItemsRecord{"inference", 100, Seconds(2 + repeat * 0.01), run.total, run.energy};
  // The first 20 of 100 are slow, and one of the later ones is.
  for (int i = 0; i < 100; ++i)
    run.latencies_s.push_back(1e-3 * (i < 20 ? 5 : 1) + 1e-6 * (i * 7 % 11) + (i == 60 ? 0.01 : 0));
  run.latency = LatencySummary{100, Seconds(1e-3 + 1e-5 * size), Seconds(5e-3), Seconds(6e-3)};
  return run;
}

StudyResults plateau_results() {
  ExperimentRecord record;
  record.command = {"./infer", "{size}"};
  record.started = "2026-11-21T10:00:00.123Z";
  record.host = {"node1", "AMD EPYC", "Linux 6.1.0", {{0, "GPU-1", "Tesla V100", 300.0, false}}};
  for (int repeat = 0; repeat < 5; ++repeat) {
    for (int size = 112; size <= 1120; size += 112)
      record.runs.push_back(plateau_run(size, repeat));
  }
  return study_results(record, {"Plateau", "", "size", "image size (pixels)", "inference"});
}

TEST(StudyFindings, AreInTheTextForPeopleAsApproved) {
  const std::string text = study_markdown(plateau_results());
  expect_golden("study_findings.md", text);
  EXPECT_THAT(text, HasSubstr("## Lines along the axis"));
  EXPECT_THAT(text, HasSubstr("## Warm-up"));
  EXPECT_THAT(text, HasSubstr("| 224 | 3 | total energy |"));
}

TEST(StudyFindings, AreInTheJsonWithTheirIntervals) {
  const auto json = nlohmann::json::parse(study_json(plateau_results()));
  const auto& gpu = json["fits"][0];
  EXPECT_EQ(gpu["quantity"], "nvidia_draw_absolute");
  EXPECT_EQ(gpu["points"], 10);
  const auto& broken = gpu["broken_line"];
  EXPECT_TRUE(broken["better"]);
  EXPECT_TRUE(broken["bounded"]);
  EXPECT_LE(broken["break"]["low"], 448);
  EXPECT_GE(broken["break"]["high"], 448);
  EXPECT_LE(broken["slope_above"]["low"], 0.004);
  EXPECT_GE(broken["slope_above"]["high"], 0.004);
  EXPECT_LT(broken["p_straight"], 0.05);
  EXPECT_LT(gpu["line"]["r_squared"], broken["r_squared"]);
  ASSERT_EQ(json["warm_up"].size(), 10U);
  EXPECT_EQ(json["warm_up"][0]["of"], "latency");
  EXPECT_EQ(json["warm_up"][0]["warm_up"], 20);
  EXPECT_EQ(json["warm_up"][0]["settled"], 5);
  EXPECT_NEAR(json["warm_up"][0]["outliers"].get<double>(), 1.0 / 80, 1e-12);
  ASSERT_EQ(json["odd_runs"].size(), 1U);
  EXPECT_EQ(json["odd_runs"][0]["repeat"], 3);
  EXPECT_EQ(json["odd_runs"][0]["parameters"]["size"], "224");
}

TEST(StudyFindings, AreInThePageAndItsPlots) {
  const std::string page = study_html(plateau_results(), {});
  for (const char* id : {"id=\"fits\"", "id=\"warm-up\"", "id=\"odd-runs\""})
    EXPECT_THAT(page, HasSubstr(id));
  EXPECT_THAT(page, HasSubstr("GPU energy, two lines"));
  EXPECT_THAT(page, HasSubstr("latency, median, line"));
}

TEST(StudyFindings, AStraightLineIsNotBroken) {
  auto results = plateau_results();
  for (AxisFit& fit : results.fits) {
    if (fit.broken) fit.broken->p_straight = 0.3;
  }
  const std::string text = study_markdown(results);
  EXPECT_THAT(text, HasSubstr("one line does (p = 0.3)"));
  EXPECT_THAT(study_html(results, {}), Not(HasSubstr("two lines\",\"series\"")));
}

TEST(StudyFindings, ABreakThatTheCellsDoNotBoundIsSaidToBeSo) {
  auto results = plateau_results();
  results.fits[0].broken->at.low = results.fits[0].first_break;
  EXPECT_THAT(study_markdown(results), HasSubstr("the cells do not bound the break"));
}

TEST(StudyFindings, WithoutANumericAxisThereIsNone) {
  ExperimentRecord record;
  for (const char* name : {"a", "b", "c"}) {
    record.runs.push_back(plateau_run(112, 0));
    record.runs.back().parameters = {{"network", name}};
    record.runs.back().latencies_s.clear();
  }
  const auto results = study_results(record);
  EXPECT_TRUE(results.fits.empty());
  EXPECT_THAT(study_markdown(results), Not(HasSubstr("## Lines")));
}

}  // namespace
}  // namespace ergo::report
