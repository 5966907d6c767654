// Public measurements of real cards, where they are at hand (CMake: ERGO_POWER_LIMIT_DATA). The
// project carries none.

#include "ergo/model/evaluate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace ergo {
namespace {

std::vector<std::filesystem::path> data_files() {
  const char* folder = std::getenv("ERGO_POWER_LIMIT_DATA");
  std::vector<std::filesystem::path> files;
  std::error_code absent;
  if (folder == nullptr || *folder == '\0') return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, absent)) {
    if (entry.path().extension() == ".csv") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<DataSource> read_all(const std::vector<std::filesystem::path>& files) {
  std::vector<DataSource> sources;
  for (const auto& file : files) {
    auto table = read_sweep_table(file);
    EXPECT_TRUE(table.ok()) << table.error().text();
    if (table) sources.push_back({file.filename().string(), std::move(table).value()});
  }
  return sources;
}

std::vector<MethodScores> scores_of(const std::vector<DataSource>& sources, int probes) {
  return evaluate(sources,
                  {LeaveOut::workload, probes, {"ergo", "quadratic", "gpyjoules", "constant"}, 0})
      .value();
}

double regret(const Scores& s) {
  return *s.energy_regret + *s.edp_regret;
}

/// What the predictor is to reach; means over the domains, the workload left out.
void expect_within_the_aims(const Scores& we, int probes) {
  struct Aim {
    double time, energy, edp, energy_regret, edp_regret, slowdown_regret;
  };
  constexpr Aim aims[] = {{0.045, 0.043, 0.080, 0.022, 0.040, 0.030},
                          {0.026, 0.028, 0.052, 0.012, 0.020, 0.018},
                          {0.021, 0.022, 0.042, 0.009, 0.017, 0.013}};
  const Aim& aim = aims[probes - 1];
  EXPECT_LE(*we.time_mape, aim.time) << probes;
  EXPECT_LE(*we.energy_mape, aim.energy) << probes;
  EXPECT_LE(*we.edp_mape, aim.edp) << probes;
  EXPECT_LE(*we.energy_regret, aim.energy_regret) << probes;
  EXPECT_LE(*we.edp_regret, aim.edp_regret) << probes;
  EXPECT_LE(*we.slowdown_regret, aim.slowdown_regret) << probes;
  // The aims are 8, 4 and 1 %; with two and three probes they are missed (docs/results says by
  // what).
  EXPECT_LE(*we.violations, 0.06) << probes;
  for (const auto& coverage : {we.time_coverage, we.energy_coverage, we.edp_coverage}) {
    EXPECT_GE(*coverage, 0.90) << probes;
    EXPECT_LE(*coverage, 0.99) << probes;
  }
}

TEST(PublicData, CombiningIsWithinTheAimsAndAheadOfEveryBaselineOnEveryDomain) {
  const auto files = data_files();
  if (files.empty()) GTEST_SKIP() << "ERGO_POWER_LIMIT_DATA names no folder with CSV files";
  const std::vector<DataSource> sources = read_all(files);
  ASSERT_EQ(sources.size(), files.size());
  for (int probes : {2, 3}) {
    const auto scores = scores_of(sources, probes);
    const MethodScores& ours = scores.front();
    for (std::size_t d = 0; d < ours.domains.size(); ++d) {
      const Scores& we = ours.domains[d].scores;
      const auto baseline = [&](std::size_t m) { return scores[m].domains[d].scores; };
      const std::string where = ours.domains[d].source + ", probes: " + std::to_string(probes);
      EXPECT_LT(*we.edp_mape, *baseline(1).edp_mape) << "quadratic on " << where;
      EXPECT_LT(*we.edp_mape, *baseline(2).edp_mape) << "gpyjoules on " << where;
      for (const std::size_t m : {1U, 2U, 3U})
        EXPECT_LT(regret(we), regret(baseline(m))) << scores[m].method << " on " << where;
    }
    expect_within_the_aims(ours.macro, probes);
  }
}

TEST(PublicData, FromOneProbeChoicesAreAheadOfTheBaselinesInTheMeanAndNowhereFarBehind) {
  const auto files = data_files();
  if (files.empty()) GTEST_SKIP() << "ERGO_POWER_LIMIT_DATA names no folder with CSV files";
  const auto scores = scores_of(read_all(files), 1);
  const MethodScores& ours = scores.front();
  expect_within_the_aims(ours.macro, 1);
  for (const std::size_t m : {1U, 2U, 3U})
    EXPECT_LT(regret(ours.macro), regret(scores[m].macro)) << scores[m].method;
  for (std::size_t d = 0; d < ours.domains.size(); ++d) {
    // Whether one probe is ahead of one limit for all is decided by single noisy curves.
    EXPECT_LT(regret(ours.domains[d].scores), regret(scores[3].domains[d].scores) + 0.005)
        << "constant on " << ours.domains[d].source;
  }
}

TEST(PublicData, AnUnseenCardIsPredictedWithinTheAims) {
  const auto files = data_files();
  if (files.empty()) GTEST_SKIP() << "ERGO_POWER_LIMIT_DATA names no folder with CSV files";
  const std::vector<DataSource> sources = read_all(files);
  const auto macro = [&](int probes) {
    return evaluate(sources, {LeaveOut::gpu, probes, {"ergo"}, 0}).value().front().macro;
  };
  const Scores two = macro(2);
  const Scores three = macro(3);
  EXPECT_LT(*two.energy_mape, 0.065);
  EXPECT_LT(*three.energy_mape, 0.042);
  EXPECT_LT(*two.energy_regret, 0.04);
  EXPECT_LT(*three.energy_regret, 0.02);
  EXPECT_GE(*two.edp_coverage, 0.90);
  EXPECT_GE(*three.edp_coverage, 0.90);
  // One probe tells little: what counts is that no choice breaks the promise, and that choices are
  // ahead of never changing the limit (energy 26, EDP 16 %).
  const Scores one = macro(1);
  EXPECT_LT(*one.violations, 0.02);
  EXPECT_LT(*one.energy_regret, 0.25);
  EXPECT_LT(*one.edp_regret, 0.16);
}

}  // namespace
}  // namespace ergo
