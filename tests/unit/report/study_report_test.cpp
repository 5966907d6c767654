#include "ergo/report/study_report.hpp"

#include "ergo/report/html.hpp"
#include "golden.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

namespace ergo::report {
namespace {

using ergo::testing::expect_golden;

ChannelEnergy joules_of(std::string channel, Domain domain, Provenance provenance, double joules) {
  ChannelEnergy e;
  e.channel = std::move(channel);
  e.domain = domain;
  e.provenance = provenance;
  e.in_total = true;
  e.joules = Joules(joules);
  e.low = Joules(joules * 0.9);
  e.high = Joules(joules * 1.1);
  e.process = Joules(joules * 0.5);
  return e;
}

RunRecord run_of(int size, int repeat) {
  // Not quite on a line.
  const double joules = size + repeat + (size == 224 ? 4 : 0);
  RunRecord run;
  run.parameters = {{"size", std::to_string(size)}};
  run.repeat = repeat;
  run.duration = Seconds(3);
  run.items = ItemsRecord{"inference",
                          100,
                          Seconds(2),
                          {Joules(joules), Joules(joules * 0.9), Joules(joules * 1.1), Joules(1)},
                          {joules_of("gpu0", Domain::gpu, Provenance::measured, joules),
                           joules_of("cpu0", Domain::cpu, Provenance::estimated, 1)}};
  run.metrics = {{"gpu0.sm_utilization", "%", 10.0 + size / 10.0, 99},
                 {"gpu0.process_memory", "B", 1e9, 1e9},
                 {"process.memory_pss", "B", 2.5e8, 3e8}};
  run.latency = LatencySummary{100, Seconds(size * 1e-5 + (size == 224 ? 1e-4 : 0)),
                               Seconds(size * 2e-5), Seconds(size * 3e-5)};
  return run;
}

/// Three sizes that ran and one that did not fit.
StudyResults sample_results() {
  ExperimentRecord record;
  record.command = {"ergo-workload", "alexnet", "--size", "{size}"};
  record.started = "2026-11-21T10:00:00.123Z";
  record.host = {"node1", "AMD EPYC", "Linux 6.1.0", {{0, "GPU-1", "Tesla V100", 300.0, false}}};
  for (const int size : {112, 224, 448}) {
    for (int repeat = 0; repeat < 3; ++repeat)
      record.runs.push_back(run_of(size, repeat));
  }
  RunRecord large = run_of(2240, 0);
  large.exit_code = 3;
  large.warnings = {"needs 9 GiB, 2 GiB are free | <b>"};
  record.runs.push_back(large);
  return study_results(record,
                       {"AlexNet", "a document", "size", "image size (pixels)", "inference"});
}

TEST(StudyReport, TheTableHasAIPowerMetersColumnsThenOurs) {
  const std::string csv = study_csv(sample_results());
  EXPECT_TRUE(csv.starts_with(
      "size,intel_power,total_cpu_power,mem_use_abs,nvidia_draw_absolute,"
      "nvidia_estimated_attributable_power_draw,per_gpu_attributable_mem_use,sm,latency,"));
  expect_golden("study.csv", csv);
}

/// The columns of concat_power_measure.py, in its order; joules, bytes, a share and seconds where
/// it writes numbers without a meaning.
TEST(StudyReport, AIPowerMetersColumnsHaveTheRightUnits) {
  const auto results = sample_results();
  const std::vector<std::pair<std::string, std::string>> theirs{
      {"intel_power", "J"},
      {"total_cpu_power", "J"},
      {"mem_use_abs", "B"},
      {"nvidia_draw_absolute", "J"},
      {"nvidia_estimated_attributable_power_draw", "J"},
      {"per_gpu_attributable_mem_use", "B"},
      {"sm", "1"},
      {"latency", "s"}};
  ASSERT_GE(results.quantities.size(), theirs.size());
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    EXPECT_EQ(results.quantities[i].id, theirs[i].first);
    EXPECT_EQ(results.quantities[i].unit, theirs[i].second) << theirs[i].first;
  }
  // 112 J, 113 J and 114 J for 100 inferences; half of it the process's; 21.2 % busy; 1.12 ms.
  EXPECT_NE(study_csv(results).find("\n112,,,2.5e+08,1.13,0.565,1e+09,0.212,0.00112"),
            std::string::npos);
  for (const auto& [id, unit] : theirs)
    EXPECT_NE(study_csv(results).find("," + id + "_low," + id + "_high"), std::string::npos) << id;
}

TEST(StudyReport, EveryRowOfTheTableHasAsManyFieldsAsTheHead) {
  std::istringstream lines(study_csv(sample_results()));
  std::string line;
  std::getline(lines, line);
  const auto commas = std::count(line.begin(), line.end(), ',');
  int rows = 0;
  while (std::getline(lines, line) && line.find("needs") == std::string::npos) {
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), commas);
    ++rows;
  }
  EXPECT_EQ(rows, 3);
  EXPECT_NE(line.find("\"needs 9 GiB, 2 GiB are free | <b>\""), std::string::npos);
}

TEST(StudyReport, JsonHasEveryFigureWithItsIntervalAndOrigin) {
  const std::string text = study_json(sample_results());
  expect_golden("study.json", text);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["schema"], "ergo.study/1");
  const auto& gpu = json["cells"][0]["figures"]["nvidia_draw_absolute"];
  EXPECT_DOUBLE_EQ(gpu["median"], 1.13);
  EXPECT_LT(gpu["low"], gpu["median"]);
  EXPECT_EQ(gpu["provenance"], "measured");
  EXPECT_FALSE(json["cells"][0]["figures"].contains("intel_power"));
  EXPECT_EQ(json["cells"][3]["failed"], 1);
  EXPECT_EQ(json["correlation"]["rho"].size(), json["correlation"]["ids"].size());
}

TEST(StudyReport, MarkdownIsTablesForPeople) {
  const std::string text = study_markdown(sample_results());
  expect_golden("study.md", text);
  EXPECT_NE(text.find("2 GiB are free \\| \\<b\\>"), std::string::npos);
}

/// The page without its style sheet and scripts.
std::string body_of(const std::string& page) {
  const auto from = page.find("<body>");
  const auto to = page.find("<script>\n");
  return page.substr(from, to - from);
}

TEST(StudyPage, HoldsTheResultsAndWhatItsScriptDraws) {
  RunTrace trace{
      "size=112 repeat 0",
      3.0,
      {{"gpu0", "nvml.power_instant", Provenance::measured, {{0, 50}, {1.5, 240}, {3, 60}}}},
      {},
      2};
  WindowRecord window;
  window.name = "inference";
  window.start = Seconds(0.5);
  window.duration = Seconds(2);
  window.count = 100;
  trace.windows = {window};
  const std::string page = study_html(sample_results(), {trace}, 7);
  expect_golden("study.html", body_of(page));
  EXPECT_NE(page.find("Chart.js v3"), std::string::npos);
  EXPECT_NE(page.find("Permission is hereby granted"), std::string::npos);
}

nlohmann::json data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const auto from = page.find(begin) + begin.size();
  return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
}

TEST(StudyPage, DrawsEachPlotThatHasData) {
  const auto data = data_of(study_html(sample_results(), {}));
  std::vector<std::string> ids;
  for (const auto& plot : data["plots"])
    ids.push_back(plot["id"]);
  EXPECT_EQ(ids, (std::vector<std::string>{"plot-energy", "plot-energy-latency", "plot-latency",
                                           "plot-memory", "plot-sm"}));
  EXPECT_EQ(data["plots"][0]["series"][0]["label"], "GPU energy (measured)");
  EXPECT_EQ(data["plots"][0]["series"][1]["label"], "CPU energy, estimated (estimated)");
}

TEST(StudyPage, NamesCannotBreakOutOfThePage) {
  auto results = sample_results();
  const std::string evil = "</script><script>alert(1)</script>\"'&";
  results.titles.title = results.titles.axis_label = results.command[0] = evil;
  results.cells[0].axis = results.cells[0].series = evil;
  results.cells[0].reason = evil;
  results.warnings = {evil};
  RunTrace trace{evil, 1.0, {{evil, evil, Provenance::measured, {{0, 1}}}}, {}, 0};
  const std::string page = study_html(results, {trace});
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(data_of(page)["traces"][0]["label"], evil);
}

TEST(StudyPage, LoadsNothingFromElsewhere) {
  const std::string page = body_of(study_html(sample_results(), {}));
  for (const char* loader : {"src=", "href=", "@import", "url("})
    EXPECT_EQ(page.find(loader), std::string::npos) << loader;
}

TEST(StudyPage, AStudyWithoutAnyRunIsStillAPage) {
  const std::string page = study_html(study_results(ExperimentRecord{}), {});
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(data_of(page)["plots"].empty());
}

TEST(StudyFigures, AreWrittenInTheirUnit) {
  EXPECT_EQ(format_figure(0.0352, "J"), "35.20 mJ");
  EXPECT_EQ(format_figure(0.92, "1"), "92.0 %");
  EXPECT_EQ(format_figure(3.5 * 1024 * 1024, "B"), "3.5 MiB");
  EXPECT_EQ(format_interval({1, 1, 1}, "J"), "");
}

}  // namespace
}  // namespace ergo::report
