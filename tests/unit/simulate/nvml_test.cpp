// The NVML library as its clients meet it: loaded by dlopen, through the binary interface alone.
#include "client.hpp"
#include "sensors/nvml/abi.hpp"
#include "sim_api.h"
#include "simulated_node.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

namespace ergo::sim {
namespace {

namespace abi = ergo::nvml::abi;
using test::load;
using test::one_gpu;
using test::TestNode;

class Nvml : public ::testing::Test {
 protected:
  template <class Function, class... Arguments>
  auto call(const char* name, Arguments... arguments) {
    auto* function = reinterpret_cast<Function*>(dlsym(library_, name));
    if (function == nullptr) ADD_FAILURE() << name << " is not exported";
    return function(arguments...);
  }

  Nvml() : library_(dlopen(ERGO_SIM_NVML, RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(library_, nullptr) << dlerror();
  }
  ~Nvml() override {
    if (started_) call<abi::Shutdown>("nvmlShutdown");
    dlclose(library_);
  }

  TestNode& start(const NodeOptions& options) {
    node_ = std::make_unique<TestNode>(options);
    setenv(kStateVariable, node_->state().c_str(), 1);
    EXPECT_EQ(call<abi::Init_v2>("nvmlInit_v2"), abi::success);
    started_ = true;
    return *node_;
  }

  abi::Device device(unsigned index = 0) {
    abi::Device handle = nullptr;
    EXPECT_EQ(call<abi::DeviceGetHandleByIndex_v2>("nvmlDeviceGetHandleByIndex_v2", index, &handle),
              abi::success);
    return handle;
  }

  unsigned power_mw(abi::Device handle) {
    unsigned mw = 0;
    EXPECT_EQ(call<abi::DeviceGetPowerUsage>("nvmlDeviceGetPowerUsage", handle, &mw), abi::success);
    return mw;
  }

  unsigned long long energy_mj(abi::Device handle) {
    unsigned long long mj = 0;
    EXPECT_EQ(call<abi::DeviceGetTotalEnergyConsumption>("nvmlDeviceGetTotalEnergyConsumption",
                                                         handle, &mj),
              abi::success);
    return mj;
  }

  abi::FieldValue field(abi::Device handle, unsigned id, unsigned scope = 0) {
    abi::FieldValue value{};
    value.field = id;
    value.scope = scope;
    EXPECT_EQ(call<abi::DeviceGetFieldValues>("nvmlDeviceGetFieldValues", handle, 1, &value),
              abi::success);
    return value;
  }

  abi::Return set_limit(abi::Device handle, unsigned mw) {
    return call<abi::DeviceSetPowerManagementLimit>("nvmlDeviceSetPowerManagementLimit", handle,
                                                    mw);
  }

  unsigned limit(abi::Device handle) {
    unsigned mw = 0;
    EXPECT_EQ(
        call<abi::DeviceGetPowerManagementLimit>("nvmlDeviceGetPowerManagementLimit", handle, &mw),
        abi::success);
    return mw;
  }

  void* library_;
  bool started_ = false;
  std::unique_ptr<TestNode> node_;
};

TEST_F(Nvml, SaysThatItIsSimulated) {
  EXPECT_EQ(call<int()>("ergo_sim_is_simulated"), 1);
}

TEST_F(Nvml, WithoutANodeTheDriverIsNotLoaded) {
  unsetenv(kStateVariable);
  EXPECT_EQ(call<abi::Init_v2>("nvmlInit_v2"), abi::driver_not_loaded);
  setenv(kStateVariable, "/nonexistent", 1);
  EXPECT_EQ(call<abi::Init_v2>("nvmlInit_v2"), abi::driver_not_loaded);
  unsigned count = 0;
  EXPECT_EQ(call<abi::DeviceGetCount_v2>("nvmlDeviceGetCount_v2", &count), abi::uninitialized);
  EXPECT_EQ(call<abi::Shutdown>("nvmlShutdown"), abi::uninitialized);
}

TEST_F(Nvml, IdentifiesEachGpuAndFindsItAgain) {
  NodeOptions options = one_gpu("v100");
  options.gpus.push_back(one_gpu("a100").gpus[0]);
  start(options);
  unsigned count = 0;
  EXPECT_EQ(call<abi::DeviceGetCount_v2>("nvmlDeviceGetCount_v2", &count), abi::success);
  EXPECT_EQ(count, 2U);
  std::array<char, 96> name{};
  std::array<char, 96> uuid{};
  abi::PciInfo pci{};
  unsigned architecture = 0;
  EXPECT_EQ(call<abi::DeviceGetName>("nvmlDeviceGetName", device(1), name.data(), 96U),
            abi::success);
  EXPECT_STREQ(name.data(), "NVIDIA A100-SXM4-80GB");
  EXPECT_EQ(call<abi::DeviceGetName>("nvmlDeviceGetName", device(1), name.data(), 5U),
            abi::insufficient_size);
  EXPECT_EQ(call<abi::DeviceGetUUID>("nvmlDeviceGetUUID", device(1), uuid.data(), 96U),
            abi::success);
  EXPECT_EQ(std::strlen(uuid.data()), 40U);
  EXPECT_EQ(call<abi::DeviceGetPciInfo_v3>("nvmlDeviceGetPciInfo_v3", device(1), &pci),
            abi::success);
  EXPECT_EQ(pci.device_id, 0x20B210DEU);
  EXPECT_EQ(call<abi::DeviceGetArchitecture>("nvmlDeviceGetArchitecture", device(0), &architecture),
            abi::success);
  EXPECT_EQ(architecture, abi::architecture::volta);
  abi::Device found = nullptr;
  EXPECT_EQ(call<abi::DeviceGetHandleByUUID>("nvmlDeviceGetHandleByUUID", uuid.data(), &found),
            abi::success);
  EXPECT_EQ(found, device(1));
  found = nullptr;
  EXPECT_EQ(
      call<abi::DeviceGetHandleByUUID>("nvmlDeviceGetHandleByPciBusId_v2", pci.bus_id, &found),
      abi::success);
  EXPECT_EQ(found, device(1));
  EXPECT_EQ(call<abi::DeviceGetHandleByUUID>("nvmlDeviceGetHandleByUUID", "GPU-none", &found),
            abi::not_found);
}

TEST_F(Nvml, ForeignHandlesAndNullPointersAreInvalid) {
  start(one_gpu("v100"));
  unsigned mw = 0;
  int stranger = 0;
  const auto foreign = reinterpret_cast<abi::Device>(&stranger);
  EXPECT_EQ(call<abi::DeviceGetPowerUsage>("nvmlDeviceGetPowerUsage", foreign, &mw),
            abi::invalid_argument);
  EXPECT_EQ(call<abi::DeviceGetPowerUsage>("nvmlDeviceGetPowerUsage", device(), nullptr),
            abi::invalid_argument);
  abi::Device none = nullptr;
  EXPECT_EQ(call<abi::DeviceGetHandleByIndex_v2>("nvmlDeviceGetHandleByIndex_v2", 1U, &none),
            abi::invalid_argument);
}

TEST_F(Nvml, PowerAndEnergyAgreeWithTheTruth) {
  TestNode& t = start(one_gpu("t4", load(LoadKind::steady)));
  t.pass(10.0);
  const auto before = energy_mj(device());
  t.pass(10.0);
  const auto after = energy_mj(device());
  const double watts = t.node.gpu(0).point.power_w;
  EXPECT_NEAR(power_mw(device()) * 1e-3, watts, 1e-3);
  EXPECT_NEAR(static_cast<double>(after - before) * 1e-3, 10.0 * watts, 0.1);
  EXPECT_NEAR(call<decltype(ergo_sim_truth_j)>("ergo_sim_truth_j", 0U, t.node.info().start_ns,
                                               t.node.now_ns()),
              20.0 * watts, 1e-6);
}

TEST_F(Nvml, TheGainIsTheCardsOwnAndTheTruthIsFreeOfIt) {
  NodeOptions options = one_gpu("t4", load(LoadKind::steady));
  options.gpus[0].gain = 1.04;
  TestNode& t = start(options);
  t.pass(5.0);
  EXPECT_NEAR(power_mw(device()) * 1e-3, 1.04 * t.node.gpu(0).point.power_w, 1e-3);
  EXPECT_NEAR(t.truth(), 5.0 * t.node.gpu(0).point.power_w, 1e-6);
}

TEST_F(Nvml, TheCounterMovesOnlyOnceAPeriod) {
  TestNode& t = start(one_gpu("v100", load(LoadKind::steady)));
  int changes = 0;
  unsigned long long last = energy_mj(device());
  for (int i = 0; i < 1000; ++i) {
    t.pass(0.001);
    const auto now = energy_mj(device());
    changes += now != last ? 1 : 0;
    last = now;
  }
  EXPECT_EQ(changes, 50) << "every 20 ms";
}

TEST_F(Nvml, AK80HasNoEnergyCounter) {
  start(one_gpu("k80"));
  unsigned long long mj = 0;
  EXPECT_EQ(call<abi::DeviceGetTotalEnergyConsumption>("nvmlDeviceGetTotalEnergyConsumption",
                                                       device(), &mj),
            abi::not_supported);
  EXPECT_EQ(field(device(), abi::field::total_energy).status, abi::not_supported);
  EXPECT_EQ(field(device(), abi::field::power_instant).status, abi::invalid_argument)
      << "its driver is too old";
  EXPECT_GT(power_mw(device()), 0U);
}

TEST_F(Nvml, FieldsAreAnsweredOneByOne) {
  TestNode& t = start(one_gpu("h200", load(LoadKind::steady)));
  t.pass(5.0);
  std::array<abi::FieldValue, 4> fields{};
  fields[0].field = abi::field::power_instant;
  fields[1].field = 9999;
  fields[2].field = abi::field::total_energy;
  fields[3].field = abi::field::power_average;
  ASSERT_EQ(call<abi::DeviceGetFieldValues>("nvmlDeviceGetFieldValues", device(), 4, fields.data()),
            abi::success);
  EXPECT_EQ(fields[0].status, abi::success);
  EXPECT_EQ(fields[0].value_type, abi::value_unsigned_int);
  EXPECT_EQ(fields[1].status, abi::invalid_argument);
  EXPECT_EQ(fields[2].status, abi::success);
  EXPECT_EQ(fields[2].value_type, abi::value_unsigned_long_long);
  EXPECT_EQ(fields[3].status, abi::success);
  EXPECT_GT(fields[0].timestamp, 1'600'000'000'000'000LL);
  EXPECT_EQ(field(device(), abi::field::power_instant, 2).status, abi::not_supported);
  EXPECT_EQ(field(device(), abi::field::energy).value.ull, fields[2].value.ull);
  EXPECT_EQ(field(device(), abi::field::power_max_limit).value.ui, 700'000U);
}

TEST_F(Nvml, OnlyHopperAveragesPowerOverASecond) {
  TestNode& t = start(one_gpu("h200"));
  t.pass(5.0);
  const unsigned idle = power_mw(device());
  auto context = GpuContext::open(t.node, 0);
  ASSERT_TRUE(context.ok());
  context->set_demand({1.0, 0.5, 0.0});
  t.pass(0.25);
  const double instant_w = field(device(), abi::field::power_instant).value.ui * 1e-3;
  EXPECT_NEAR(instant_w, t.node.gpu(0).point.power_w, 1e-3);
  EXPECT_GT(power_mw(device()), idle);
  EXPECT_LT(power_mw(device()) * 1e-3, instant_w / 2);
  t.pass(1.2);
  EXPECT_NEAR(power_mw(device()) * 1e-3, instant_w, 1e-3);
}

TEST_F(Nvml, ALimitIsSetReadBackAndFelt) {
  TestNode& t = start(one_gpu("v100", load(LoadKind::steady, {1.0, 0.7, 0.2})));
  unsigned low = 0;
  unsigned high = 0;
  ASSERT_EQ(call<abi::DeviceGetPowerManagementLimitConstraints>(
                "nvmlDeviceGetPowerManagementLimitConstraints", device(), &low, &high),
            abi::success);
  EXPECT_EQ(low, 150'000U);
  EXPECT_EQ(high, 300'000U);
  EXPECT_EQ(set_limit(device(), 200'000), abi::success);
  EXPECT_EQ(limit(device()), 200'000U);
  t.pass(1.0);
  EXPECT_LE(power_mw(device()), 200'000U);
  unsigned clock = 0;
  ASSERT_EQ(
      call<abi::DeviceGetClockInfo>("nvmlDeviceGetClockInfo", device(), abi::clock_sm, &clock),
      abi::success);
  EXPECT_LT(clock, 1530U);
  unsigned long long reasons = 0;
  ASSERT_EQ(call<abi::DeviceGetCurrentClocksEventReasons>("nvmlDeviceGetCurrentClocksEventReasons",
                                                          device(), &reasons),
            abi::success);
  EXPECT_EQ(reasons, abi::reason::sw_power_cap);
  EXPECT_NEAR(static_cast<double>(field(device(), abi::field::perf_policy_power).value.ull), 1e9,
              1e6);
}

TEST_F(Nvml, AnImpossibleLimitIsRefusedOrClamped) {
  start(one_gpu("v100"));
  EXPECT_EQ(set_limit(device(), 149'999), abi::invalid_argument);
  EXPECT_EQ(set_limit(device(), 300'001), abi::invalid_argument);
  EXPECT_EQ(limit(device()), 300'000U);
  call<abi::Shutdown>("nvmlShutdown");
  NodeOptions options = one_gpu("v100");
  options.clamp_limits = true;
  start(options);
  EXPECT_EQ(set_limit(device(), 10'000), abi::success);
  EXPECT_EQ(limit(device()), 150'000U);
}

TEST_F(Nvml, WithoutPermissionNothingIsWritten) {
  NodeOptions options = one_gpu("v100");
  options.permission = Permission::denied;
  start(options);
  EXPECT_EQ(set_limit(device(), 200'000), abi::no_permission);
  EXPECT_EQ(limit(device()), 300'000U);
}

TEST_F(Nvml, AnotherLimiterShowsOnlyInTheEnforcedLimit) {
  NodeOptions options = one_gpu("v100");
  options.gpus[0].faults.external_limit_mw = 180'000;
  start(options);
  unsigned enforced = 0;
  ASSERT_EQ(call<abi::DeviceGetEnforcedPowerLimit>("nvmlDeviceGetEnforcedPowerLimit", device(),
                                                   &enforced),
            abi::success);
  EXPECT_EQ(enforced, 180'000U);
  EXPECT_EQ(limit(device()), 300'000U);
}

TEST_F(Nvml, AGpuFallsOffTheBusAndTheOthersStay) {
  NodeOptions options = one_gpu("v100");
  options.gpus.push_back(one_gpu("t4").gpus[0]);
  options.gpus[0].faults.lost_at_ns = 2'000'000'000;
  TestNode& t = start(options);
  const abi::Device first = device(0);
  const abi::Device second = device(1);
  t.pass(1.9);
  EXPECT_GT(power_mw(first), 0U);
  t.pass(0.2);
  unsigned mw = 0;
  EXPECT_EQ(call<abi::DeviceGetPowerUsage>("nvmlDeviceGetPowerUsage", first, &mw),
            abi::gpu_is_lost);
  EXPECT_EQ(set_limit(first, 200'000), abi::gpu_is_lost);
  abi::Device again = nullptr;
  EXPECT_EQ(call<abi::DeviceGetHandleByIndex_v2>("nvmlDeviceGetHandleByIndex_v2", 0U, &again),
            abi::gpu_is_lost);
  EXPECT_GT(power_mw(second), 0U);
}

TEST_F(Nvml, AnEnergyCounterCanRestartAndWrap) {
  NodeOptions options = one_gpu("t4", load(LoadKind::steady));
  options.gpus[0].faults.counter_reset_at_ns = 5'000'000'000;
  TestNode& t = start(options);
  t.pass(4.5);
  const auto before = energy_mj(device());
  t.pass(1.0);
  EXPECT_LT(energy_mj(device()), 70'000U);
  EXPECT_LT(energy_mj(device()), before);
  EXPECT_NEAR(t.truth(), 5.5 * t.node.gpu(0).point.power_w, 1e-6) << "the truth does not restart";
  t.node.update(0, [](Gpu& gpu) { gpu.faults.counter_wrap_j = 100.0; });
  for (int i = 0; i < 50; ++i) {
    t.pass(0.5);
    ASSERT_LT(energy_mj(device()), 100'000U);
  }
}

TEST_F(Nvml, AGpuMayRefuseToBeRead) {
  NodeOptions options = one_gpu("v100");
  options.gpus[0].faults.no_permission = 1;
  start(options);
  unsigned mw = 0;
  EXPECT_EQ(call<abi::DeviceGetPowerUsage>("nvmlDeviceGetPowerUsage", device(), &mw),
            abi::no_permission);
}

TEST_F(Nvml, ProgramsAreListedWithMemoryAndUtilisation) {
  TestNode& t = start(one_gpu("v100"));
  auto context = GpuContext::open(t.node, 0, std::uint64_t{3} << 30U);
  ASSERT_TRUE(context.ok());
  context->set_demand({0.6, 0.2, 0.0});
  t.pass(1.0);
  unsigned count = 0;
  const char* v3 = "nvmlDeviceGetComputeRunningProcesses_v3";
  EXPECT_EQ(call<abi::DeviceGetComputeRunningProcesses_v3>(v3, device(), &count, nullptr),
            abi::insufficient_size);
  ASSERT_EQ(count, 1U);
  abi::ProcessInfo info{};
  EXPECT_EQ(call<abi::DeviceGetComputeRunningProcesses_v3>(v3, device(), &count, &info),
            abi::success);
  EXPECT_EQ(info.pid, static_cast<unsigned>(getpid()));
  EXPECT_EQ(info.used_memory, std::uint64_t{3} << 30U);
  abi::ProcessInfoV1 old{};
  EXPECT_EQ(call<abi::DeviceGetComputeRunningProcesses>("nvmlDeviceGetComputeRunningProcesses",
                                                        device(), &count, &old),
            abi::success);
  EXPECT_EQ(old.pid, info.pid);
  abi::ProcessUtilizationSample sample{};
  const char* utilization = "nvmlDeviceGetProcessUtilization";
  EXPECT_EQ(call<abi::DeviceGetProcessUtilization>(utilization, device(), &sample, &count, 0ULL),
            abi::success);
  EXPECT_EQ(sample.sm, 60U);
  EXPECT_EQ(call<abi::DeviceGetProcessUtilization>(utilization, device(), &sample, &count,
                                                   sample.timestamp),
            abi::not_found);
  abi::MemoryV2 memory{};
  memory.version = abi::struct_version<abi::MemoryV2>(2);
  EXPECT_EQ(call<abi::DeviceGetMemoryInfo_v2>("nvmlDeviceGetMemoryInfo_v2", device(), &memory),
            abi::success);
  EXPECT_EQ(memory.used, std::uint64_t{3} << 30U);
  EXPECT_EQ(memory.used + memory.free + memory.reserved, memory.total);
  memory.version = 7;
  EXPECT_EQ(call<abi::DeviceGetMemoryInfo_v2>("nvmlDeviceGetMemoryInfo_v2", device(), &memory),
            abi::argument_version_mismatch);
}

TEST_F(Nvml, UtilisationIsTheShareOfTimeWithWork) {
  LoadSpec spec = load(LoadKind::square);
  spec.period_s = 0.02;
  spec.duty = 0.25;
  TestNode& t = start(one_gpu("v100", spec));
  t.pass(2.0);
  abi::Utilization rates{};
  ASSERT_EQ(call<abi::DeviceGetUtilizationRates>("nvmlDeviceGetUtilizationRates", device(), &rates),
            abi::success);
  EXPECT_EQ(rates.gpu, 25U);
}

TEST_F(Nvml, TheSampleBufferIsDrainedOnce) {
  TestNode& t = start(one_gpu("v100", load(LoadKind::steady)));
  t.pass(1.0);
  struct Sample {
    unsigned long long time_us;
    abi::Value value;
  };
  using GetSamples = abi::Return(abi::Device, int, unsigned long long, int*, unsigned*, void*);
  int type = -1;
  unsigned count = 0;
  ASSERT_EQ(call<GetSamples>("nvmlDeviceGetSamples", device(), 0, 0ULL, &type, &count,
                             static_cast<void*>(nullptr)),
            abi::success);
  ASSERT_GE(count, 100U);
  EXPECT_EQ(type, abi::value_unsigned_int);
  std::vector<Sample> samples(count);
  ASSERT_EQ(call<GetSamples>("nvmlDeviceGetSamples", device(), 0, 0ULL, &type, &count,
                             static_cast<void*>(samples.data())),
            abi::success);
  for (std::size_t i = 1; i < count; ++i)
    EXPECT_EQ(samples[i].time_us - samples[i - 1].time_us, 20'000U);
  const auto last = samples[count - 1].time_us;
  EXPECT_EQ(call<GetSamples>("nvmlDeviceGetSamples", device(), 0, last, &type, &count,
                             static_cast<void*>(samples.data())),
            abi::not_found);
  t.pass(0.1);
  count = static_cast<unsigned>(samples.size());
  ASSERT_EQ(call<GetSamples>("nvmlDeviceGetSamples", device(), 0, last, &type, &count,
                             static_cast<void*>(samples.data())),
            abi::success);
  EXPECT_EQ(count, 5U);
}

TEST_F(Nvml, MigHidesUtilisationAndPrograms) {
  NodeOptions options = one_gpu("a100");
  options.gpus[0].faults.mig = 1;
  start(options);
  unsigned current = 0;
  unsigned pending = 0;
  EXPECT_EQ(call<abi::DeviceGetMigMode>("nvmlDeviceGetMigMode", device(), &current, &pending),
            abi::success);
  EXPECT_EQ(current, abi::enabled);
  abi::Utilization rates{};
  EXPECT_EQ(call<abi::DeviceGetUtilizationRates>("nvmlDeviceGetUtilizationRates", device(), &rates),
            abi::not_supported);
  EXPECT_GT(power_mw(device()), 0U);
}

TEST_F(Nvml, GpmTellsActivityBetweenTwoSamples) {
  TestNode& t = start(one_gpu("h200", load(LoadKind::steady, {0.5, 0.25, 0.0})));
  abi::GpmSupport support{abi::gpm::struct_version, 0};
  ASSERT_EQ(call<abi::GpmQueryDeviceSupport>("nvmlGpmQueryDeviceSupport", device(), &support),
            abi::success);
  EXPECT_EQ(support.supported, 1U);
  auto request = std::make_unique<abi::GpmMetricsGet>();
  request->version = abi::gpm::struct_version;
  request->count = 3;
  request->metrics[0].id = abi::gpm::sm_util;
  request->metrics[1].id = abi::gpm::dram_bw_util;
  request->metrics[2].id = abi::gpm::sm_occupancy;
  for (abi::GpmSample* sample : {&request->sample1, &request->sample2}) {
    ASSERT_EQ(call<abi::GpmSampleAlloc>("nvmlGpmSampleAlloc", sample), abi::success);
    ASSERT_EQ(call<abi::GpmSampleGet>("nvmlGpmSampleGet", device(), *sample), abi::success);
    t.pass(0.5);
  }
  ASSERT_EQ(call<abi::GpmMetricsGetFn>("nvmlGpmMetricsGet", request.get()), abi::success);
  EXPECT_NEAR(request->metrics[0].value, 50.0, 1e-6);
  EXPECT_NEAR(request->metrics[1].value, 25.0, 1e-6);
  EXPECT_EQ(request->metrics[2].status, abi::not_supported);
  call<abi::GpmSampleFree>("nvmlGpmSampleFree", request->sample1);
  call<abi::GpmSampleFree>("nvmlGpmSampleFree", request->sample2);
}

TEST_F(Nvml, AProgramInCCanStateItsDemand) {
  TestNode& t = start(one_gpu("v100"));
  ASSERT_EQ(call<decltype(ergo_sim_set_demand)>("ergo_sim_set_demand", 0U, 1.0, 0.6, 0.1), 0);
  ASSERT_EQ(
      call<decltype(ergo_sim_set_time_ns)>("ergo_sim_set_time_ns", t.node.now_ns() + 1'000'000'000),
      0);
  EXPECT_GT(power_mw(device()), 290'000U);
  EXPECT_LT(call<decltype(ergo_sim_clock_mhz)>("ergo_sim_clock_mhz", 0U), 1530.0);
  EXPECT_EQ(call<decltype(ergo_sim_set_demand)>("ergo_sim_set_demand", 0U, 0.0, 0.0, 0.0), 0);
  EXPECT_NEAR(call<decltype(ergo_sim_run)>("ergo_sim_run", 0U, 0.2, 0.1, 0.0, 1.5), 1.5, 1e-8);
  EXPECT_EQ(call<decltype(ergo_sim_set_demand)>("ergo_sim_set_demand", 5U, 1.0, 0.0, 0.0), -1);
  EXPECT_EQ(call<decltype(ergo_sim_lose_gpu)>("ergo_sim_lose_gpu", 0U, t.node.now_ns()), 0);
  unsigned mw = 0;
  EXPECT_EQ(call<abi::DeviceGetPowerUsage>("nvmlDeviceGetPowerUsage", nullptr, &mw),
            abi::invalid_argument);
  EXPECT_LT(call<decltype(ergo_sim_run)>("ergo_sim_run", 0U, 0.2, 0.1, 0.0, 1.5), 0.0)
      << "the GPU is lost";
}

}  // namespace
}  // namespace ergo::sim
