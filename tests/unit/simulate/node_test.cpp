#include "node.hpp"

#include "client.hpp"
#include "physics.hpp"
#include "simulated_node.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace ergo::sim {
namespace {

using test::load;
using test::one_gpu;
using test::TestNode;

double full_power(const Preset& preset, const Demand& demand) {
  return operate(preset, demand, true, preset.default_limit_w, preset.idle_w).power_w;
}

TEST(Node, EnergyIsTheIntegralOfPower) {
  LoadSpec spec = load(LoadKind::square);
  spec.period_s = 0.5;
  spec.duty = 0.4;
  TestNode t(one_gpu("v100", spec));
  t.pass(60.0);
  const Preset& v100 = *find_preset("v100");
  const double on_w = full_power(v100, spec.demand);
  const double off_w = v100.idle_w + v100.clocked_w;
  EXPECT_NEAR(t.truth(), 60.0 * (0.4 * on_w + 0.6 * off_w), 1e-3);
}

TEST(Node, EnergyOfPartsAddsUpAndDoesNotDependOnWhenItIsAsked) {
  TestNode often(one_gpu("a100", load(LoadKind::bursty)));
  TestNode once(one_gpu("a100", load(LoadKind::bursty)));
  const std::int64_t start = often.node.now_ns();
  double parts = 0.0;
  for (int i = 0; i < 500; ++i) {
    const std::int64_t from = often.node.now_ns();
    often.pass(0.0137);
    parts += often.node.gpu_energy_j(0, from, often.node.now_ns());
  }
  once.pass(500 * 0.0137);
  ASSERT_EQ(often.node.now_ns(), once.node.now_ns());
  EXPECT_NEAR(parts, often.truth(), 1e-6);
  EXPECT_NEAR(once.truth(), often.truth(), 1e-6);
  // The past can be asked about later.
  const std::int64_t middle = start + 3'000'000'000;
  EXPECT_NEAR(once.node.gpu_energy_j(0, start, middle) +
                  once.node.gpu_energy_j(0, middle, once.node.now_ns()),
              once.truth(), 1e-6);
}

TEST(Node, TheCounterOfAFullTimeSensorFollowsTheTruth) {
  TestNode t(one_gpu("t4", load(LoadKind::bursty)));
  t.pass(0.1);
  const Gpu before = t.node.gpu(0);
  const double truth_before = before.true_j;
  t.pass(300.0);
  const Gpu after = t.node.gpu(0);
  const double counted = after.counter_j() - before.counter_j();
  // At most one period of the highest power at each end.
  EXPECT_NEAR(counted, after.true_j - truth_before, 70 * 0.1);
}

TEST(Node, CountersNeverFall) {
  TestNode t(one_gpu("v100", load(LoadKind::bursty)));
  double last = 0.0;
  for (int i = 0; i < 2000; ++i) {
    t.pass(0.0071);
    const double now = t.node.gpu(0).counter_j();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Node, TheSameSeedGivesTheSameNode) {
  NodeOptions options = one_gpu("v100", load(LoadKind::bursty));
  options.gpus[0].gain.reset();
  TestNode a(options);
  TestNode b(options);
  options.seed = 2;
  TestNode c(options);
  for (TestNode* t : {&a, &b, &c})
    t->pass(20.0);
  EXPECT_EQ(a.truth(), b.truth());
  EXPECT_EQ(a.node.gpu(0).counter_j(), b.node.gpu(0).counter_j());
  EXPECT_STREQ(a.node.gpu(0).id.uuid.data(), b.node.gpu(0).id.uuid.data());
  EXPECT_NE(a.truth(), c.truth());
  EXPECT_NE(a.node.gpu(0).id.gain, c.node.gpu(0).id.gain);
}

TEST(Node, DrawnGainsHaveTheAskedSpread) {
  int inside = 0;
  double sum = 0.0;
  constexpr int nodes = 50;
  for (int seed = 1; seed <= nodes; ++seed) {
    NodeOptions options;
    options.seed = static_cast<std::uint64_t>(seed);
    options.packages = 0;
    options.manual_clock = true;
    options.gpus.resize(kMaxGpus);
    TestNode t(options);
    for (std::size_t i = 0; i < kMaxGpus; ++i) {
      const double gain = t.node.gpu(i).id.gain;
      inside += std::abs(gain - 1.0) <= 0.05 ? 1 : 0;
      sum += gain;
    }
  }
  // 400 draws: 95 % within 5 %, give or take three standard deviations.
  EXPECT_NEAR(inside / 400.0, 0.95, 3 * 0.011);
  EXPECT_NEAR(sum / 400.0, 1.0, 3 * 0.0255 / 20);
}

TEST(Node, ALowerLimitSlowsAWorkloadAndAnotherSetsItFree) {
  TestNode t(one_gpu("v100"));
  auto context = GpuContext::open(t.node, 0);
  ASSERT_TRUE(context.ok());
  const Demand demand{1.0, 0.6, 0.1};
  const double free_s = context->run(demand, 10.0).value_or(-1);
  t.node.update(0, [](Gpu& gpu) { gpu.limit_mw = 150'000; });
  const double capped_s = context->run(demand, 10.0).value_or(-1);
  const Gpu capped = t.node.gpu(0);
  t.node.update(0, [](Gpu& gpu) { gpu.limit_mw = 300'000; });
  const double again_s = context->run(demand, 10.0).value_or(-1);
  EXPECT_GT(capped_s, 1.2 * free_s);
  EXPECT_NEAR(again_s, free_s, 1e-6);
  EXPECT_GT(capped.capped_s, 9.0);
}

TEST(Node, WorkEndsExactlyWhenItsClockSays) {
  TestNode t(one_gpu("v100"));
  auto context = GpuContext::open(t.node, 0);
  ASSERT_TRUE(context.ok());
  const Demand demand{0.3, 0.2, 0.0};  // does not reach the limit: full speed
  EXPECT_NEAR(context->run(demand, 2.5).value_or(-1), 2.5, 2e-9);
  // Energy of just that work, although nobody touched the node while it ran.
  const std::int64_t end = t.node.now_ns();
  const double joules = t.node.gpu_energy_j(0, end - 2'500'000'000, end);
  EXPECT_NEAR(joules, 2.5 * full_power(*find_preset("v100"), demand), 1e-5);
  EXPECT_FALSE(context->run(demand, -1.0).ok());
  EXPECT_FALSE(context->run(demand, std::nan("")).ok());
}

TEST(Node, WorkWithoutDemandIsWaiting) {
  TestNode t(one_gpu("v100"));
  auto context = GpuContext::open(t.node, 0);
  ASSERT_TRUE(context.ok());
  const std::int64_t from = t.node.now_ns();
  EXPECT_NEAR(context->run({0.0, 0.0, 1.0}, 1.5).value_or(-1), 1.5, 1e-9);
  const Preset& v100 = *find_preset("v100");
  EXPECT_NEAR(t.node.gpu_energy_j(0, from, t.node.now_ns()), 1.5 * (v100.idle_w + v100.clocked_w),
              1e-6);
}

TEST(Node, BurstsKeepAveragePowerBelowTheLimitWhileTimeGrows) {
  TestNode t(one_gpu("v100"));
  auto context = GpuContext::open(t.node, 0);
  ASSERT_TRUE(context.ok());
  t.node.update(0, [](Gpu& gpu) { gpu.limit_mw = 200'000; });
  context->set_demand({1.0, 0.6, 0.1}, 0.2, 0.5);
  const std::int64_t from = t.node.now_ns();
  t.pass(20.0);
  EXPECT_LT(t.node.gpu_energy_j(0, from, t.node.now_ns()) / 20.0, 170);
  const Gpu gpu = t.node.gpu(0);
  EXPECT_NEAR(gpu.capped_s, 10.0, 0.2);
  EXPECT_NEAR(gpu.busy_s, 10.0, 0.2);
}

TEST(Node, TwoProgramsShareTheCard) {
  TestNode t(one_gpu("v100"));
  auto first = GpuContext::open(t.node, 0);
  auto second = GpuContext::open(t.node, 0);
  ASSERT_TRUE(first.ok() && second.ok());
  const Demand demand{0.7, 0.1, 0.0};
  const double alone_s = first->run(demand, 5.0).value_or(-1);
  second->set_demand(demand);
  const double shared_s = first->run(demand, 5.0).value_or(-1);
  EXPECT_GT(shared_s, 1.35 * alone_s);
  EXPECT_LE(t.node.gpu(0).point.power_w, 300.0);
}

TEST(Node, ACardTakesOnlySoManyPrograms) {
  TestNode t(one_gpu("v100"));
  std::vector<GpuContext> contexts;
  for (std::size_t i = 0; i < kMaxSlots; ++i) {
    auto context = GpuContext::open(t.node, 0);
    ASSERT_TRUE(context.ok());
    contexts.push_back(std::move(context).value());
  }
  const auto refused = GpuContext::open(t.node, 0);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::busy);
  contexts.pop_back();
  EXPECT_TRUE(GpuContext::open(t.node, 0).ok());
  EXPECT_EQ(GpuContext::open(t.node, 1).error().code, Errc::invalid_argument);
}

TEST(Node, IdlePowerDriftsWithHeatWhenAsked) {
  NodeOptions options = one_gpu("v100", load(LoadKind::steady, {0.3, 0.2, 0.0}));
  TestNode cold(options);
  options.heat_drift_per_k = 0.01;
  TestNode hot(options);
  for (TestNode* t : {&cold, &hot})
    t->pass(200.0);
  EXPECT_GT(hot.node.gpu(0).point.power_w, cold.node.gpu(0).point.power_w + 3);
  EXPECT_GT(cold.node.gpu(0).temperature_c, 40);
}

TEST(Node, TheFutureAndTheForgottenPastAreNotANumber) {
  LoadSpec spec = load(LoadKind::square);
  spec.period_s = 0.002;
  TestNode t(one_gpu("t4", spec));
  t.pass(0.5);
  const std::int64_t early = t.node.now_ns();
  EXPECT_TRUE(std::isnan(t.node.gpu_energy_j(0, early, early + 1)));
  EXPECT_FALSE(std::isnan(t.node.gpu_energy_j(0, early - 1'000'000, early)));
  t.pass(200.0);
  EXPECT_TRUE(std::isnan(t.node.gpu_energy_j(0, early, t.node.now_ns())));
  EXPECT_FALSE(std::isnan(t.truth())) << "from the start it is always known";
}

TEST(Node, AManualClockOnlyGoesForward) {
  TestNode t(one_gpu("t4"));
  const std::int64_t now = t.node.now_ns();
  EXPECT_TRUE(t.node.set_time_ns(now + 5));
  EXPECT_FALSE(t.node.set_time_ns(now));
  NodeOptions real = one_gpu("t4");
  real.manual_clock = false;
  TestNode r(real);
  EXPECT_FALSE(r.node.set_time_ns(r.node.now_ns() + 1'000'000'000));
}

TEST(Node, ForeignFilesAreRefused) {
  const TemporaryFolder folder = test::temporary_folder();
  EXPECT_EQ(Node::open(folder.path() / "none").error().code, Errc::not_found);
  const auto file = folder.path() / "garbage";
  std::ofstream(file) << "not a state file";
  EXPECT_EQ(Node::open(file).error().code, Errc::corrupt);
  TestNode t(one_gpu("t4"));
  std::filesystem::resize_file(file, std::filesystem::file_size(t.state()));
  EXPECT_EQ(Node::open(file).error().code, Errc::corrupt) << "right size, wrong content";
  std::filesystem::resize_file(file, 100);
  EXPECT_EQ(Node::open(file).error().code, Errc::corrupt);
}

TEST(Node, UnknownModelsAndTooManyDevicesAreRefused) {
  const TemporaryFolder folder = test::temporary_folder();
  const auto unknown = Node::create(folder.path() / "s", one_gpu("gtx"));
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.error().text(), ::testing::HasSubstr("v100, t4, k80, a100, h200"));
  NodeOptions many;
  many.gpus.resize(kMaxGpus + 1);
  EXPECT_FALSE(Node::create(folder.path() / "s", many).ok());
}

TEST(Node, PartsOfAPackageNeverExceedTheWhole) {
  NodeOptions options = one_gpu("t4");
  options.packages = 2;
  options.package_load = load(LoadKind::bursty);
  TestNode t(options);
  const std::int64_t from = t.node.now_ns();
  t.pass(30.0);
  const std::int64_t to = t.node.now_ns();
  for (std::size_t p = 0; p < 2; ++p) {
    const double whole = t.node.cpu_energy_j(p, CpuDomain::package, from, to);
    const double core = t.node.cpu_energy_j(p, CpuDomain::core, from, to);
    const double uncore = t.node.cpu_energy_j(p, CpuDomain::uncore, from, to);
    EXPECT_GT(core, 0.0);
    EXPECT_LT(core + uncore, whole);
    EXPECT_GT(whole, 30.0 * cpu_power_w(CpuDomain::package, 0.0));
    EXPECT_LT(whole, 30.0 * cpu_power_w(CpuDomain::package, 1.0));
  }
  EXPECT_NE(t.node.cpu_energy_j(0, CpuDomain::package, from, to),
            t.node.cpu_energy_j(1, CpuDomain::package, from, to));
}

}  // namespace
}  // namespace ergo::sim
