#include "ergo/report/plot.hpp"

#include "golden.hpp"

#include <gtest/gtest.h>

namespace ergo::report {
namespace {

RunRecord run_of_size(const std::string& size, int repeat, double joules, double seconds) {
  RunRecord run;
  run.repeat = repeat;
  run.parameters = {{"size", size}};
  run.duration = Seconds(seconds);
  ChannelEnergy gpu;
  gpu.channel = "gpu0";
  gpu.domain = Domain::gpu;
  gpu.provenance = Provenance::simulated;
  gpu.in_total = true;
  gpu.joules = Joules(joules);
  gpu.low = Joules(0.9 * joules);
  gpu.high = Joules(1.1 * joules);
  run.energy = {gpu};
  run.total.measured = gpu.joules;
  run.total.low = gpu.low;
  run.total.high = gpu.high;
  return run;
}

ExperimentRecord sweep_record(const std::vector<std::string>& sizes) {
  ExperimentRecord record;
  record.name = "it's a sweep";
  double joules = 40;
  for (const std::string& size : sizes) {
    record.runs.push_back(run_of_size(size, 0, joules, 1));
    record.runs.push_back(run_of_size(size, 1, joules * 1.02, 1));
    joules *= 4;
  }
  return record;
}

RunTrace trace_with_windows() {
  RunTrace trace;
  trace.label = "size=112 repeat 0";
  trace.duration_s = 3;
  trace.channels = {
      {"gpu0", "nvml.power_instant", Provenance::simulated, {{0, 50}, {1, 200}, {3, 60}}}};
  WindowRecord epoch;
  epoch.name = "epoch";
  epoch.start = Seconds(0.5);
  epoch.duration = Seconds(2);
  trace.windows = {epoch};
  return trace;
}

TEST(Plot, EnergyAgainstTheAxis) {
  const auto figure = axis_figure(study_results(sweep_record({"112", "224", "448"})), {});
  ASSERT_TRUE(figure);
  testing::expect_golden("plot_energy.gp",
                         gnuplot_script(*figure, FigureFormat::svg, "energy.svg"));
}

TEST(Plot, PowerOverTimeWithItsWindows) {
  const auto figure = power_figure(trace_with_windows());
  ASSERT_TRUE(figure);
  testing::expect_golden("plot_power.gp", gnuplot_script(*figure, FigureFormat::png, "power.png"));
}

TEST(Plot, EnergyAgainstLatency) {
  const auto figure = latency_figure(study_results(sweep_record({"112", "224"})), {});
  ASSERT_TRUE(figure);
  testing::expect_golden("plot_latency.gp", gnuplot_script(*figure, FigureFormat::script));
}

TEST(Plot, ValuesThatAreNoNumbersAreCategories) {
  const auto figure = axis_figure(study_results(sweep_record({"relu", "gelu"})), {});
  ASSERT_TRUE(figure);
  EXPECT_EQ(figure->categories, (std::vector<std::string>{"gelu", "relu"}));
  EXPECT_NE(gnuplot_script(*figure, FigureFormat::script).find("set xtics ('gelu' 0, 'relu' 1)"),
            std::string::npos);
}

TEST(Plot, ASimulatedSeriesSaysSo) {
  const auto figure = axis_figure(study_results(sweep_record({"1", "2"})), {});
  EXPECT_NE(figure->series.at(0).label.find("(simulated)"), std::string::npos);
}

TEST(Plot, TextCannotLeaveItsQuotes) {
  Figure figure;
  figure.title = "a'b\n!rm \\ \"c\"";
  const std::string script = gnuplot_script(figure, FigureFormat::script);
  EXPECT_NE(script.find("set title 'a''b !rm \\ \"c\"' noenhanced\n"), std::string::npos);
}

TEST(Plot, AnUnknownQuantityIsAnsweredWithThoseThereAre) {
  const auto results = study_results(sweep_record({"1", "2"}));
  const auto figure = axis_figure(results, {"nonsense"});
  ASSERT_FALSE(figure);
  EXPECT_NE(figure.error().remedy.find("nvidia_draw_absolute"), std::string::npos);
  EXPECT_FALSE(axis_figure(results, {"time_s", "energy_j"})) << "two units in one figure";
  EXPECT_TRUE(axis_figure(results, {"time_s"}));
}

TEST(Plot, WithoutReadingsThereIsNoFigure) {
  EXPECT_FALSE(power_figure(RunTrace{}));
  EXPECT_FALSE(axis_figure(StudyResults{}, {}));
  EXPECT_FALSE(latency_figure(StudyResults{}, {}));
}

}  // namespace
}  // namespace ergo::report
