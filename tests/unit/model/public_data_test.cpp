// Public measurements of real cards, where they are at hand (CMake: ERGO_POWER_LIMIT_DATA). The
// project carries none.

#include "ergo/model/evaluate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

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

TEST(PublicData, EveryFileReadsAndCombiningIsAheadOfEveryBaselineOnEveryDomain) {
  const auto files = data_files();
  if (files.empty()) GTEST_SKIP() << "ERGO_POWER_LIMIT_DATA names no folder with CSV files";
  const std::vector<DataSource> sources = read_all(files);
  ASSERT_EQ(sources.size(), files.size());
  const auto scores =
      evaluate(sources, {LeaveOut::workload, 2, {"ergo", "quadratic", "gpyjoules", "constant"}, 0});
  ASSERT_TRUE(scores.ok()) << scores.error().text();
  const MethodScores& ours = scores->front();
  for (std::size_t d = 0; d < ours.domains.size(); ++d) {
    const Scores& we = ours.domains[d].scores;
    const auto baseline = [&](std::size_t m) { return (*scores)[m].domains[d].scores; };
    EXPECT_LT(*we.edp_mape, *baseline(1).edp_mape) << "quadratic on " << ours.domains[d].source;
    EXPECT_LT(*we.edp_mape, *baseline(2).edp_mape) << "gpyjoules on " << ours.domains[d].source;
    // One limit for all predicts no curve: what counts is what the choice costs.
    EXPECT_LT(*we.energy_regret + *we.edp_regret,
              *baseline(3).energy_regret + *baseline(3).edp_regret)
        << "constant on " << ours.domains[d].source;
  }
  // The scores of nearest curves with a residual, published with the data: the floor.
  EXPECT_LT(*ours.macro.time_mape, 0.029);
  EXPECT_LT(*ours.macro.energy_mape, 0.031);
  EXPECT_LT(*ours.macro.edp_mape, 0.059);
  for (const auto& coverage :
       {ours.macro.time_coverage, ours.macro.energy_coverage, ours.macro.edp_coverage}) {
    EXPECT_GE(*coverage, 0.90);
    EXPECT_LE(*coverage, 0.99);
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
