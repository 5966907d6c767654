#include "sensors/nvml/library.hpp"

#include "unit/sensors/nvml/fake_library.hpp"

#include <gmock/gmock.h>

namespace ergo::nvml {
namespace {

using ::testing::HasSubstr;

TEST(NvmlLibrary, AMachineWithoutADriverIsToldWhyAndKeepsGoing) {
  const auto folder = TemporaryFolder::create("ergo-nvml");
  DiscoveryContext context;
  context.environment.sysfs = folder->path();
  context.environment.procfs = folder->path();
  context.environment.nvml_library = (folder->path() / "libnvidia-ml.so.1").string();
  const Discovery found = FakeLibrary::discover(context);
  EXPECT_TRUE(found.sensors.empty());
  ASSERT_EQ(found.missing.size(), 1U);
  EXPECT_THAT(found.missing[0].why, HasSubstr("cannot open shared object file"));
  EXPECT_THAT(found.missing[0].fix, HasSubstr("ERGO_NVML"));
}

TEST(NvmlLibrary, AFileThatIsNoLibraryIsAMissingSensor) {
  const auto folder = TemporaryFolder::create("ergo-nvml");
  DiscoveryContext context;
  context.environment.nvml_library = (folder->path() / "libnvidia-ml.so.1").string();
  ASSERT_TRUE(write_text_atomically(*context.environment.nvml_library,
                                    "\x7f"
                                    "ELF, cut off here")
                  .ok());
  const Discovery found = FakeLibrary::discover(context);
  ASSERT_EQ(found.missing.size(), 1U);
  EXPECT_FALSE(found.missing[0].why.empty());
}

TEST(NvmlLibrary, TheWantedFixDependsOnWhetherThereIsADeviceOrADriver) {
  if (Library::open(std::nullopt).ok()) GTEST_SKIP() << "this machine has a working NVIDIA driver";
  const auto folder = TemporaryFolder::create("ergo-nvml");
  DiscoveryContext context;
  context.environment.sysfs = folder->path();
  context.environment.procfs = folder->path();
  EXPECT_THAT(FakeLibrary::discover(context).missing.at(0).why, HasSubstr("no NVIDIA device"));

  const auto device = folder->path() / "bus/pci/devices/0000:01:00.0";
  std::filesystem::create_directories(device);
  ASSERT_TRUE(write_text_atomically(device / "vendor", "0x10de\n").ok());
  ASSERT_TRUE(write_text_atomically(device / "class", "0x030200\n").ok());
  ASSERT_TRUE(write_text_atomically(device / "device", "0x1db1\n").ok());
  EXPECT_THAT(FakeLibrary::discover(context).missing.at(0).fix, HasSubstr("apt install"));

  std::filesystem::create_directories(folder->path() / "driver/nvidia");
  ASSERT_TRUE(write_text_atomically(folder->path() / "driver/nvidia/version", "NVRM").ok());
  EXPECT_THAT(FakeLibrary::discover(context).missing.at(0).fix, HasSubstr("--gpus all"));
}

TEST(NvmlLibrary, ALibraryWithoutInitIsNotNvml) {
  FakeLibrary fake({"nvmlInit_v2"});
  const auto library = Library::open(fake.path());
  ASSERT_FALSE(library.ok());
  EXPECT_EQ(library.error().code, Errc::not_supported);
}

TEST(NvmlLibrary, EachFailureToStartNamesItsKindAndItsRemedy) {
  struct Case {
    abi::Return code;
    Errc kind;
    const char* remedy;
  };
  for (const Case& c : {Case{abi::driver_not_loaded, Errc::unavailable, "modprobe"},
                        Case{abi::no_permission, Errc::permission, "usermod"},
                        Case{abi::operating_system, Errc::permission, "--gpus all"},
                        Case{abi::lib_rm_version_mismatch, Errc::unavailable, "reboot"},
                        Case{abi::unknown, Errc::unavailable, "nvidia-smi"}}) {
    FakeLibrary fake;
    fake->init_status = c.code;
    const auto library = Library::open(fake.path());
    ASSERT_FALSE(library.ok());
    EXPECT_EQ(library.error().code, c.kind) << c.code;
    EXPECT_THAT(library.error().remedy, HasSubstr(c.remedy));
    const Discovery found = fake.discover();
    ASSERT_EQ(found.missing.size(), 1U);
    EXPECT_EQ(found.missing[0].fix, library.error().remedy);
    EXPECT_EQ(fake->shutdowns, 0) << "what was not started must not be shut down";
  }
}

TEST(NvmlLibrary, NoGpuAtAllIsNoFailure) {
  FakeLibrary fake;
  fake->device_count = 0;
  const Discovery found = fake.discover();
  EXPECT_TRUE(found.sensors.empty());
  EXPECT_TRUE(found.gpus.empty());
}

TEST(NvmlLibrary, AnAnswerThatGpusCannotBeCountedIsReported) {
  FakeLibrary fake;
  fake->count_status = abi::unknown;
  EXPECT_EQ(fake.discover().missing.size(), 1U);
}

TEST(NvmlLibrary, LivesAsLongAsTheLastSensorAndIsThenShutDown) {
  FakeLibrary fake;
  fake->device_count = 2;
  fake.add_current_fields(0);
  fake.add_current_fields(1);
  Discovery found = fake.discover();
  ASSERT_EQ(found.sensors.size(), 2U);
  found.sensors.pop_back();
  EXPECT_EQ(fake->shutdowns, 0);
  EXPECT_FALSE(read_values(*found.sensors[0], ManualClock()).empty());
  found.sensors.clear();
  EXPECT_EQ(fake->inits, 1);
  EXPECT_EQ(fake->shutdowns, 1);
}

TEST(NvmlLibrary, ControlFindsADeviceByItsUuidAndReadsItsLimit) {
  FakeLibrary fake;
  fake->device_count = 2;
  fake.device(1).enforced_limit_mw = 123'000;
  const auto library = Library::open(fake.path());
  ASSERT_TRUE(library.ok());
  const auto device = (*library)->find(fake.device(1).uuid);
  ASSERT_TRUE(device.ok());
  EXPECT_DOUBLE_EQ((*library)->enforced_power_limit(*device)->value(), 123.0);
  EXPECT_NE((*library)->functions().set_power_limit, nullptr);
  EXPECT_EQ((*library)->find("GPU-nowhere").error().code, Errc::not_found);
  EXPECT_EQ((*library)->driver_branch(), 535);
  EXPECT_FALSE((*library)->simulated());
}

/// Each function may be absent; what else is there must still work.
class WithoutOneSymbol : public ::testing::TestWithParam<const char*> {};

TEST_P(WithoutOneSymbol, WhatIsLeftStillMetersTheGpu) {
  FakeLibrary fake({GetParam()});
  fake.add_current_fields();
  fake.device().gpm = true;
  fake.device().total_energy_mj = 9;
  Discovery found = fake.discover();
  ASSERT_EQ(found.sensors.size(), 1U);
  EXPECT_NE(find_signal(*found.sensors[0], "nvml.total_energy@gpu0"), nullptr);
  ManualClock clock;
  const auto values = read_values(*found.sensors[0], clock);
  EXPECT_EQ(values.count("nvml.total_energy@gpu0"), 1U);
  EXPECT_GE(values.size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(
    Nvml, WithoutOneSymbol,
    ::testing::Values(
        "nvmlErrorString", "nvmlSystemGetDriverVersion", "nvmlSystemGetNVMLVersion",
        "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetDeviceHandleFromMigDeviceHandle",
        "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetPciInfo_v3",
        "nvmlDeviceGetArchitecture", "nvmlDeviceGetCudaComputeCapability", "nvmlDeviceGetMigMode",
        "nvmlDeviceGetFieldValues", "nvmlDeviceGetTotalEnergyConsumption",
        "nvmlDeviceGetPowerUsage", "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetClockInfo", "nvmlDeviceGetTemperature",
        "nvmlDeviceGetTemperatureV", "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetCurrentClocksThrottleReasons", "nvmlDeviceGetEnforcedPowerLimit",
        "nvmlDeviceGetPowerManagementLimit", "nvmlDeviceSetPowerManagementLimit",
        "nvmlDeviceGetProcessUtilization", "nvmlDeviceGetComputeRunningProcesses",
        "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlGpmQueryDeviceSupport",
        "nvmlGpmSampleAlloc", "nvmlGpmSampleFree", "nvmlGpmSampleGet", "nvmlGpmMetricsGet"),
    [](const auto& info) { return std::string(info.param); });

TEST(NvmlLibrary, WithoutCountOrHandlesThereIsNothingToMeterAndThatIsSaid) {
  for (const char* symbol : {"nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2"}) {
    FakeLibrary fake({symbol});
    const Discovery found = fake.discover();
    EXPECT_TRUE(found.sensors.empty()) << symbol;
    EXPECT_EQ(found.missing.size(), 1U) << symbol;
  }
}

}  // namespace
}  // namespace ergo::nvml
