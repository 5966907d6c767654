#include "ergo/store/store.hpp"
#include "import_files.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace ergo {
namespace {

using ::testing::HasSubstr;

std::string date(double s) {
  const int whole = static_cast<int>(s);
  return fmt::format("2020-12-05 14:{:02}:{:02}.{:06}", whole / 60, whole % 60,
                     static_cast<int>((s - whole) * 1e6 + 0.5));
}

class ImportGpyjoules : public ImportTest {
 protected:
  /// 100 s of a GPU at 200 W, epochs of 20 s from 5 s on; the counter starts at 10^6 mJ.
  void put_repetition(const std::string& folder, double watts = 200.0) {
    std::string power =
        ",timestamp,clock-mem,clock-gpu,enforced-power-limit,total-energy,power,tmp,util-gpu,util-"
        "mem\n";
    for (int i = 0; i <= 667; ++i) {
      const double s = i * 0.15;
      power += fmt::format("{},{},877,1380,250000,{:.0f},{:.0f},60,95,40\n", i, date(s),
                           1e6 + watts * 1000.0 * s, watts * 1000.0);
    }
    put(folder + "/gpu-power.csv", power);
    std::string events = ",timestamp,event,data\n";
    events += fmt::format("0,{},experiment_begin,0\n1,{},train_begin,0\n", date(1.0), date(5.0));
    for (int epoch = 0; epoch < 4; ++epoch) {
      events += fmt::format("2,{},epoch_begin,{}\n3,{},epoch_end,{}\n", date(5.0 + 20.0 * epoch),
                            epoch, date(25.0 + 20.0 * epoch), epoch);
    }
    events += fmt::format("8,{},train_end,0\n9,{},experiment_end,0\n", date(85.0), date(91.0));
    put(folder + "/timestamps.csv", events);
    put(folder + "/system_info.json",
        R"({"device_name": "Tesla V100-SXM2-32GB", "platform": "Linux-4.15", "effective_power_limit": 250000})");
  }
};

TEST_F(ImportGpyjoules, ARepetitionBecomesARunWithItsEpochs) {
  put_repetition("power-limit/mnist-cnn/250W/3");
  const auto imported = import_recording(root());
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->origin, "gpyjoules");
  EXPECT_EQ(imported->record.name, "power-limit");
  ASSERT_EQ(imported->record.host.gpus.size(), 1U);
  EXPECT_EQ(imported->record.host.gpus[0].name, "Tesla V100-SXM2-32GB");
  ASSERT_EQ(imported->record.runs.size(), 1U);
  const RunRecord& run = imported->record.runs[0];
  EXPECT_EQ(run.repeat, 3);
  EXPECT_EQ(run.parameters.at("workload"), "mnist-cnn");
  EXPECT_FALSE(run.parameters.contains("setting"));
  ASSERT_TRUE(run.power_limit);
  EXPECT_DOUBLE_EQ(run.power_limit->value(), 250.0);
  EXPECT_NEAR(run.duration.value(), 90.0, 1e-6);
  const auto* gpu = channel(run.energy, "gpu0");
  ASSERT_NE(gpu, nullptr);
  EXPECT_EQ(gpu->source, "gpyjoules.total_energy");
  EXPECT_NEAR(gpu->joules.value(), 18000.0, 1.0);
  EXPECT_NEAR(alternative(*gpu, "gpyjoules.power"), 18000.0, 1.0);
  int epochs = 0;
  for (const auto& window : run.windows) {
    if (window.name != "epoch") continue;
    EXPECT_EQ(window.index, epochs++);
    EXPECT_NEAR(window.duration.value(), 20.0, 1e-6);
    EXPECT_NEAR(channel(window.energy, "gpu0")->joules.value(), 4000.0, 1.0);
  }
  EXPECT_EQ(epochs, 4);
}

TEST_F(ImportGpyjoules, ARunOverWhichTheLimitChangedIsInvalid) {
  put_repetition("x/mnist-cnn/250W/0");
  std::string power = ",timestamp,enforced-power-limit,power\n";
  for (int i = 0; i <= 100; ++i)
    power += fmt::format("{},{},{},200000\n", i, date(i), i < 70 ? 250000 : 200000);
  put("x/mnist-cnn/250W/0/gpu-power.csv", power);
  const auto imported = import_gpyjoules(root());
  ASSERT_TRUE(imported) << imported.error().text();
  ASSERT_TRUE(imported->record.runs[0].invalid);
  EXPECT_THAT(*imported->record.runs[0].invalid, HasSubstr("between 200 W and 250 W"));
}

TEST_F(ImportGpyjoules, TheirWindowOfAnalysisIsTheItemsAndTheirFormulaStandsBeside) {
  put_repetition("x/mnist-cnn/250W/0");
  const auto imported = import_gpyjoules(root() / "x" / "mnist-cnn" / "250W" / "0");
  ASSERT_TRUE(imported) << imported.error().text();
  const RunRecord& run = imported->record.runs[0];
  ASSERT_TRUE(run.items);
  EXPECT_EQ(run.items->window, "gpyjoules.steady");
  EXPECT_EQ(run.items->count, 2) << "epochs 1 and 2 of four";
  EXPECT_NEAR(run.items->duration.value(), 40.0, 1e-6);
  EXPECT_NEAR(run.items->total.measured->value(), 8000.0, 2.0);
  const auto& window = run.windows.back();
  EXPECT_EQ(window.name, "gpyjoules.steady");
  // 25 s … 65 s, readings each 0.15 s: 25.05 … 64.95.
  EXPECT_NEAR(alternative(*channel(window.energy, "gpu0"), "gpyjoules.trapezoid"), 200.0 * 39.9,
              0.1);
  EXPECT_THAT(run.warnings.back(), HasSubstr("leaves out the pieces"));
}

TEST_F(ImportGpyjoules, TheDriversBufferAndTheMetersAreAlignedAndInWatts) {
  put_repetition("x/nbody/877MHz,1530MHz/0");
  // Local time is UTC+1: 14:00:00 there is 13:00:00 UTC = 1607173200.
  std::string samples = ",timestamp,value\n";
  for (int i = 0; i < 5000; ++i)
    samples += fmt::format("{},{},{}\n", i, 1607173200000000 + i * 20000LL, 210000);
  put("x/nbody/877MHz,1530MHz/0/total_power_samples.csv", samples);
  std::string external = ",timestamp,d0c0,d0c1,d1c0,d1c1\n";
  for (int i = 0; i < 5000; ++i)
    external += fmt::format("{},{},100000,200000,300000,\n", i, date(i * 0.02));
  put("x/nbody/877MHz,1530MHz/0/power-external.csv", external);
  auto imported = import_gpyjoules(root());
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->record.runs[0].parameters.at("setting"), "877MHz,1530MHz");
  const auto* gpu = channel(imported->record.runs[0].energy, "gpu0");
  EXPECT_NEAR(alternative(*gpu, "gpyjoules.total_power_samples"), 210.0 * 90.0, 5.0);
  EXPECT_EQ(channel(imported->record.runs[0].energy, "node"), nullptr)
      << "one channel was never read";
  external = ",timestamp,d0c0,d0c1,d1c0,d1c1\n";
  for (int i = 0; i < 5000; ++i)
    external += fmt::format("{},{},100000,200000,300000,50000\n", i, date(i * 0.02));
  put("x/nbody/877MHz,1530MHz/0/power-external.csv", external);
  imported = import_gpyjoules(root());
  ASSERT_TRUE(imported);
  const auto* node = channel(imported->record.runs[0].energy, "node");
  ASSERT_NE(node, nullptr);
  EXPECT_NEAR(node->joules.value(), 650.0 * 90.0, 5.0);
}

TEST_F(ImportGpyjoules, BaselinesAreLeftOutWithANoteAndRepetitionsKeepTheirOrder) {
  put_repetition("pl/resnet/150W/10", 140.0);
  put_repetition("pl/resnet/150W/9", 150.0);
  put_repetition("pl/_baseline/x/0");
  const auto imported = import_gpyjoules(root());
  ASSERT_TRUE(imported) << imported.error().text();
  ASSERT_EQ(imported->record.runs.size(), 2U);
  EXPECT_EQ(imported->record.runs[0].repeat, 9);
  EXPECT_EQ(imported->record.runs[1].repeat, 10);
  ASSERT_EQ(imported->notes.size(), 1U);
  EXPECT_THAT(imported->notes[0], HasSubstr("_baseline"));
}

TEST_F(ImportGpyjoules, WithoutACounterOrEventsThePolledPowerIsUsedOverItsSpan) {
  std::string power = ",timestamp,power\n";
  for (int i = 0; i <= 100; ++i)
    power += fmt::format("{},{},{}\n", i, date(i * 0.15), 70000);
  put("t4/bert/70W/0/gpu-power.csv", power);
  const auto imported = import_gpyjoules(root());
  ASSERT_TRUE(imported) << imported.error().text();
  const RunRecord& run = imported->record.runs[0];
  EXPECT_NEAR(run.duration.value(), 15.0, 1e-6);
  EXPECT_NEAR(channel(run.energy, "gpu0")->joules.value(), 1050.0, 0.1);
  EXPECT_DOUBLE_EQ(run.power_limit->value(), 70.0);
  EXPECT_FALSE(run.items) << "no epochs, no items";
}

TEST_F(ImportGpyjoules, BadInputNamesFileAndLine) {
  put_repetition("x/m/250W/0");
  const auto error = [&](const std::string& name, const std::string& text) {
    put_repetition("x/m/250W/0");
    const auto file = put("x/m/250W/0/" + name, text);
    const auto imported = import_gpyjoules(root());
    EXPECT_FALSE(imported) << text;
    std::filesystem::remove(file);
    if (imported) return std::string();
    EXPECT_EQ(imported.error().code, Errc::corrupt);
    return imported.error().text();
  };
  EXPECT_THAT(error("gpu-power.csv", ""), HasSubstr("gpu-power.csv:1: the file is empty"));
  EXPECT_THAT(error("gpu-power.csv", ",time,power\n0,1,2\n"),
              HasSubstr(":1: the column 'timestamp' is missing"));
  EXPECT_THAT(error("gpu-power.csv", ",timestamp,power\n0," + date(0) + ",12\n1,yesterday,3\n"),
              HasSubstr("gpu-power.csv:3: 'yesterday' is not a date"));
  EXPECT_THAT(
      error("gpu-power.csv", ",timestamp,power\n0," + date(0) + ",12\n1," + date(1) + ",watt\n"),
      HasSubstr(":3: 'watt' in column 'power' is not a number"));
  EXPECT_THAT(error("gpu-power.csv", ",timestamp,power\n0," + date(0) + ",12\n1,2020-"),
              HasSubstr(":3: 2 fields where the header has 3: the file was cut off here"));
  EXPECT_THAT(error("gpu-power.csv", ",timestamp,tmp\n0," + date(0) + ",12\n"),
              HasSubstr("no readings of 'power'"));
  EXPECT_THAT(error("timestamps.csv", "a,b\n"),
              HasSubstr("timestamps.csv:1: the column 'timestamp'"));
  EXPECT_THAT(error("total_power_samples.csv", ",timestamp,value\n0,1e30,5\n"),
              HasSubstr(":2: the timestamp"));
}

}  // namespace
}  // namespace ergo
