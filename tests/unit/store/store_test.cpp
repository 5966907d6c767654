#include "ergo/store/store.hpp"

#include "compare_records.hpp"
#include "ergo/core/files.hpp"
#include "sample_records.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace ergo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  Result<Store> open(Store::Mode mode = Store::Mode::create) { return Store::open(file(), mode); }
  [[nodiscard]] std::filesystem::path file() const { return folder_->path() / "ergo.db"; }

 private:
  Result<TemporaryFolder> folder_ = TemporaryFolder::create("ergo-store");
};

TEST_F(StoreTest, AnExperimentComesBackAsItWasSaved) {
  const auto record = testing::full_experiment(3);
  {
    auto store = open();
    ASSERT_TRUE(store) << store.error().text();
    const auto id = store->save(record);
    ASSERT_TRUE(id) << id.error().text();
  }
  auto store = open(Store::Mode::read);
  ASSERT_TRUE(store) << store.error().text();
  const auto loaded = store->load_experiment(1);
  ASSERT_TRUE(loaded) << loaded.error().text();
  expect_equal(*loaded, record);
}

TEST_F(StoreTest, WhatWasNotMeasuredStaysAbsent) {
  ExperimentRecord record;
  record.runs.emplace_back();
  record.runs[0].energy = {testing::cpu_energy(1.0)};
  auto store = open();
  ASSERT_TRUE(store);
  const auto id = store->save(record);
  ASSERT_TRUE(id);
  const auto loaded = store->load_experiment(*id);
  ASSERT_TRUE(loaded);
  const RunRecord& run = loaded->runs[0];
  EXPECT_FALSE(run.total.measured);
  EXPECT_FALSE(run.total.estimated);
  EXPECT_FALSE(run.energy[0].max);
  EXPECT_FALSE(run.energy[0].net);
  EXPECT_FALSE(run.items);
  EXPECT_FALSE(run.latency);
  EXPECT_FALSE(run.power_limit);
  EXPECT_FALSE(run.signal);
  expect_equal(*loaded, record);
}

TEST_F(StoreTest, SamplesComeBackBitForBit) {
  auto store = open();
  ASSERT_TRUE(store);
  const auto experiment = store->begin_experiment(testing::full_experiment(0));
  ASSERT_TRUE(experiment);
  auto writer = store->begin_run(*experiment, RunPlan{});
  ASSERT_TRUE(writer);
  const SignalInfo info = testing::power_signal();
  std::vector<Sample> given;
  for (int i = 0; i < 10'000; ++i) {
    given.push_back({Instant{1'000'000'007LL * i}, i / 3.0, 1e-6F * static_cast<float>(i)});
    (*writer)->append(info, given.back());
  }
  given.push_back({Instant{std::numeric_limits<std::int64_t>::max()}, -1e300, 0.5F});
  (*writer)->append(info, given.back());
  ASSERT_TRUE((*writer)->finish(RunRecord{}));
  const auto samples = store->load_samples((*writer)->id(), info.name);
  ASSERT_TRUE(samples);
  ASSERT_EQ(samples->size(), given.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    ASSERT_EQ((*samples)[i].time, given[i].time);
    ASSERT_EQ((*samples)[i].value, given[i].value);
    ASSERT_EQ((*samples)[i].half_width_s, given[i].half_width_s);
  }
  const auto signals = store->signals((*writer)->id());
  ASSERT_TRUE(signals);
  ASSERT_EQ(signals->size(), 1U);
  expect_equal(signals->front(), info);
}

TEST_F(StoreTest, TheObserverSavesWhatATimelineHoldsGapsIncluded) {
  auto store = open();
  ASSERT_TRUE(store);
  const auto experiment = store->begin_experiment(testing::full_experiment(0));
  auto writer = store->begin_run(*experiment, RunPlan{});
  ASSERT_TRUE(writer);
  Timeline timeline;
  const SignalId gpu0 = timeline.add(testing::power_signal("gpu0"));
  const SignalId gpu1 = timeline.add(testing::power_signal("gpu1"));
  {
    const auto observer = (*writer)->observer();
    for (int i = 0; i < 100; ++i) {
      const SignalId id = i % 2 == 0 ? gpu1 : gpu0;
      const Sample sample{Instant{i * 1000}, i * 1.0, 0.0F};
      timeline.append(id, sample);
      observer(timeline, id, sample);
    }
  }
  (*writer)->append_gap("nvml.power_instant@gpu1", Instant{10}, Instant{20}, "fell off the bus");
  (*writer)->append_gap(std::nullopt, Instant{30}, Instant{40}, "asleep");
  ASSERT_TRUE((*writer)->flush());
  const auto copy = store->load_timeline((*writer)->id());
  ASSERT_TRUE(copy) << copy.error().text();
  for (const char* name : {"nvml.power_instant@gpu0", "nvml.power_instant@gpu1"}) {
    const auto id = (*copy)->find(name);
    ASSERT_TRUE(id) << name;
    EXPECT_EQ((*copy)->sample_count(*id), 50U);
    EXPECT_EQ((*copy)->last(*id)->value, timeline.last(*timeline.find(name))->value);
  }
  const auto gaps = (*copy)->gaps();
  ASSERT_EQ(gaps.size(), 2U);
  EXPECT_EQ(gaps[0].signal, (*copy)->find("nvml.power_instant@gpu1"));
  EXPECT_EQ(gaps[0].reason, "fell off the bus");
  EXPECT_FALSE(gaps[1].signal);
  EXPECT_EQ(gaps[1].to, Instant{40});
}

TEST_F(StoreTest, EventsComeBackInOrderOfTime) {
  auto store = open();
  const auto experiment = store->begin_experiment(testing::full_experiment(0));
  auto writer = store->begin_run(*experiment, RunPlan{});
  (*writer)->append_event({Instant{20}, "limit", "250 W"});
  (*writer)->append_event({Instant{10}, "checkpoint", ""});
  ASSERT_TRUE((*writer)->finish(RunRecord{}));
  const auto events = store->load_events((*writer)->id());
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ((*events)[0].name, "checkpoint");
  EXPECT_EQ((*events)[1].detail, "250 W");
}

TEST_F(StoreTest, AWriterThatGoesWithoutAnEndLeavesAnInterruptedRunWithItsSamples) {
  auto store = open();
  const auto experiment = store->begin_experiment(testing::full_experiment(0));
  RunPlan plan;
  plan.begin = Instant{1'000'000'000};
  plan.cell.parameters = {{"size", "224"}};
  {
    auto writer = store->begin_run(*experiment, plan);
    ASSERT_TRUE(writer);
    WindowRecord window;
    window.name = "epoch";
    window.duration = Seconds(1.0);
    (*writer)->append_window(window);
    (*writer)->append(testing::power_signal(), {Instant{1'500'000'000}, 100.0, 0.0F});
    (*writer)->append(testing::power_signal(), {Instant{4'000'000'000}, 100.0, 0.0F});
  }
  const auto runs = store->runs(*experiment);
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 1U);
  EXPECT_EQ(runs->front().status, RunStatus::interrupted);
  EXPECT_EQ(runs->front().samples, 2U);
  const auto record = store->load_experiment(*experiment);
  ASSERT_TRUE(record);
  const RunRecord& run = record->runs[0];
  ASSERT_TRUE(run.invalid);
  EXPECT_THAT(*run.invalid, HasSubstr("interrupted"));
  EXPECT_DOUBLE_EQ(run.duration.value(), 3.0);
  EXPECT_FALSE(run.total.measured);
  ASSERT_EQ(run.windows.size(), 1U);
  EXPECT_EQ(run.windows[0].name, "epoch");
  EXPECT_THAT(*store->finished_cells(*experiment), ::testing::IsEmpty());
}

TEST_F(StoreTest, FinishingReplacesTheWindowsSavedOnTheWay) {
  auto store = open();
  const auto experiment = store->begin_experiment(testing::full_experiment(0));
  auto writer = store->begin_run(*experiment, RunPlan{});
  (*writer)->append_window(WindowRecord{});
  ASSERT_TRUE((*writer)->flush());
  const RunRecord given = testing::full_run(0);
  ASSERT_TRUE((*writer)->finish(given));
  const auto loaded = store->load_experiment(*experiment);
  ASSERT_TRUE(loaded);
  expect_equal(loaded->runs[0], given);
}

TEST_F(StoreTest, ASweepKnowsWhichCellsNeedNotRunAgain) {
  auto store = open();
  const auto experiment = store->begin_experiment(testing::full_experiment(0), R"({"grid":1})");
  const auto run = [&](const std::string& size, int repeat, auto change) {
    RunPlan plan;
    plan.index = repeat;
    plan.cell = Cell{{{"size", size}}, Watts(250.0), repeat, false};
    auto writer = store->begin_run(*experiment, plan);
    ASSERT_TRUE(writer);
    RunRecord record;
    record.repeat = repeat;
    change(record);
    ASSERT_TRUE((*writer)->finish(record));
  };
  run("112", 0, [](RunRecord&) {});
  run("112", 1, [](RunRecord& r) { r.exit_code = 3; });
  run("224", 2, [](RunRecord& r) { r.invalid = "the limit was changed"; });
  { auto abandoned = store->begin_run(*experiment, RunPlan{}); }
  const auto cells = store->finished_cells(*experiment);
  ASSERT_TRUE(cells);
  EXPECT_THAT(*cells, ElementsAre(Cell{{{"size", "112"}}, Watts(250.0), 0, false},
                                  Cell{{{"size", "112"}}, Watts(250.0), 1, false}));
  const auto unfinished = store->find_unfinished(R"({"grid":1})");
  ASSERT_TRUE(unfinished);
  ASSERT_TRUE(unfinished->has_value());
  EXPECT_EQ((*unfinished)->id, *experiment);
  ASSERT_TRUE(store->finish_experiment(*experiment, SummaryRecord{}));
  EXPECT_FALSE(store->find_unfinished(R"({"grid":1})")->has_value());
  EXPECT_FALSE(store->find_unfinished(R"({"grid":2})")->has_value());
}

TEST_F(StoreTest, AFullQueueDropsAndCountsAndSaysSo) {
  auto store = Store::open(file(), Store::Mode::create, StoreOptions{50, 10});
  const auto experiment = store->begin_experiment(testing::full_experiment(0));
  auto writer = store->begin_run(*experiment, RunPlan{});
  // The writer may commit in between, so more than two queues' worth is given at once.
  std::size_t given = 0;
  while ((*writer)->dropped() == 0) {
    (*writer)->append(testing::power_signal(),
                      {Instant{static_cast<std::int64_t>(++given)}, 1.0, 0.0F});
  }
  ASSERT_TRUE((*writer)->finish(RunRecord{}));
  const auto loaded = store->load_experiment(*experiment);
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->runs[0].warnings.size(), 1U);
  EXPECT_THAT(loaded->runs[0].warnings[0], HasSubstr("samples are not in the store"));
  const auto samples = store->load_samples((*writer)->id(), testing::power_signal().name);
  EXPECT_EQ(samples->size() + (*writer)->dropped(), given);
}

TEST_F(StoreTest, RemovingAnExperimentRemovesAllItsRows) {
  auto store = open();
  const auto first = store->save(testing::full_experiment(2));
  const auto second = store->save(testing::full_experiment(1));
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(store->remove(*first));
  const auto left = store->experiments();
  ASSERT_TRUE(left);
  ASSERT_EQ(left->size(), 1U);
  EXPECT_EQ(left->front().id, *second);
  EXPECT_EQ(left->front().runs, 1U);
  expect_equal(*store->load_experiment(*second), testing::full_experiment(1));
  EXPECT_EQ(store->load_experiment(*first).error().code, Errc::not_found);
}

TEST_F(StoreTest, UnknownKeysAreNotFound) {
  auto store = open();
  const auto id = store->save(testing::full_experiment(1));
  EXPECT_EQ(store->load_experiment(99).error().code, Errc::not_found);
  EXPECT_EQ(store->load_samples(1, "no such signal").error().code, Errc::not_found);
  EXPECT_EQ(store->begin_run(99, RunPlan{}).error().code, Errc::not_found);
  EXPECT_EQ(store->resume_experiment(99).error().code, Errc::not_found);
  EXPECT_TRUE(store->finish_experiment(*id, SummaryRecord{}));
}

}  // namespace
}  // namespace ergo
