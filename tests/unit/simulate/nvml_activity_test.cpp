// Programs, utilisation, samples, MIG, GPM, and the simulation's own C functions.
#include "client.hpp"
#include "nvml_fixture.hpp"
#include "sim_api.h"

#include <unistd.h>

#include <vector>

namespace ergo::sim {
namespace {

using test::load;
using test::one_gpu;
using test::TestNode;

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
  using GetSamples =
      abi::Return(abi::Device, int, unsigned long long, int*, unsigned*, abi::Sample*);
  int type = -1;
  unsigned count = 0;
  ASSERT_EQ(call<GetSamples>("nvmlDeviceGetSamples", device(), 0, 0ULL, &type, &count,
                             static_cast<abi::Sample*>(nullptr)),
            abi::success);
  ASSERT_GE(count, 100U);
  EXPECT_EQ(type, abi::value_unsigned_int);
  std::vector<abi::Sample> samples(count);
  ASSERT_EQ(
      call<GetSamples>("nvmlDeviceGetSamples", device(), 0, 0ULL, &type, &count, samples.data()),
      abi::success);
  for (std::size_t i = 1; i < count; ++i)
    EXPECT_EQ(samples[i].timestamp - samples[i - 1].timestamp, 20'000U);
  const auto last = samples[count - 1].timestamp;
  EXPECT_EQ(
      call<GetSamples>("nvmlDeviceGetSamples", device(), 0, last, &type, &count, samples.data()),
      abi::not_found);
  t.pass(0.1);
  count = static_cast<unsigned>(samples.size());
  ASSERT_EQ(
      call<GetSamples>("nvmlDeviceGetSamples", device(), 0, last, &type, &count, samples.data()),
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
