#include "ergo/model/table.hpp"

#include "ergo/core/files.hpp"
#include "ergo/model/curve.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo {
namespace {

using testing::HasSubstr;

constexpr const char* good =
    "gpu,workload,config,power_limit_w,time_s,energy_j\n"
    "A,net,bs8,100,2,150\n"
    "A,net,bs8,200,1,180\n";

TEST(SweepTable, ReadsWhatTheContractNames) {
  const auto table = parse_sweep_table(good, "t.csv");
  ASSERT_TRUE(table.ok()) << table.error().text();
  ASSERT_EQ(table->size(), 2U);
  EXPECT_EQ((*table)[0].gpu, "A");
  EXPECT_EQ((*table)[1].config, "bs8");
  EXPECT_DOUBLE_EQ((*table)[1].power_limit_w, 200);
  EXPECT_DOUBLE_EQ((*table)[0].energy_j, 150);
  EXPECT_FALSE((*table)[0].repeat);
}

TEST(SweepTable, TakesColumnsInAnyOrderAndIgnoresUnknownOnes) {
  const auto table = parse_sweep_table(
      "time_s,energy_j,colour,gpu,repeat,workload,config,power_limit_w,idle_w\r\n"
      "2,150,red,A,3,\"net, large\",,100,\r\n",
      "t.csv");
  ASSERT_TRUE(table.ok()) << table.error().text();
  EXPECT_EQ(table->front().workload, "net, large");
  EXPECT_EQ(table->front().repeat, 3);
  EXPECT_EQ(table->front().config, "");
  EXPECT_FALSE(table->front().idle_w);
}

TEST(SweepTable, WritesWhatItReads) {
  SweepTable rows{{"A \"big\"", "net, large", "", 100.5, 0.1, 7, 2, 250.0, {}, 0.5, 3.25, {}},
                  {"B", "net", "x", 1, 2, 3, {}, {}, {}, {}, {}, {}}};
  const std::string text = format_sweep_table(rows);
  EXPECT_THAT(text, HasSubstr("gpu,workload,config,power_limit_w,time_s,energy_j,repeat,tdp_w,"
                              "utilization,host_energy_j\n"));
  const auto again = parse_sweep_table(text, "t.csv");
  ASSERT_TRUE(again.ok()) << again.error().text();
  EXPECT_EQ(again->front().gpu, "A \"big\"");
  EXPECT_EQ(again->front().workload, "net, large");
  EXPECT_EQ(again->front().host_energy_j, 3.25);
  EXPECT_FALSE(again->back().tdp_w);
  EXPECT_EQ(format_sweep_table(*again), text);
}

struct Damage {
  const char* text;
  const char* message;
};
void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.message;
}

class DamagedTable : public testing::TestWithParam<Damage> {};

TEST_P(DamagedTable, IsRefusedWithItsLine) {
  const auto table = parse_sweep_table(GetParam().text, "t.csv");
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().code, Errc::corrupt);
  EXPECT_THAT(table.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    SweepTable, DamagedTable,
    testing::Values(
        Damage{"", "t.csv:1: the file is empty"},
        Damage{"gpu;workload;config;power_limit_w;time_s;energy_j\n",
               "t.csv:1: the column 'gpu' is missing"},
        Damage{"gpu,workload,config,power_limit_w,time_s\nA,n,c,1,2\n",
               "t.csv:1: the column 'energy_j' is missing"},
        Damage{"gpu,gpu,workload,config,power_limit_w,time_s,energy_j\n",
               "t.csv:1: the column 'gpu' appears twice"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\n", "the table has no rows"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,n,c,1,2\n",
               "t.csv:2: 5 fields where the header has 6"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,n,c,1,2,3\nA,n,c,1,fast,3\n",
               "t.csv:3: 'fast' in column 'time_s' is not a number"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,n,c,1,2,nan\n",
               "t.csv:2: 'nan'"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,n,c,1,2,\n",
               "t.csv:2: '' in column 'energy_j'"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,n,c,0,2,3\n",
               "t.csv:2: power_limit_w = 0"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,n,c,1,-2,3\n",
               "t.csv:2: time_s = -2"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,n,c,1,2,1e308\n",
               "t.csv:2: energy_j = 1e308 is no measurement"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,n,c,1,1e-300,2\n",
               "t.csv:2: time_s = 1e-300 is no measurement"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\n,n,c,1,2,3\n",
               "t.csv:2: 'gpu' is empty"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j,repeat\nA,n,c,1,2,3,0.5\n",
               "t.csv:2: repeat = 0.5"},
        Damage{"gpu,workload,config,power_limit_w,time_s,energy_j\nA,\"n,c,1,2,3\n",
               "t.csv:2: a quote is not closed"}));

TEST(SweepTable, ManglingAnyByteNeverCrashesAndNeverYieldsImpossibleRows) {
  const std::string text = good;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (char c : {'\0', ',', '"', '\n', '-', 'e', '9'}) {
      std::string mangled = text;
      mangled[i] = c;
      const auto table = parse_sweep_table(mangled, "t.csv");
      if (!table) continue;
      for (const SweepRow& row : *table) {
        EXPECT_GT(row.time_s, 0);
        EXPECT_GT(row.energy_j, 0);
        EXPECT_GT(row.power_limit_w, 0);
      }
    }
  }
}

TEST(SweepTable, AMissingFileIsNamed) {
  const auto table = read_sweep_table("/nonexistent/t.csv");
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().code, Errc::not_found);
  EXPECT_THAT(table.error().message, HasSubstr("/nonexistent/t.csv"));
}

TEST(Curves, MergeRepeatsByTheMedianOrKeepThemApart) {
  SweepTable rows;
  for (int repeat = 0; repeat < 3; ++repeat) {
    for (double limit : {200.0, 100.0}) {
      SweepRow row{"A", "net", "c", limit, 1.0, 100.0, repeat, {}, {}, {}, {}, {}};
      if (repeat == 2) row.time_s = 50.0;  // one disturbed run
      rows.push_back(row);
    }
  }
  const auto merged = group_curves(rows);
  ASSERT_EQ(merged.size(), 1U);
  ASSERT_EQ(merged.front().points.size(), 2U);
  EXPECT_DOUBLE_EQ(merged.front().lowest(), 100.0);
  EXPECT_NEAR(merged.front().points.front().log_time, 0.0, 1e-12);
  EXPECT_EQ(group_curves(rows, Repeats::apart).size(), 3U);
}

}  // namespace
}  // namespace ergo
