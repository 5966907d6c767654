#include "ergo/report/export_csv.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/model/table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ChannelEnergy channel(const std::string& name, Domain domain, double joules,
                      Provenance provenance = Provenance::measured) {
  ChannelEnergy energy;
  energy.channel = name;
  energy.domain = domain;
  energy.device = name;
  energy.source = "source";
  energy.provenance = provenance;
  energy.in_total = true;
  energy.joules = Joules(joules);
  energy.low = Joules(joules * 0.5);
  energy.high = Joules(joules * 2.0);
  energy.mean = Watts(joules / 4.0);
  return energy;
}

/// A run of 4 s: gpu0 400 J, cpu0 100 J.
RunRecord gpu_run(int index) {
  RunRecord run;
  run.index = index;
  run.repeat = index;
  run.duration = Seconds(4.0);
  run.energy = {channel("gpu0", Domain::gpu, 400.0), channel("cpu0", Domain::cpu, 100.0)};
  run.energy[0].idle = Joules(120.0);
  run.total = {Joules(500.0), Joules(250.0), Joules(1000.0), std::nullopt};
  run.metrics = {{"gpu0.sm_utilization", "%", 75.0, 99.0},
                 {"gpu0.sm_clock", "MHz", 1200.0, 1500.0},
                 {"gpu0.power_capped", "1", 0.25, 1.0}};
  run.parameters = {{"size", "112"}};
  run.power_limit = Watts(250.0);
  return run;
}

ExperimentRecord experiment() {
  ExperimentRecord record;
  record.name = "alexnet";
  record.host.gpus = {{0, "GPU-1", "Tesla V100", 300.0, false}};
  record.runs = {gpu_run(0)};
  return record;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  for (const auto line : split(text, '\n'))
    all.emplace_back(line);
  EXPECT_EQ(all.back(), "");
  all.pop_back();
  return all;
}

TEST(SweepCsv, HasOneRowPerRunWithItsParametersAndTotals) {
  auto record = experiment();
  record.runs.push_back(gpu_run(1));
  record.runs[1].latency = LatencySummary{10, Seconds(0.5), Seconds(0.75), Seconds(1.0)};
  EXPECT_THAT(lines(sweep_csv(std::span(&record, 1))),
              ElementsAre("experiment,run,repeat,size,gpu,workload,power_limit_w,duration_s,count,"
                          "time_s,energy_j,low_j,high_j,provenance,status,latency_median_s,"
                          "latency_p95_s,power_capped,cpu0_j,gpu0_j,"
                          "cpu0_low_j,cpu0_high_j,gpu0_low_j,gpu0_high_j",
                          "alexnet,0,0,112,Tesla V100,alexnet,250,4,,4,500,250,1000,measured,done,,"
                          ",0.25,100,400,50,200,200,800",
                          "alexnet,1,1,112,Tesla V100,alexnet,250,4,,4,500,250,1000,measured,done,"
                          "0.5,0.75,0.25,100,400,50,200,200,800"));
}

TEST(SweepCsv, TimeAndEnergyArePerItemWhenTheRunHadACount) {
  auto record = experiment();
  record.runs[0].items = ItemsRecord{"inference",
                                     8,
                                     Seconds(2.0),
                                     {Joules(320.0), Joules(160.0), Joules(640.0), std::nullopt},
                                     {channel("gpu0", Domain::gpu, 240.0)}};
  EXPECT_THAT(lines(sweep_csv(std::span(&record, 1)))[1],
              "alexnet,0,0,112,Tesla V100,alexnet,250,4,8,0.25,40,20,80,measured,done,,,0.25,30,"
              "15,60");
}

TEST(SweepCsv, WithoutAMeterTheEstimateStandsWithItsProvenance) {
  auto record = experiment();
  auto& run = record.runs[0];
  run.energy = {channel("cpu0", Domain::cpu, 100.0, Provenance::estimated)};
  run.total = total_of(run.energy);
  EXPECT_THAT(lines(sweep_csv(std::span(&record, 1)))[1],
              HasSubstr(",4,100,50,200,estimated,done,"));
  run.energy[0].provenance = Provenance::simulated;
  run.total = {Joules(100.0), Joules(50.0), Joules(200.0), std::nullopt};
  EXPECT_THAT(lines(sweep_csv(std::span(&record, 1)))[1],
              HasSubstr(",4,100,50,200,simulated,done,"));
  run.energy.clear();
  run.total = {};
  EXPECT_THAT(lines(sweep_csv(std::span(&record, 1)))[1], HasSubstr(",4,,,,,done,"))
      << "not measured is empty, never 0";
}

TEST(SweepCsv, FailedAndInvalidRunsAreListedWithoutNumbersAndWarmupsAreNot) {
  auto record = experiment();
  record.runs = {gpu_run(0), gpu_run(1), gpu_run(2), gpu_run(3)};
  record.runs[0].warmup = true;
  record.runs[1].exit_code = 3;
  record.runs[2].invalid = "the limit was changed";
  const auto rows = lines(sweep_csv(std::span(&record, 1)));
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_THAT(rows[1], HasSubstr(",250,4,,,,,,,failed,,,,"));
  EXPECT_THAT(rows[2], HasSubstr(",250,4,,,,,,,invalid,,,,"));
  EXPECT_THAT(rows[3], HasSubstr("measured,done"));
}

TEST(SweepCsv, QuotesWhatNeedsItAndKeepsColumnsApart) {
  auto record = experiment();
  record.name = "a \"b\", c";
  record.runs[0].parameters = {{"run", "7"}, {"text", "x,y\nz"}, {"workload", "bert"}};
  const auto text = sweep_csv(std::span(&record, 1));
  EXPECT_TRUE(text.starts_with("experiment,run,repeat,param.run,text,gpu,workload,")) << text;
  EXPECT_THAT(text, HasSubstr("\"a \"\"b\"\", c\",0,0,7,\"x,y\nz\",Tesla V100,bert,"));
}

TEST(SweepCsv, ExperimentsWithDifferentParametersShareOneTable) {
  std::vector<ExperimentRecord> records{experiment(), experiment()};
  records[1].runs[0].parameters = {{"batch", "8"}};
  const auto rows = lines(sweep_csv(records));
  EXPECT_TRUE(rows[0].starts_with("experiment,run,repeat,batch,size,gpu,")) << rows[0];
  EXPECT_TRUE(rows[1].starts_with("alexnet,0,0,,112,")) << rows[1];
  EXPECT_TRUE(rows[2].starts_with("alexnet,0,0,8,,")) << rows[2];
}

TEST(ModelCsv, HoldsTheGpusJoulesAloneAndReadsBackAsAModelTable) {
  auto record = experiment();
  const auto text = model_csv(std::span(&record, 1));
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_TRUE(text->starts_with("gpu,workload,config,power_limit_w,time_s,energy_j")) << *text;
  const auto table = parse_sweep_table(*text, "test");
  ASSERT_TRUE(table) << table.error().text();
  ASSERT_EQ(table->size(), 1U);
  const SweepRow& row = table->front();
  EXPECT_EQ(row.gpu, "Tesla V100");
  EXPECT_EQ(row.workload, "alexnet");
  EXPECT_EQ(row.config, "size=112");
  EXPECT_EQ(row.power_limit_w, 250.0);
  EXPECT_EQ(row.time_s, 4.0);
  EXPECT_EQ(row.energy_j, 400.0);
  EXPECT_EQ(row.host_energy_j, 100.0);
  EXPECT_EQ(row.idle_w, 30.0);
  EXPECT_EQ(row.utilization, 0.75);
  EXPECT_EQ(row.clock_mhz, 1200.0);
  EXPECT_EQ(row.repeat, 0);
}

TEST(ModelCsv, AMeterOfTheWholeMachineCountsForTheHostBeyondTheGpus) {
  const auto host_of = [](double machine_j, Provenance provenance) {
    auto record = experiment();
    auto meter = channel("node", Domain::node, machine_j);
    meter.in_total = false;
    meter.provenance = provenance;
    record.runs[0].energy.push_back(meter);
    const auto table = parse_sweep_table(*model_csv(std::span(&record, 1)), "test");
    return table->front().host_energy_j;
  };
  EXPECT_EQ(host_of(650.0, Provenance::measured), 250.0) << "fans and losses are the host's, too";
  EXPECT_EQ(host_of(450.0, Provenance::measured), 100.0)
      << "less than GPU, CPU and memory: it meters something else";
  EXPECT_EQ(host_of(650.0, Provenance::estimated), 100.0);
}

TEST(ModelCsv, SaysWhetherARowIsSimulated) {
  auto record = experiment();
  EXPECT_THAT(*model_csv(std::span(&record, 1)), HasSubstr(",measured\n"));
  for (ChannelEnergy& e : record.runs[0].energy)
    e.provenance = Provenance::simulated;
  const auto text = model_csv(std::span(&record, 1));
  EXPECT_THAT(*text, HasSubstr(",provenance\n"));
  EXPECT_THAT(*text, HasSubstr(",simulated\n"));
  EXPECT_TRUE(parse_sweep_table(*text, "test")) << "models do not mind";
}

TEST(SweepCsv, TheLimitIsThatOfOneGpuAndNoParameterOfItsOwn) {
  auto record = experiment();
  record.host.gpus.push_back({1, "GPU-2", "Tesla V100", 200.0, false});
  auto& run = record.runs[0];
  run.energy.push_back(channel("gpu1", Domain::gpu, 50.0));
  run.parameters["power_limit_w"] = "260";
  const auto table = lines(sweep_csv(std::span(&record, 1)));
  EXPECT_TRUE(table[0].starts_with("experiment,run,repeat,size,gpu,workload,power_limit_w,"));
  EXPECT_TRUE(table[1].starts_with("alexnet,0,0,112,2x Tesla V100,alexnet,250,")) << table[1];
  const auto model = parse_sweep_table(*model_csv(std::span(&record, 1)), "test");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->front().power_limit_w, 500.0) << "both together";
  EXPECT_EQ(model->front().config, "size=112") << "a limit makes no other configuration";
}

TEST(ModelCsv, TakesTheLimitFoundWhenNoneWasSetAndSumsSeveralGpus) {
  auto record = experiment();
  record.host.gpus.push_back({1, "GPU-2", "Tesla V100", 200.0, false});
  auto& run = record.runs[0];
  run.power_limit.reset();
  run.energy.push_back(channel("gpu1", Domain::gpu, 50.0));
  const auto table = parse_sweep_table(*model_csv(std::span(&record, 1)), "test");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->front().gpu, "2x Tesla V100");
  EXPECT_EQ(table->front().power_limit_w, 500.0);
  EXPECT_EQ(table->front().energy_j, 450.0);
  EXPECT_FALSE(table->front().idle_w) << "gpu1 has no baseline";
  EXPECT_FALSE(table->front().utilization) << "gpu1 has no reading";
}

TEST(ModelCsv, LeavesOutWhatAModelMustNotLearnFrom) {
  auto record = experiment();
  record.runs = {gpu_run(0), gpu_run(1), gpu_run(2), gpu_run(3)};
  record.runs[0].warmup = true;
  record.runs[1].exit_code = 1;
  record.runs[2].invalid = "clamped";
  record.runs[3].energy[0].provenance = Provenance::estimated;
  const auto text = model_csv(std::span(&record, 1));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Errc::not_supported);
  EXPECT_THAT(text.error().remedy, HasSubstr("--power-limits"));
}

TEST(RunCsv, HasOneRowPerWindowAndChannel) {
  auto record = experiment();
  WindowRecord epoch;
  epoch.name = "epoch";
  epoch.index = 1;
  epoch.start = Seconds(0.5);
  epoch.duration = Seconds(2.0);
  epoch.count = 469;
  epoch.energy = {channel("gpu0", Domain::gpu, 200.0)};
  record.runs[0].windows = {epoch};
  EXPECT_THAT(
      lines(run_csv(record)),
      ElementsAre(
          "experiment,run,repeat,warmup,exit_code,window,window_index,start_s,duration_s,"
          "count,channel,domain,provenance,source,joules,low_j,high_j,mean_w,max_w,idle_j,"
          "net_j,process_j,net_low_j,net_high_j",
          "alexnet,0,0,0,0,,0,0,4,,gpu0,gpu,measured,source,400,200,800,100,,120,,,,",
          "alexnet,0,0,0,0,,0,0,4,,cpu0,cpu,measured,source,100,50,200,25,,,,,,",
          "alexnet,0,0,0,0,epoch,1,0.5,2,469,gpu0,gpu,measured,source,200,100,400,50,,,,,,"));
  record.runs.clear();
  EXPECT_EQ(lines(run_csv(record)).size(), 1U);
}

}  // namespace
}  // namespace ergo::report
