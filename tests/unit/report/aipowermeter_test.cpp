// A written folder, line by line, against the format of AIPowerMeter's main branch: the keys, their
// order, and the numbers that the readings stand for. TZ is UTC here (CMakeLists.txt).
#include "ergo/report/aipowermeter.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/store/import.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>

namespace ergo::report {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double tolerance = 1e-9;

class Aipowermeter : public ::testing::Test {
 protected:
  Aipowermeter() {
    run_.begin = Instant{7'000'000'000};
    run_.started_unix_ns = 1'772'791'200'100'000'000;  // 2026-03-06T10:00:00.100Z
    run_.duration = Seconds(6.0);
    options_.period = Seconds(2.0);
    options_.pid = 4242;
    options_.description = "alexnet, size 112";
  }

  /// A counter that rises by `watts` from a second before the run to a second after it.
  void add_energy(const std::string& source, const std::string& channel, Domain domain,
                  double watts, bool in_total, Provenance provenance = Provenance::measured) {
    SignalInfo info;
    info.name = source + "@" + channel;
    info.kind = SignalKind::energy;
    info.unit = "J";
    info.channel = channel;
    info.domain = domain;
    info.device = channel;
    info.source = source;
    info.in_total = in_total;
    info.provenance = provenance;
    fill(timeline_.add(info), [watts](double s) { return 1000.0 + watts * s; });
  }
  void add_signal(const std::string& name, SignalKind kind, double (*value)(double)) {
    SignalInfo info;
    info.name = name;
    info.kind = kind;
    fill(timeline_.add(info), value);
  }
  template <class Value>
  void fill(SignalId id, Value value) {
    for (int tick = 0; tick <= 80; ++tick) {
      const double s = tick * 0.1;
      timeline_.append(id, {Instant{6'000'000'000 + tick * 100'000'000LL}, value(s), 0.0F});
    }
  }
  void add_cpu() {
    add_energy("rapl.perf", "cpu0", Domain::cpu, 40.0, true);
    add_energy("rapl.perf", "cpu1", Domain::cpu, 25.5, true);
    add_energy("rapl.perf", "dram0", Domain::dram, 11.5, true);
    add_energy("rapl.perf", "core0", Domain::cpu, 40.0, false);
    add_energy("rapl.perf", "uncore0", Domain::cpu, 0.25, false);
    add_signal("process.cpu_time", SignalKind::cpu_time, [](double s) { return 0.93 * s; });
    add_signal("machine.cpu_time", SignalKind::cpu_time, [](double s) { return 7.0 + s; });
    add_signal("process.memory_pss", SignalKind::gauge, [](double s) { return 4e9 + 1e6 * s; });
  }
  void add_gpus() {
    add_energy("nvml.total_energy", "gpu0", Domain::gpu, 195.0, true);
    add_energy("nvml.total_energy", "gpu1", Domain::gpu, 20.0, true);
    add_signal("gpu0.sm_utilization", SignalKind::gauge, [](double) { return 92.0; });
    add_signal("gpu1.sm_utilization", SignalKind::gauge, [](double) { return 0.0; });
    add_signal("gpu0.memory_used", SignalKind::gauge, [](double s) { return 3e9 + 1e6 * s; });
    add_signal("gpu1.memory_used", SignalKind::gauge, [](double) { return 6e8; });
  }

  std::vector<std::string> write() {
    const auto done = write_aipowermeter(folder(), run_, timeline_, options_);
    EXPECT_TRUE(done) << (done ? "" : done.error().text());
    return lines("power_metrics.json");
  }
  std::vector<std::string> lines(const std::string& file) {
    const auto read = read_text(folder() / file);
    EXPECT_TRUE(read) << file;
    const std::string text = read.value_or("");
    std::vector<std::string> all;
    for (const auto line : split(text, '\n'))
      all.emplace_back(line);
    EXPECT_EQ(all.back(), "") << "the last line is not closed";
    all.pop_back();
    return all;
  }
  static std::vector<std::string> keys(const Json& json) {
    std::vector<std::string> names;
    for (const auto& [name, value] : json.items())
      names.push_back(name);
    return names;
  }
  static void expect_value(const Json& json, const std::string& pointer, double expected) {
    const Json::json_pointer at(pointer);
    ASSERT_TRUE(json.contains(at)) << pointer << " in " << json.dump();
    EXPECT_NEAR(json[at].get<double>(), expected, tolerance * std::max(1.0, expected)) << pointer;
  }
  [[nodiscard]] std::filesystem::path folder() const { return folder_->path() / "out"; }

  Timeline timeline_;
  RunRecord run_;
  AipowermeterOptions options_;

 private:
  Result<TemporaryFolder> folder_ = TemporaryFolder::create("ergo-aipm");
};

TEST_F(Aipowermeter, CpuAndGpuAreWrittenInTheFormatOfTheirMainBranch) {
  add_cpu();
  add_gpus();
  const auto written = write();
  ASSERT_EQ(written.size(), 4U);
  EXPECT_EQ(written[3], "\"END OF RECORDING SEGMENT\"");
  const std::vector<std::string> dates{"2026-03-06 10:00:02.100000", "2026-03-06 10:00:04.100000",
                                       "2026-03-06 10:00:06.100000"};
  for (std::size_t i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    const Json record = Json::parse(written[i]);
    EXPECT_EQ(record.dump(), written[i]) << "one object a line, no blanks";
    EXPECT_THAT(keys(record), ElementsAre("date", "metrics"));
    EXPECT_EQ(record["date"], dates[i]);
    EXPECT_THAT(keys(record["metrics"]), ElementsAre("temperature", "cpu", "gpu"));
    EXPECT_THAT(
        keys(record["metrics"]["cpu"]),
        ElementsAre("per_process_cpu_uses", "absolute_cpu_time_per_pid", "per_process_mem_use_abs",
                    "intel_power", "psys_power", "total_dram_power", "total_cpu_power",
                    "uncore_power", "rel_intel_power", "per_process_cpu_power"));
    EXPECT_THAT(keys(record["metrics"]["gpu"]),
                ElementsAre("nvidia_power", "nvidia_memory", "per_gpu_nvidia_power",
                            "per_gpu_nvidia_use_rate", "per_gpu_nvidia_memory", "nvidia_use_rate"));
    expect_value(record, "/metrics/cpu/per_process_cpu_uses/4242", 0.93);
    expect_value(record, "/metrics/cpu/absolute_cpu_time_per_pid/4242", 1.86);
    expect_value(record, "/metrics/cpu/intel_power", 65.5);
    expect_value(record, "/metrics/cpu/total_dram_power", 11.5);
    expect_value(record, "/metrics/cpu/total_cpu_power", 40.0);
    expect_value(record, "/metrics/cpu/uncore_power", 0.25);
    expect_value(record, "/metrics/cpu/rel_intel_power/4242", 0.93 * 65.5);
    expect_value(record, "/metrics/cpu/per_process_cpu_power/4242", 0.93 * 40.0);
    // The mean of the interval's two ends.
    const double middle = 2.0 + 2.0 * static_cast<double>(i);
    expect_value(record, "/metrics/cpu/per_process_mem_use_abs/4242", 4e9 + 1e6 * middle);
    expect_value(record, "/metrics/gpu/nvidia_power", 215.0);
    expect_value(record, "/metrics/gpu/per_gpu_nvidia_power/0", 195.0);
    expect_value(record, "/metrics/gpu/per_gpu_nvidia_power/1", 20.0);
    expect_value(record, "/metrics/gpu/per_gpu_nvidia_use_rate/0", 92.0);
    expect_value(record, "/metrics/gpu/per_gpu_nvidia_use_rate/1", 0.0);
    expect_value(record, "/metrics/gpu/nvidia_use_rate", 46.0);
    expect_value(record, "/metrics/gpu/per_gpu_nvidia_memory/0", 3e9 + 1e6 * middle);
    expect_value(record, "/metrics/gpu/nvidia_memory", 3.6e9 + 1e6 * middle);
    EXPECT_EQ(record["metrics"]["cpu"]["psys_power"].dump(), "-1");
  }
}

TEST_F(Aipowermeter, CpuOnlyHasNoGpuAndNeedsNoCoresNorDram) {
  add_energy("rapl.powercap", "cpu0", Domain::cpu, 30.0, true);
  const auto written = write();
  ASSERT_EQ(written.size(), 4U);
  const Json record = Json::parse(written[0]);
  EXPECT_THAT(keys(record["metrics"]), ElementsAre("temperature", "cpu"));
  EXPECT_THAT(keys(record["metrics"]["cpu"]), ElementsAre("intel_power", "psys_power"));
  expect_value(record, "/metrics/cpu/intel_power", 30.0);
}

TEST_F(Aipowermeter, WhatABoardDoesNotTellIsNullAndItsSumToo) {
  // Their reader wants the keys and takes null for unknown.
  add_energy("nvml.total_energy", "gpu0", Domain::gpu, 195.0, true);
  add_energy("nvml.total_energy", "gpu1", Domain::gpu, 20.0, true);
  add_signal("gpu0.memory_used", SignalKind::gauge, [](double) { return 3e9; });
  const Json gpu = Json::parse(write()[0])["metrics"]["gpu"];
  EXPECT_EQ(gpu["nvidia_memory"], Json());
  EXPECT_EQ(gpu["per_gpu_nvidia_memory"], (Json{{"0", 3e9}}));
  EXPECT_EQ(gpu["nvidia_use_rate"], Json());
  EXPECT_EQ(gpu["per_gpu_nvidia_use_rate"], Json::object());
}

TEST_F(Aipowermeter, GpuOnlyHasNoCpu) {
  add_gpus();
  const auto written = write();
  ASSERT_EQ(written.size(), 4U);
  EXPECT_THAT(keys(Json::parse(written[0])["metrics"]), ElementsAre("temperature", "gpu"));
  EXPECT_EQ(written[3], "\"END OF RECORDING SEGMENT\"");
}

TEST_F(Aipowermeter, PsysIsWrittenWhereItIsMeasured) {
  add_energy("rapl.perf", "cpu0", Domain::cpu, 30.0, true);
  add_energy("rapl.perf", "psys", Domain::node, 44.0, false);
  expect_value(Json::parse(write()[1]), "/metrics/cpu/psys_power", 44.0);
}

TEST_F(Aipowermeter, PowerTimesIntervalIsTheRunsWholeEnergyHoweverLongItWas) {
  add_energy("nvml.total_energy", "gpu0", Domain::gpu, 100.0, true);
  for (const double duration : {0.3, 1.0, 2.9, 3.1, 5.0, 6.5}) {
    SCOPED_TRACE(duration);
    run_.duration = Seconds(duration);
    const auto written = write();
    const auto records = static_cast<double>(written.size() - 1);
    EXPECT_EQ(records, std::max(1.0, std::round(duration / 2.0)));
    double joules = 0.0;
    for (std::size_t i = 0; i + 1 < written.size(); ++i) {
      const bool last = i + 2 == written.size();
      const double interval = last ? duration - 2.0 * (records - 1.0) : 2.0;
      joules += interval * Json::parse(written[i])["metrics"]["gpu"]["nvidia_power"].get<double>();
    }
    EXPECT_NEAR(joules, 100.0 * duration, 1e-6 * duration);
  }
}

TEST_F(Aipowermeter, AnEstimateIsNotWrittenAsIfItWereMeasured) {
  add_energy("estimate.tdp", "cpu0", Domain::cpu, 30.0, true, Provenance::estimated);
  const auto done = write_aipowermeter(folder(), run_, timeline_, options_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::not_supported);
  EXPECT_THAT(done.error().message, HasSubstr("estimates"));
  EXPECT_FALSE(std::filesystem::exists(folder() / "power_metrics.json"));
  EXPECT_TRUE(std::filesystem::exists(folder() / "metadata.json"));
  add_gpus();
  EXPECT_THAT(keys(Json::parse(write()[0])["metrics"]), ElementsAre("temperature", "gpu"));
}

TEST_F(Aipowermeter, LatenciesAndMetadataAreWrittenAsTheirScriptsDo) {
  add_gpus();
  run_.latencies_s = {0.00125, 0.1, 1.0 / 3.0};
  write();
  EXPECT_THAT(lines("latency.csv"),
              ElementsAre("1.250000000000000026e-03", "1.000000000000000056e-01",
                          "3.333333333333333148e-01"));
  EXPECT_EQ(*read_text(folder() / "metadata.json"),
            "{\"description\":\"alexnet, size 112\",\"date\":\"2026-03-06 10:00:00.100000\"}\n");
  run_.latencies_s.clear();
  write();
  EXPECT_FALSE(std::filesystem::exists(folder() / "latency.csv")) << "left from an earlier run";
}

TEST_F(Aipowermeter, ASimulatedRunStaysSimulatedThroughTheirFormat) {
  add_energy("nvml.total_energy", "gpu0", Domain::gpu, 30.0, true, Provenance::simulated);
  ChannelEnergy gpu;
  gpu.in_total = true;
  gpu.provenance = Provenance::simulated;
  run_.energy = {gpu};
  write();
  EXPECT_THAT(*read_text(folder() / "metadata.json"), HasSubstr("\"provenance\":\"simulated\""));
  const auto imported = import_aipowermeter(folder());
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->record.runs[0].energy[0].provenance, Provenance::simulated);
}

TEST_F(Aipowermeter, WhatIsWrittenIsImportedWithTheSameJoules) {
  add_cpu();
  add_gpus();
  run_.latencies_s = {0.5, 0.25};
  write();
  const auto imported = import_aipowermeter(folder());
  ASSERT_TRUE(imported) << imported.error().text();
  ASSERT_EQ(imported->record.runs.size(), 1U);
  const RunRecord& again = imported->record.runs[0];
  EXPECT_EQ(again.started_unix_ns, run_.started_unix_ns);
  EXPECT_NEAR(again.duration.value(), 6.0, 1e-6);
  EXPECT_EQ(imported->record.name, options_.description);
  EXPECT_EQ(again.latencies_s, run_.latencies_s);
  const std::map<std::string, double> watts{{"cpu0", 65.5},    {"dram0", 11.5}, {"core0", 40.0},
                                            {"uncore0", 0.25}, {"gpu0", 195.0}, {"gpu1", 20.0}};
  EXPECT_EQ(again.energy.size(), watts.size());
  for (const auto& energy : again.energy) {
    ASSERT_TRUE(watts.contains(energy.channel)) << energy.channel;
    EXPECT_NEAR(energy.joules.value(), 6.0 * watts.at(energy.channel), 1e-5) << energy.channel;
  }
}

TEST_F(Aipowermeter, ASweepGoesToTheFoldersTheirScriptsLookFor) {
  RunRecord run;
  EXPECT_EQ(aipowermeter_folder("base", run), "base");
  run.parameters = {{"size", "112"}};
  run.repeat = 3;
  EXPECT_EQ(aipowermeter_folder("base", run), "base/input_112/run_3");
  run.parameters = {{"batch", "8"}, {"model", "a/b_c"}};
  EXPECT_EQ(aipowermeter_folder("base", run), "base/input_8-a-b-c/run_3");
}

TEST_F(Aipowermeter, AFolderThatCannotBeMadeIsReported) {
  add_gpus();
  ASSERT_TRUE(write_text_atomically(folder(), "a file"));
  const auto done = write_aipowermeter(folder() / "x", run_, timeline_, options_);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr(folder().string()));
  options_.period = Seconds(0.0);
  EXPECT_EQ(write_aipowermeter(folder(), run_, timeline_, options_).error().code,
            Errc::invalid_argument);
}

}  // namespace
}  // namespace ergo::report
