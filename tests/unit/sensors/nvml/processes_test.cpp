#include "sensors/nvml/processes.hpp"

#include "unit/sensors/nvml/fake_library.hpp"

#include <gmock/gmock.h>

#include <cstring>

namespace ergo::nvml {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OurProcesses final : public ProcessScope {
 public:
  explicit OurProcesses(std::set<int> pids) : pids_(std::move(pids)) {}
  [[nodiscard]] bool contains(int pid) const override { return pids_.count(pid) != 0; }

 private:
  std::set<int> pids_;
};

class Processes : public ::testing::Test {
 protected:
  Processes() {
    fake.add_current_fields();
    context = fake.context();
    context.scope = std::make_shared<OurProcesses>(std::set{100, 101});
    pretend_to_be_in_namespace("pid:[4026531836]");
  }

  void pretend_to_be_in_namespace(const char* name) {
    std::filesystem::create_directories(fake.folder() / "self/ns");
    std::filesystem::remove(fake.folder() / "self/ns/pid");
    std::filesystem::create_symlink(name, fake.folder() / "self/ns/pid");
  }
  void use(unsigned pid, unsigned sm, unsigned long long timestamp) {
    auto& d = fake.device();
    d.samples[d.sample_count++] = {pid, timestamp, sm, 0, 0, 0};
  }
  void run(unsigned pid, std::uint64_t memory) {
    auto& d = fake.device();
    d.processes[d.process_count++] = {pid, memory, ~0U, ~0U};
  }
  void serve(unsigned pid) {
    const auto process = fake.folder() / std::to_string(pid);
    std::filesystem::create_directories(process);
    ASSERT_TRUE(write_text_atomically(process / "comm", "nvidia-cuda-mps\n").ok());
  }
  void client(unsigned pid, std::uint64_t memory) {
    auto& d = fake.device();
    d.mps_clients[d.mps_client_count++] = {pid, memory, ~0U, ~0U};
  }
  Sensor& open() {
    found = FakeLibrary::discover(context);
    return *found.sensors.at(0);
  }
  std::map<std::string, double> next() {
    clock.advance(Seconds(1.0));
    return read_values(*found.sensors.at(0), clock);
  }

  FakeLibrary fake;
  DiscoveryContext context;
  Discovery found;
  ManualClock clock{Instant{5'000'000'000}};
};

TEST_F(Processes, TheShareIsOurUtilisationOverEverybodys) {
  open();
  use(100, 30, 1000);
  use(101, 15, 1000);
  use(999, 15, 1000);
  run(100, 5'000);
  run(101, 700);
  run(999, 1);
  const auto values = next();
  EXPECT_DOUBLE_EQ(values.at("gpu0.process_share"), 0.75);
  EXPECT_DOUBLE_EQ(values.at("gpu0.process_memory"), 5'700.0);
}

TEST_F(Processes, UtilisationThatWasSeenBeforeIsNotCountedAgain) {
  open();
  use(100, 50, 1000);
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_share"), 1.0);
  use(999, 50, 2000);  // the driver repeats the old entry beside the new one
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_share"), 0.0);
}

TEST_F(Processes, GarbageEntriesOfIdleProcessesDoNotCount) {
  open();
  use(100, 20, 1000);
  use(999, 4'000'000'000U, 1000);
  use(0, 50, 0);
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_share"), 1.0);
}

TEST_F(Processes, WithoutUtilisationBeingAloneIsAShareOfOne) {
  open();
  run(100, 5);
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_share"), 1.0);
  run(999, 5);
  EXPECT_EQ(next().count("gpu0.process_share"), 0U) << "two run, and who works is not known";
  fake.device().processes[0].pid = 998;
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_share"), 0.0);
}

TEST_F(Processes, AnEmptyListSaysNothingAboutShares) {
  open();
  const auto values = next();
  EXPECT_EQ(values.count("gpu0.process_share"), 0U);
}

TEST_F(Processes, AProgramWithoutAContextHasNoMemoryOnTheGpuRatherThanZero) {
  open();
  EXPECT_EQ(next().count("gpu0.process_memory"), 0U);
  run(999, 5);
  EXPECT_EQ(next().count("gpu0.process_memory"), 0U);
  run(100, 7);
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_memory"), 7.0);
}

TEST_F(Processes, BehindTheMultiProcessServiceOurProgramIsNotMistakenForSomebodyElse) {
  open();
  serve(500);
  run(500, 30);
  use(500, 80, 1000);
  client(100, 7);
  const auto alone = next();
  EXPECT_DOUBLE_EQ(alone.at("gpu0.process_share"), 1.0);
  EXPECT_DOUBLE_EQ(alone.at("gpu0.process_memory"), 7.0);
  client(999, 8);
  use(500, 80, 2000);
  EXPECT_EQ(next().count("gpu0.process_share"), 0U) << "which client works is not known";
  fake.device().mps_clients[0].pid = 998;
  use(500, 80, 3000);
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_share"), 0.0);
}

TEST_F(Processes, WithoutUtilisationTheServerOfAServiceIsNobodysNeighbour) {
  open();
  serve(500);
  run(500, 30);
  client(100, 7);
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_share"), 1.0);
}

TEST_F(Processes, MemoryThatTheDriverDoesNotTellIsAbsent) {
  open();
  run(100, abi::memory_not_available);
  EXPECT_EQ(next().count("gpu0.process_memory"), 0U);
}

TEST_F(Processes, ListsAreReadOnceASecondHoweverFastTheSamplerIs) {
  run(100, 5);
  Sensor& sensor = open();
  fake.device().process_calls = 0;
  Batch batch;
  for (int tick = 0; tick < 3000; ++tick) {
    batch.clear();
    ASSERT_TRUE(sensor.read(clock, batch).ok());
    clock.advance(Seconds(0.001));
  }
  EXPECT_LE(fake.device().process_calls, 3 * 3) << "utilisation and two lists";
  EXPECT_GE(fake.device().process_calls, 3);
}

TEST_F(Processes, MoreProcessesThanExpectedAreAllCounted) {
  open();
  for (unsigned i = 0; i < 60; ++i) {
    run(i < 30 ? 100 : 999, 10);
    use(i < 30 ? 100 : 999, 1, 1000);
  }
  const auto values = next();
  EXPECT_DOUBLE_EQ(values.at("gpu0.process_share"), 0.5);
  EXPECT_DOUBLE_EQ(values.at("gpu0.process_memory"), 300.0);
}

TEST_F(Processes, TheLayoutWithALongerEntryIsRecognised) {
  fake.device().process_stride = 32;
  open();
  run(100, 7);
  run(999, 8);
  run(101, 9);
  EXPECT_DOUBLE_EQ(next().at("gpu0.process_memory"), 16.0);
}

TEST_F(Processes, AListThatFitsNoLayoutIsIgnored) {
  std::vector<std::byte> bytes(96, std::byte{0xff});
  EXPECT_THAT(parse_processes(bytes, 2), IsEmpty());
  EXPECT_THAT(parse_processes(bytes, 1000), IsEmpty());
  EXPECT_THAT(parse_processes({}, 1), IsEmpty());
}

TEST_F(Processes, OldDriversTellProcessesInTheirOwnLayout) {
  FakeLibrary old({"nvmlDeviceGetComputeRunningProcesses_v3",
                   "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetProcessUtilization"});
  old.add_current_fields();
  DiscoveryContext old_context = old.context();
  old_context.environment.procfs = fake.folder();
  old_context.scope = context.scope;
  Discovery discovered = FakeLibrary::discover(old_context);
  old.device().processes[0] = {100, 11, 0, 0};
  old.device().processes[1] = {101, 12, 0, 0};
  old.device().process_count = 2;
  const auto values = read_values(*discovered.sensors.at(0), clock);
  EXPECT_DOUBLE_EQ(values.at("gpu0.process_share"), 1.0);
  EXPECT_DOUBLE_EQ(values.at("gpu0.process_memory"), 23.0);
}

TEST_F(Processes, WithoutAMeasuredProgramNoListIsRead) {
  context.scope = nullptr;
  open();
  next();
  EXPECT_EQ(fake.device().process_calls, 0);
}

TEST_F(Processes, InAContainerOfItsOwnPidsNobodyIsMistakenForSomebodyElse) {
  pretend_to_be_in_namespace("pid:[4026532201]");
  Sensor& sensor = open();
  EXPECT_EQ(find_signal(sensor, "gpu0.process_share"), nullptr);
  EXPECT_THAT(found.warnings, ::testing::ElementsAre(HasSubstr("--pid=host")));
}

TEST_F(Processes, ADriverThatTellsNothingChargesTheWholeGpuAndSaysSo) {
  fake.device().metrics_status = abi::not_supported;
  Sensor& sensor = open();
  EXPECT_EQ(find_signal(sensor, "gpu0.process_share"), nullptr);
  EXPECT_THAT(found.warnings, ::testing::ElementsAre(HasSubstr("all of its energy is charged")));
}

TEST_F(Processes, UnderMigThereAreNoShares) {
  fake.device().mig_mode = abi::enabled;
  Sensor& sensor = open();
  EXPECT_EQ(find_signal(sensor, "gpu0.process_share"), nullptr);
  EXPECT_EQ(fake.device().process_calls, 0);
}

TEST_F(Processes, SharesAreDerivedNotMeasured) {
  EXPECT_EQ(find_signal(open(), "gpu0.process_share")->provenance, Provenance::derived);
}

}  // namespace
}  // namespace ergo::nvml
