// Finding GPUs, power, energy, fields, limits and faults.
#include "client.hpp"
#include "nvml_fixture.hpp"
#include "sim_api.h"

#include <array>
#include <cstring>

namespace ergo::sim {
namespace {

using test::load;
using test::one_gpu;
using test::TestNode;

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

}  // namespace
}  // namespace ergo::sim
