// Zeus's summaries, Kernel Tuner's caches, logs of nvidia-smi; and the text functions below all
// imports.
#include "import_files.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace ergo {
namespace {

using ::testing::HasSubstr;

class ImportResults : public ImportTest {};

TEST_F(ImportResults, ZeusRowsAreRunsWithTheEnergyOfAnEpoch) {
  const auto file =
      put("summary_power_v100.csv",
          "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power\n"
          "cifar100,shufflenetv2,1024,adadelta,125,17.5,100\n"
          "imagenet,resnet50,128,adadelta,250,6000,150.5\n");
  const auto imported = import_recording(file);
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->origin, "zeus");
  EXPECT_EQ(imported->record.host.gpus[0].name, "V100");
  ASSERT_EQ(imported->record.runs.size(), 2U);
  const RunRecord& run = imported->record.runs[0];
  EXPECT_EQ(run.parameters.at("workload"), "cifar100-shufflenetv2");
  EXPECT_EQ(run.parameters.at("config"), "bs1024-adadelta");
  EXPECT_EQ(run.power_limit, Watts(125.0));
  EXPECT_EQ(run.parameters.at("power_limit_w"), "125") << "tables tell limits apart";
  EXPECT_EQ(run.duration, Seconds(17.5));
  ASSERT_EQ(run.energy.size(), 1U);
  EXPECT_EQ(run.energy[0].joules, Joules(1750.0));
  EXPECT_EQ(run.energy[0].mean, Watts(100.0));
  EXPECT_DOUBLE_EQ(run.energy[0].high.value(), 1750.0 * 1.05);
  EXPECT_EQ(run.total.measured, Joules(1750.0));
}

TEST_F(ImportResults, BadZeusRowsAreNamed) {
  const std::string header =
      "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power\n";
  const auto error = [&](const std::string& text) {
    const auto imported = import_zeus(put("summary_power_p100.csv", text));
    EXPECT_FALSE(imported);
    return imported ? std::string() : imported.error().text();
  };
  EXPECT_THAT(error(header + "a,b,1,c,125,17,\n"),
              HasSubstr("summary_power_p100.csv:2: 'average_power' must be"));
  EXPECT_THAT(error(header + "a,b,1,c,125,-1,9\n"),
              HasSubstr(":2: 'time_per_epoch' must be a positive number"));
  EXPECT_THAT(error(header + "a,b,1,c,x,1,9\n"), HasSubstr(":2: 'x' in column 'power_limit'"));
  EXPECT_THAT(error(header + "a,b,1,c,125000,1,9\n"), HasSubstr(":2: 'power_limit' 125000"));
  EXPECT_THAT(error("dataset,network\n"), HasSubstr(":1: the column 'batch_size' is missing"));
  EXPECT_THAT(error(header), HasSubstr("no rows"));
}

constexpr std::string_view cache_head =
    R"({"device_name": "NVIDIA RTX 4000", "kernel_name": "vector_add", "problem_size": 80000000,
"tune_params_keys": ["block_size_x", "nvml_pwr_limit"], "tune_params": {}, "objective": "time",
"cache": {
"128,110": {"block_size_x": 128, "nvml_pwr_limit": 110, "time": 2.5, "times": [2.5], "nvml_energy": 0.25,
 "timestamp": "2026-06-04 07:40:27.255674+00:00"},
"256,110": {"block_size_x": 256, "nvml_pwr_limit": 110, "time": 4.0, "nvml_power": 100.0},
"4096,110": {"block_size_x": 4096, "nvml_pwr_limit": 110, "time": "CompilationFailedConfig"})";

TEST_F(ImportResults, KernelTunersConfigurationsAreRuns) {
  const auto imported = import_recording(put("cache.json", std::string(cache_head) + "}}\n"));
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->origin, "kernel_tuner");
  EXPECT_TRUE(imported->notes.empty());
  EXPECT_EQ(imported->record.name, "vector_add");
  EXPECT_EQ(imported->record.host.gpus[0].name, "NVIDIA RTX 4000");
  ASSERT_EQ(imported->record.runs.size(), 3U);
  const RunRecord& first = imported->record.runs[0];
  EXPECT_EQ(first.parameters.at("block_size_x"), "128");
  EXPECT_FALSE(first.parameters.contains("nvml_pwr_limit"))
      << "a limit makes no other configuration";
  EXPECT_EQ(first.parameters.at("power_limit_w"), "110");
  EXPECT_EQ(first.power_limit, Watts(110.0));
  EXPECT_DOUBLE_EQ(first.duration.value(), 0.0025);
  EXPECT_EQ(first.total.measured, Joules(0.25));
  EXPECT_EQ(first.energy[0].source, "kernel_tuner.nvml_energy");
  EXPECT_DOUBLE_EQ(imported->record.runs[1].total.measured->value(), 0.4);
  const RunRecord& failed = imported->record.runs[2];
  EXPECT_NE(failed.exit_code, 0);
  EXPECT_TRUE(failed.energy.empty());
  EXPECT_THAT(failed.warnings[0], HasSubstr("CompilationFailedConfig"));
}

TEST_F(ImportResults, AKernelTunerCacheStillBeingWrittenIsReadWithANote) {
  const auto imported = import_kernel_tuner(put("cache.json", std::string(cache_head) + ",\n"));
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->record.runs.size(), 3U);
  ASSERT_EQ(imported->notes.size(), 1U);
  EXPECT_THAT(imported->notes[0], HasSubstr("still open"));
}

TEST_F(ImportResults, BadKernelTunerCachesAreNamedWithTheLine) {
  const auto error = [&](const std::string& text) {
    const auto imported = import_kernel_tuner(put("cache.json", text));
    EXPECT_FALSE(imported);
    return imported ? std::string() : imported.error().text();
  };
  EXPECT_THAT(error("{\"cache\":\n{\"a\": tru }}"), HasSubstr("cache.json:2: not JSON"));
  EXPECT_THAT(error("[1,2]"), HasSubstr("there is no object 'cache'"));
  EXPECT_THAT(error("{\"cache\": {\"1\": 5}}"), HasSubstr("is not an object"));
  EXPECT_THAT(error("{\"cache\": {}}"), HasSubstr("no entries"));
  EXPECT_THAT(error(""), HasSubstr(":1: not JSON"));
}

TEST_F(ImportResults, ALogOfNvidiaSmiIsIntegratedPerBoard) {
  std::string text =
      "timestamp, index, name, power.draw [W], utilization.gpu [%], memory.used [MiB], "
      "enforced.power.limit [W]\n";
  for (int i = 0; i <= 100; ++i) {
    for (int board = 0; board < 2; ++board) {
      text += fmt::format(
          "2023/07/27 17:21:{:02}.{:03}, {}, Tesla V100, {} W, {} %, 100 MiB, 250.00 W\n", i / 10,
          (i % 10) * 100, board, board == 0 ? "88.00" : "[N/A]", board == 0 ? 50 : 0);
    }
  }
  const auto imported = import_recording(put("log.csv", text));
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->origin, "nvidia-smi");
  const RunRecord& run = imported->record.runs[0];
  EXPECT_NEAR(run.duration.value(), 10.0, 1e-9);
  ASSERT_NE(channel(run.energy, "gpu0"), nullptr);
  EXPECT_NEAR(channel(run.energy, "gpu0")->joules.value(), 880.0, 1e-6);
  EXPECT_EQ(channel(run.energy, "gpu1"), nullptr) << "not measured is absent, never 0";
  ASSERT_EQ(imported->record.host.gpus.size(), 2U);
  EXPECT_EQ(imported->record.host.gpus[1].power_limit_w, 250.0);
  bool memory = false;
  for (const auto& metric : run.metrics) {
    if (metric.name != "gpu0.memory_used") continue;
    memory = true;
    EXPECT_NEAR(metric.mean, 100.0 * 1048576.0, 1e-3);
  }
  EXPECT_TRUE(memory);
}

TEST_F(ImportResults, ALogWithoutUnitsAndIndexNumbersBoardsAsTheyAppear) {
  std::string text = "timestamp, uuid, power.draw.instant\n";
  for (int i = 0; i <= 10; ++i) {
    text += fmt::format("2023/07/27 17:21:{:02}.000, GPU-b, 50\n", i);
    text += fmt::format("2023/07/27 17:21:{:02}.000, GPU-a, 70\n", i);
  }
  const auto imported = import_nvidia_smi(put("log.csv", text));
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_NEAR(channel(imported->record.runs[0].energy, "gpu0")->joules.value(), 500.0, 1e-6);
  EXPECT_NEAR(channel(imported->record.runs[0].energy, "gpu1")->joules.value(), 700.0, 1e-6);
}

TEST_F(ImportResults, BadLogsOfNvidiaSmiAreNamedWithTheLine) {
  const auto error = [&](const std::string& text) {
    const auto imported = import_nvidia_smi(put("log.csv", text));
    EXPECT_FALSE(imported);
    return imported ? std::string() : imported.error().text();
  };
  EXPECT_THAT(error("timestamp, index\n"), HasSubstr("power.draw are missing"));
  EXPECT_THAT(error("timestamp, power.draw [W]\nsoon, 5 W\n"),
              HasSubstr("log.csv:2: 'soon' is not a date"));
  EXPECT_THAT(error("timestamp, power.draw [W]\n2023/07/27 17:21:01, five W\n"),
              HasSubstr(":2: 'five W'"));
  EXPECT_THAT(error("timestamp, power.draw [W]\n2023/07/27 17:21:01, 5 W\n"),
              HasSubstr("no two readings"));
  EXPECT_THAT(
      error("timestamp, power.draw [W]\n2003/07/27 17:21:01, 5 W\n2023/07/27 17:21:01, 5 W\n"),
      HasSubstr("log.csv:3: the date is more than a year from the first one"));
}

constexpr std::string_view smi_head =
    "timestamp, index, power.draw [W], enforced.power.limit [W]\n";

std::string smi_line(int second, std::string_view power, std::string_view limit = "250.00 W") {
  return fmt::format("2023/07/27 17:21:{:02}.000, 0, {}, {}\n", second, power, limit);
}

TEST_F(ImportResults, UnitsOfALogOfNvidiaSmiAreHeeded) {
  const auto joules = [&](const std::string& text) {
    const auto imported = import_nvidia_smi(put("log.csv", text));
    EXPECT_TRUE(imported) << imported.error().text();
    return imported ? imported->record.runs[0].total.measured->value() : 0.0;
  };
  EXPECT_NEAR(joules(std::string(smi_head) + smi_line(1, "80.00 W") + smi_line(2, "80000 mW") +
                     smi_line(3, "80")),
              160.0, 1e-6);
  EXPECT_NEAR(joules("timestamp, power.draw [mW]\n2023/07/27 17:21:01, 80000\n"
                     "2023/07/27 17:21:03, 80000\n"),
              160.0, 1e-6);
  // As a spreadsheet with a decimal comma saves it.
  EXPECT_NEAR(joules("timestamp;power.draw [W]\n2023/07/27 17:21:01;80,50 W\n"
                     "2023/07/27 17:21:03;80,50 W\n"),
              161.0, 1e-6);
  EXPECT_NEAR(joules("timestamp,power.draw [W]\n2023/07/27 17:21:01,\"80,50 W\"\n"
                     "2023/07/27 17:21:03,\"80,50 W\"\n"),
              161.0, 1e-6);
}

TEST_F(ImportResults, ALogOfNvidiaSmiThatIsNoneIsRefusedWithTheReason) {
  const auto error = [&](const std::string& text) {
    const auto imported = import_recording(put("log.csv", text));
    EXPECT_FALSE(imported);
    return imported ? std::string() : imported.error().text();
  };
  const std::string head(smi_head);
  EXPECT_THAT(error(head + smi_line(1, "80 BTU")), HasSubstr(":2: '80 BTU' in column"));
  EXPECT_THAT(error(head + smi_line(1, "-5 W")), HasSubstr("is below zero"));
  EXPECT_THAT(error(head + smi_line(1, "[N/A]") + smi_line(2, "[N/A]")),
              HasSubstr("no line tells a power"));
  EXPECT_THAT(error(head + smi_line(1, "80,5 W") + smi_line(2, "80,5 W")),
              HasSubstr("decimal points"));
  EXPECT_THAT(error("\xFF\xFEt"), HasSubstr("iconv -f UTF-16"));
}

TEST_F(ImportResults, ALineThatWasCutOffIsLeftOutWithANote) {
  std::string text = std::string(smi_head) + smi_line(1, "80.00 W") + smi_line(2, "80.00 W");
  text += "2023/07/27 17:21:03.000, 0, 8";
  const auto imported = import_nvidia_smi(put("log.csv", text));
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_NEAR(imported->record.runs[0].total.measured->value(), 80.0, 1e-6);
  ASSERT_EQ(imported->notes.size(), 1U);
  EXPECT_THAT(imported->notes[0], HasSubstr("cut off"));
}

TEST_F(ImportResults, ALogOverWhichTheLimitChangedIsOfNoLimit) {
  const std::string head(smi_head);
  auto imported =
      import_nvidia_smi(put("log.csv", head + smi_line(1, "80 W") + smi_line(2, "80 W")));
  ASSERT_TRUE(imported);
  EXPECT_EQ(imported->record.runs[0].power_limit, Watts(250.0));
  imported = import_nvidia_smi(
      put("log.csv", head + smi_line(1, "80 W") + smi_line(2, "80 W", "200.00 W")));
  ASSERT_TRUE(imported);
  EXPECT_FALSE(imported->record.runs[0].power_limit);
  ASSERT_EQ(imported->notes.size(), 1U);
  EXPECT_THAT(imported->notes[0], HasSubstr("changed between 200 and 250 W"));
}

TEST_F(ImportResults, WindowsOfZeusAreRuns) {
  const auto imported =
      import_recording(put("monitor.csv",
                           "start_time,window_name,elapsed_time,gpu0_energy,gpu2_energy\n"
                           "1700000000.5,epoch,30.0,7000.0,6000.0\n"
                           "1700000001.5,step,0.01,0.0,\n"
                           "1700000030.5,epoch,31.0,7100.0,6100.0\n"
                           "1700000070.5,__GlobalPowerLimitOptimizer_175,8.0,1000.0,900.0\n"));
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->origin, "zeus");
  const auto& runs = imported->record.runs;
  ASSERT_EQ(runs.size(), 4U);
  EXPECT_EQ(runs[0].parameters.at("workload"), "epoch");
  EXPECT_EQ(runs[0].started_unix_ns, 1'700'000'000'500'000'000);
  EXPECT_EQ(imported->record.started, "2023-11-14T22:13:20.500Z");
  EXPECT_EQ(runs[0].duration, Seconds(30.0));
  EXPECT_EQ(channel(runs[0].energy, "gpu2")->joules, Joules(6000.0));
  EXPECT_EQ(runs[0].total.measured, Joules(13000.0));
  EXPECT_FALSE(runs[0].power_limit);
  EXPECT_TRUE(runs[1].energy.empty()) << "0 J of a short window were not measured";
  EXPECT_EQ(runs[2].repeat, 1);
  EXPECT_EQ(runs[3].power_limit, Watts(175.0));
  EXPECT_EQ(runs[3].parameters.at("workload"), "zeus-profile");
  EXPECT_THAT(imported->notes, ::testing::Contains(HasSubstr("0 J or nothing")));
}

TEST_F(ImportResults, AProfileOfZeusIsARunForEachLimit) {
  const auto imported = import_recording(
      put("profile.json", R"({"measurements": [{"power_limit": 300, "energy": 2000.5, "time": 8.0},
                              {"power_limit": 200, "energy": 1650.5, "time": 9.0}]})"));
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->origin, "zeus");
  ASSERT_EQ(imported->record.runs.size(), 2U);
  EXPECT_EQ(imported->record.runs[1].power_limit, Watts(200.0));
  EXPECT_EQ(imported->record.runs[1].duration, Seconds(9.0));
  EXPECT_EQ(imported->record.runs[1].total.measured, Joules(1650.5));
  EXPECT_EQ(imported->record.host.gpus[0].name, unnamed_gpu);
}

TEST_F(ImportResults, BadProfilesAndWindowsOfZeusAreNamed) {
  const auto error = [&](const char* name, const std::string& text) {
    const auto imported = import_zeus_profile(put(name, text));
    EXPECT_FALSE(imported);
    return imported ? std::string() : imported.error().text();
  };
  EXPECT_THAT(error("p.json", R"({"measurements": [{"power_limit": 30)"), HasSubstr("not JSON"));
  EXPECT_THAT(error("p.json", "{}"), HasSubstr("no list 'measurements'"));
  EXPECT_THAT(error("p.json", R"({"measurements": []})"), HasSubstr("no measurements"));
  EXPECT_THAT(
      error("p.json", R"({"measurements": [{"power_limit": 300, "energy": 0, "time": 1}]})"),
      HasSubstr("measurement 1: 'energy' must be"));
  EXPECT_THAT(
      error("p.json", R"({"measurements": [{"power_limit": 300000, "energy": 9, "time": 1}]})"),
      HasSubstr("not in milliwatts"));
  const std::string head = "start_time,window_name,elapsed_time,gpu0_energy\n";
  EXPECT_THAT(error("w.csv", head + "1,a,0,5\n"), HasSubstr("w.csv:2: 'elapsed_time' must be"));
  EXPECT_THAT(error("w.csv", head + "1,a,1,-5\n"), HasSubstr("'gpu0_energy' must not be negative"));
  EXPECT_THAT(error("w.csv", head + "1,a,1\n"), HasSubstr("3 fields"));
  EXPECT_THAT(error("w.csv", head), HasSubstr("no rows"));
  EXPECT_THAT(error("w.csv", "start_time,window_name,elapsed_time\n1,a,1\n"),
              HasSubstr("no column gpu0_energy"));
}

TEST(ImportText, DatesOfAllKindsAreRead) {
  using importing::parse_date;
  constexpr std::int64_t t = 1'690'478'517;  // 2023-07-27T17:21:57Z
  EXPECT_EQ(parse_date("2023-07-27 17:21:57.744155")->ns, t * 1'000'000'000 + 744'155'000);
  EXPECT_EQ(parse_date("2023-07-27T17:21:57")->ns, t * 1'000'000'000);
  EXPECT_EQ(parse_date("2023/07/27 17:21:57.7")->ns, t * 1'000'000'000 + 700'000'000);
  EXPECT_EQ(parse_date("2023-07-27 19:21:57+02:00")->ns, t * 1'000'000'000);
  EXPECT_EQ(parse_date("2023-07-27 12:51:57-0430")->ns, t * 1'000'000'000);
  EXPECT_TRUE(parse_date("2023-07-27 17:21:57Z")->has_zone);
  EXPECT_FALSE(parse_date("2023-07-27 17:21:57")->has_zone);
  EXPECT_EQ(parse_date("2024-02-29 00:00:00")->ns, 1'709'164'800'000'000'000);
  for (const char* wrong :
       {"", "2023-07-27", "2023-13-27 17:21:57", "2023-07-32 17:21:57", "2023-07-27 25:21:57",
        "2023-07-27 17:21:57x", "27.07.2023 17:21:57", "2023-07-27 17:61:57", "0000-01-01 00:00:00",
        "2023-07-27 17:21:57+2"}) {
    EXPECT_FALSE(parse_date(wrong)) << wrong;
  }
}

TEST(ImportText, ZonesAreWholeQuartersOfAnHour) {
  constexpr std::int64_t hour = 3'600'000'000'000;
  EXPECT_EQ(importing::zone_offset_ns(10 * hour + 5'000'000'000, 8 * hour), 2 * hour);
  EXPECT_EQ(importing::zone_offset_ns(10 * hour, 10 * hour + 60'000'000'000), 0);
  EXPECT_EQ(importing::zone_offset_ns(4 * hour, 9 * hour + hour / 2), -5 * hour - hour / 2);
}

TEST(ImportText, NumbersInNamesAreOrderedByValue) {
  EXPECT_TRUE(importing::natural_less("run_2", "run_10"));
  EXPECT_FALSE(importing::natural_less("run_10", "run_2"));
  EXPECT_TRUE(importing::natural_less("a", "b"));
  EXPECT_TRUE(importing::natural_less("run", "run_1"));
  EXPECT_FALSE(importing::natural_less("run_7", "run_7"));
}

TEST(ImportText, CsvQuotesAndLineEndsAreUnderstood) {
  const auto table = parse_csv(
      "\xEF\xBB\xBF"
      "a,\"b\nc\"\r\n\r\n1,\"x \"\"y\"\", z\"\r\n",
      "f.csv");
  ASSERT_TRUE(table) << table.error().text();
  ASSERT_EQ(table->header.size(), 2U);
  EXPECT_EQ(table->header[1], "b\nc");
  ASSERT_EQ(table->rows.size(), 1U);
  EXPECT_EQ(table->rows[0].line, 4);
  EXPECT_EQ(table->rows[0].fields[1], "x \"y\", z");
  EXPECT_THAT(parse_csv("a,b\n\"1,2\n", "f.csv").error().text(), HasSubstr("f.csv:2: a quote"));
  EXPECT_THAT(parse_csv("a,b\n1\n2,3\n", "f.csv").error().text(), HasSubstr("f.csv:2: 1 fields"));
}

}  // namespace
}  // namespace ergo
