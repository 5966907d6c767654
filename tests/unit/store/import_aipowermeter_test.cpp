// AIPowerMeter's folders. The records of 2021 and 2023 are its own published examples (one line
// each), continued by hand.
#include "compare_records.hpp"
#include "ergo/store/store.hpp"
#include "import_files.hpp"
#include "store/import/aipowermeter_records.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <functional>

namespace ergo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view line_2023 =
    R"({"date": "2023-07-27 17:21:57.744155", "metrics": {"cpu": {"per_process_mem_use_abs": {"20379": 582656, "20381": 336614400, "20382": 4154184704}, "per_process_cpu_uses": {"20379": 0.0, "20381": 0.03333427769520803, "20382": 0.3333374386088151}, "per_process_mem_use_percent": {"20379": 4.599793696423317e-05, "20381": 0.026574115691682863, "20382": 0.3279532454010147}, "intel_power": 65.53506967884411, "psys_power": -1, "per_process_dram_power": {"20379": 0.0005335265783546823, "20381": 0.3082311502102688, "20382": 3.803904792842567}, "total_dram_power": 11.598924072823941, "per_process_mem_use_uss": {"20379": 245760, "20381": 334577664, "20382": 4149911552}}, "gpu": {"nvidia_draw_absolute": 88.14, "per_gpu_power_draw": {"0": 18.89, "1": 69.25}, "per_gpu_attributable_mem_use": {"0": {}, "1": {"20382": 1821376512}}, "per_gpu_per_pid_utilization_absolute": {"0": {"14091": 0.0}, "1": {"20382": 0.09}}, "per_gpu_absolute_percent_usage": {"0": 0, "1": 0.09}, "per_gpu_estimated_attributable_utilization": {"0": 0, "1": 1.0}, "per_gpu_attributable_power": {"1": 69.25, "all": 69.25}}}})";

constexpr std::string_view line_2021 =
    R"({"date": "2021-12-08 13:55:49.307695", "metrics": {"cpu": {"per_process_mem_use_abs": {"16809": 41931776}, "per_process_cpu_uses": {"16809": 0.9931604931636107}, "per_process_mem_use_percent": {"16809": 0.005087090128294701}, "intel_power": 29.728636861342007, "psys_power": 43.84436950191853, "uncore_power": [0.0048280387417151], "per_process_cpu_power": {"16809": 26.736693054770612}, "total_cpu_power": 26.920818174717787, "per_process_mem_use_uss": {"16809": 23334912}}}})";

constexpr std::string_view line_main =
    R"({"date":"2026-03-06 10:00:02.100000","metrics":{"temperature":{"coretemp":[["Package id 0",45.0,100.0,100.0]]},"cpu":{"per_process_cpu_uses":{"4242":0.93},"absolute_cpu_time_per_pid":{"4242":1.86},"per_process_mem_use_abs":{"4242":4154184704},"per_process_mem_use_percent":{"4242":0.33},"total_mem_use":12668321792,"intel_power":65.5,"psys_power":-1,"total_dram_power":11.6,"total_cpu_power":40.1,"uncore_power":0.1,"rel_intel_power":{"4242":60.9},"per_process_cpu_power":{"4242":37.3},"per_process_mem_use_uss":{"4242":4149911552}},"gpu":{"nvidia_power":214.7,"nvidia_memory":3859677184.0,"per_gpu_nvidia_power":{"0":194.9,"1":19.8},"per_gpu_nvidia_use_rate":{"0":92.0,"1":0.0},"per_gpu_nvidia_memory":{"0":3216441344.0,"1":643235840.0},"nvidia_use_rate":46.0}}})";

constexpr std::string_view end_line = "\"END OF RECORDING SEGMENT\"\n";

std::string replaced(std::string_view text, const std::string& from, const std::string& to) {
  std::string out(text);
  const auto at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? out : out.replace(at, from.size(), to);
}

/// A record of main, `second` seconds after 10:00:00.
std::string record(double second, double cpu_watts, double gpu_watts) {
  const int whole = static_cast<int>(second);
  return fmt::format(
      R"({{"date":"2026-03-06 10:{:02}:{:02}.{:06}","metrics":{{"cpu":{{"intel_power":{},"psys_power":-1,"total_mem_use":1}},"gpu":{{"nvidia_power":{},"per_gpu_nvidia_power":{{"0":{}}}}}}}}})"
      "\n",
      whole / 60, whole % 60, static_cast<int>((second - whole) * 1e6 + 0.5), cpu_watts, gpu_watts,
      gpu_watts);
}

class ImportAipowermeter : public ImportTest {};

TEST_F(ImportAipowermeter, TheExampleOf2023IsReadWithItsGpusAndDram) {
  put("power_metrics.json", std::string(line_2023) + "\n" +
                                replaced(line_2023, "17:21:57.744155", "17:21:59.744155") + "\n" +
                                std::string(end_line));
  const auto imported = import_aipowermeter(root());
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->origin, "aipowermeter");
  ASSERT_EQ(imported->record.runs.size(), 1U);
  const RunRecord& run = imported->record.runs[0];
  EXPECT_NEAR(run.duration.value(), 2.0, 1e-9);
  const std::vector<std::pair<std::string, double>> expected{{"cpu0", 2 * 65.53506967884411},
                                                             {"dram0", 2 * 11.598924072823941},
                                                             {"gpu0", 2 * 18.89},
                                                             {"gpu1", 2 * 69.25}};
  EXPECT_EQ(run.energy.size(), expected.size());
  for (const auto& [name, joules] : expected) {
    const auto* energy = channel(run.energy, name);
    ASSERT_NE(energy, nullptr) << name;
    EXPECT_NEAR(energy->joules.value(), joules, 1e-6) << name;
    EXPECT_EQ(energy->provenance, Provenance::measured);
    EXPECT_TRUE(energy->in_total);
  }
  EXPECT_EQ(channel(run.energy, "cpu0")->source, "aipowermeter.intel_power");
  EXPECT_EQ(channel(run.energy, "psys"), nullptr) << "-1 means that there is none";
  ASSERT_TRUE(run.total.measured);
  EXPECT_NEAR(run.total.measured->value(), 2 * (65.53506967884411 + 11.598924072823941 + 88.14),
              1e-6);
  bool utilization = false;
  for (const auto& metric : run.metrics) {
    if (metric.name == "gpu1.sm_utilization") {
      utilization = true;
      EXPECT_NEAR(metric.mean, 9.0, 1e-9);
    }
  }
  EXPECT_TRUE(utilization);
}

TEST_F(ImportAipowermeter, TheExampleOf2021IsReadWithItsUncoreInAList) {
  put("power_metrics.json", std::string(line_2021) + "\n" +
                                replaced(line_2021, "13:55:49.307695", "13:55:53.307695") + "\n");
  const auto imported = import_aipowermeter(root());
  ASSERT_TRUE(imported) << imported.error().text();
  const RunRecord& run = imported->record.runs[0];
  ASSERT_NE(channel(run.energy, "uncore0"), nullptr);
  EXPECT_NEAR(channel(run.energy, "uncore0")->joules.value(), 4 * 0.0048280387417151, 1e-9);
  ASSERT_NE(channel(run.energy, "psys"), nullptr);
  EXPECT_NEAR(channel(run.energy, "psys")->joules.value(), 4 * 43.84436950191853, 1e-6);
  EXPECT_FALSE(channel(run.energy, "psys")->in_total) << "it holds the package";
  EXPECT_FALSE(channel(run.energy, "core0")->in_total) << "it is part of the package";
  EXPECT_NEAR(run.total.measured->value(), 4 * 29.728636861342007, 1e-6);
}

TEST_F(ImportAipowermeter, ARecordOfMainCoversTheTimeSinceTheOneBefore) {
  put("power_metrics.json", std::string(line_main) + "\n" +
                                replaced(line_main, "10:00:02.100000", "10:00:04.100000") + "\n" +
                                replaced(line_main, "10:00:02.100000", "10:00:06.100000") + "\n" +
                                std::string(end_line));
  const auto imported = import_aipowermeter(root());
  ASSERT_TRUE(imported) << imported.error().text();
  const RunRecord& run = imported->record.runs[0];
  EXPECT_NEAR(run.duration.value(), 6.0, 1e-6)
      << "the first record's own two seconds are there, too";
  EXPECT_NEAR(channel(run.energy, "gpu0")->joules.value(), 6 * 194.9, 1e-3);
  EXPECT_NEAR(alternative(*channel(run.energy, "gpu0"), "aipowermeter.ExpResults.total_"),
              4 * 194.9, 1e-6)
      << "their library loses the first interval";
}

TEST_F(ImportAipowermeter, TheMedianOfTrapezoidsStandsBesideOursWithTheReason) {
  // 78 W for 170 s, then 178 W for 70 s, a record each 2 s: 25.7 kJ, of which the median keeps 78 W
  // throughout.
  std::string text;
  for (int s = 0; s <= 240; s += 2)
    text += record(s, s <= 170 ? 78.0 : 178.0, 20.0);
  put("power_metrics.json", text + std::string(end_line));
  const auto imported = import_aipowermeter(root());
  ASSERT_TRUE(imported) << imported.error().text();
  const RunRecord& run = imported->record.runs[0];
  const auto* cpu = channel(run.energy, "cpu0");
  ASSERT_NE(cpu, nullptr);
  const double truth = 78.0 * 172.0 + 178.0 * 70.0;
  EXPECT_NEAR(cpu->joules.value(), truth, 0.01 * truth);
  EXPECT_NEAR(alternative(*cpu, "aipowermeter.concat_power_measure"), 78.0 * 240.0, 1e-6);
  EXPECT_NEAR(alternative(*cpu, "aipowermeter.ExpResults.total_"),
              78.0 * 170.0 + 256.0 + 178.0 * 68.0, 1e-6);
  EXPECT_LE(cpu->low, Joules(truth));
  EXPECT_GE(cpu->high, Joules(truth));
  ASSERT_FALSE(run.warnings.empty());
  EXPECT_THAT(run.warnings.back(), HasSubstr("18720 J by its benchmark script"));
  EXPECT_THAT(run.warnings.back(), HasSubstr("median trapezoid"));
  EXPECT_THAT(run.warnings.back(), HasSubstr("wall clock"));
}

TEST_F(ImportAipowermeter, EachRecordingSegmentIsARunOfItsOwn) {
  put("power_metrics.json", record(0, 50, 100) + record(2, 50, 100) + std::string(end_line) +
                                record(60, 50, 100) + record(62, 50, 100) + record(64, 50, 100) +
                                std::string(end_line) + record(90, 1, 1) + std::string(end_line));
  const auto imported = import_aipowermeter(root());
  ASSERT_TRUE(imported) << imported.error().text();
  ASSERT_EQ(imported->record.runs.size(), 2U);
  EXPECT_NEAR(imported->record.runs[0].duration.value(), 4.0, 1e-6);
  EXPECT_NEAR(imported->record.runs[1].duration.value(), 6.0, 1e-6);
  EXPECT_THAT(imported->record.runs[1].warnings.back(), HasSubstr("segment 2 of 3"));
  ASSERT_EQ(imported->notes.size(), 1U);
  EXPECT_THAT(imported->notes[0], HasSubstr("segment 3 has 1 record"));
}

TEST_F(ImportAipowermeter, ASweepOfTheirsBecomesRunsWithParameters) {
  for (const char* folder : {"input_224/run_0", "input_112/run_10", "input_112/run_2"}) {
    put(std::string(folder) + "/power_metrics.json",
        record(0, 50, 100) + record(2, 50, 100) + record(4, 50, 100));
    put(std::string(folder) + "/latency.csv", "1.000000000000000000e-03\n3.0e-03\n2.0e-03\n");
  }
  put("input_112/run_2/metadata.json", R"({"description": "alexnet on node 7", "date": "x"})");
  const auto imported = import_recording(root());
  ASSERT_TRUE(imported) << imported.error().text();
  const auto& runs = imported->record.runs;
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(imported->record.name, "alexnet on node 7");
  std::vector<std::string> order;
  for (const auto& run : runs)
    order.push_back(run.parameters.at("input") + "/" + std::to_string(run.repeat));
  EXPECT_THAT(order, ElementsAre("112/2", "112/10", "224/0"));
  ASSERT_TRUE(runs[0].items);
  EXPECT_EQ(runs[0].items->count, 3);
  EXPECT_EQ(runs[0].items->total.measured, runs[0].total.measured);
  ASSERT_TRUE(runs[0].latency);
  EXPECT_DOUBLE_EQ(runs[0].latency->median.value(), 0.002);
  EXPECT_THAT(runs[0].latencies_s, ElementsAre(0.001, 0.003, 0.002));
}

TEST_F(ImportAipowermeter, TheWattmetersClockIsBroughtToTheRecordsZone) {
  put("power_metrics.json", record(0, 50, 100) + record(2, 50, 100) + record(4, 50, 100));
  // 2026-03-06 10:00:00 in UTC+1 is 09:00:00 UTC = 1772787600.
  std::string text = "wattmetre-read 0.1\n#timestamp,#frame_is_ok,#U1,#activepow1,#activepow2\n";
  for (int i = 0; i < 800; ++i) {
    text += i % 100 == 3 ? fmt::format("{:.9f},false,,,\n", 1772787598.0 + i * 0.01)
                         : fmt::format("{:.9f},true,230.0,120.5,0.0\n", 1772787598.0 + i * 0.01);
  }
  put("omegawatt.csv", text + "17727875");
  const auto imported = import_aipowermeter(root());
  ASSERT_TRUE(imported) << imported.error().text();
  const auto* node = channel(imported->record.runs[0].energy, "node");
  ASSERT_NE(node, nullptr);
  EXPECT_NEAR(node->joules.value(), 6.0 * 120.5, 0.5);
  EXPECT_FALSE(node->in_total);
  EXPECT_EQ(channel(imported->record.runs[0].energy, "node_2"), nullptr)
      << "nothing was plugged in there";
}

TEST_F(ImportAipowermeter, RecordsThatGoBackInTimeAreLeftOutAndCounted) {
  put("power_metrics.json",
      record(10, 50, 100) + record(12, 50, 100) + record(3, 900, 900) + record(14, 50, 100));
  const auto imported = import_aipowermeter(root());
  ASSERT_TRUE(imported);
  EXPECT_NEAR(channel(imported->record.runs[0].energy, "gpu0")->joules.value(), 600.0, 1.0);
  ASSERT_EQ(imported->notes.size(), 1U);
  EXPECT_THAT(imported->notes[0], HasSubstr("1 records left out"));
}

TEST_F(ImportAipowermeter, BadInputNamesFileAndLine) {
  const std::string good = record(0, 50, 100);
  const auto error = [&](const std::string& text) {
    put("power_metrics.json", text);
    const auto imported = import_aipowermeter(root());
    EXPECT_FALSE(imported);
    if (imported) return std::string();
    EXPECT_EQ(imported.error().code, Errc::corrupt);
    return imported.error().text();
  };
  const std::string file = (root() / "power_metrics.json").string();
  EXPECT_THAT(error(good + good.substr(0, good.size() / 2)),
              HasSubstr(file + ":2: not JSON: the file was cut off"));
  EXPECT_THAT(error(good + "}{\n" + good), HasSubstr(file + ":2: not JSON"));
  EXPECT_THAT(error(good + "\n\n[1]\n"), HasSubstr(file + ":4: not a record"));
  EXPECT_THAT(error("{\"metrics\": {}}\n"), HasSubstr(file + ":1: the record has no date"));
  EXPECT_THAT(error("{\"date\": \"2026-01-01 00:00:00\"}\n"),
              HasSubstr(":1: the record has no metrics"));
  EXPECT_THAT(error("{\"date\": \"yesterday\", \"metrics\": {}}\n"),
              HasSubstr("'yesterday' is not a date"));
  EXPECT_THAT(error("\"SOMETHING ELSE\"\n"), HasSubstr(":1: unexpected text"));
  EXPECT_THAT(error(""), HasSubstr(":1: there are no records"));
  EXPECT_THAT(error(good), HasSubstr("no recording has two records"));
  put("power_metrics.json", good + record(2, 50, 100));
  put("latency.csv", "0.1\nslow\n");
  EXPECT_THAT(import_aipowermeter(root()).error().text(),
              HasSubstr("latency.csv:2: 'slow' is not a number"));
}

TEST_F(ImportAipowermeter, AFolderWithoutARecordingIsNotFound) {
  EXPECT_EQ(import_aipowermeter(root()).error().code, Errc::not_found);
  EXPECT_EQ(import_aipowermeter(root() / "nowhere").error().code, Errc::not_found);
  const auto unknown = import_recording(root());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::not_supported);
  EXPECT_THAT(unknown.error().remedy, HasSubstr("gpyjoules"));
}

TEST_F(ImportAipowermeter, AnImportIsSavedAndComesBackWithItsSamples) {
  put("power_metrics.json", record(0, 50, 100) + record(2, 60, 110) + record(4, 50, 100));
  const auto imported = import_aipowermeter(root());
  ASSERT_TRUE(imported);
  auto store = Store::open(root() / "ergo.db", Store::Mode::create);
  ASSERT_TRUE(store);
  const auto id = store->save(imported->record, imported->timelines, imported->origin);
  ASSERT_TRUE(id) << id.error().text();
  EXPECT_EQ(store->experiments()->front().origin, "aipowermeter");
  expect_equal(*store->load_experiment(*id), imported->record);
  const auto timeline = store->load_timeline(store->runs(*id)->front().id);
  ASSERT_TRUE(timeline);
  const RunRecord& run = imported->record.runs[0];
  const auto again = measure(**timeline, Window{run.begin, run.begin + run.duration});
  EXPECT_EQ(channel(again.channels, "gpu0")->joules, channel(run.energy, "gpu0")->joules);
}

}  // namespace
}  // namespace ergo
