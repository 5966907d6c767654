// Several processes on one node, and processes that die at the worst moment.
#include "client.hpp"
#include "simulated_node.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace ergo::sim {
namespace {

using test::one_gpu;
using test::TestNode;

// Runs `body` in a child and returns how it ended.
template <class Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(Sharing, AnotherProcessSeesTheLimitThatOneSets) {
  TestNode t(one_gpu("v100"));
  const int status = in_child([&] {
    auto node = Node::open(t.state());
    if (!node) _exit(1);
    node->update(0, [](Gpu& gpu) { gpu.limit_mw = 200'000; });
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(t.node.gpu(0).limit_mw, 200'000U);
}

TEST(Sharing, TwoProcessesAgreeOnTheEnergy) {
  TestNode t(one_gpu("v100", test::load(LoadKind::bursty)));
  t.pass(5.0);
  const double expected = t.truth();
  const int status = in_child([&] {
    auto node = Node::open(t.state());
    const double seen = node ? node->gpu_energy_j(0, node->info().start_ns, node->now_ns()) : -1;
    _exit(seen == expected ? 0 : 1);
  });
  EXPECT_EQ(status, 0);
}

TEST(Sharing, AProcessKilledWhileItHoldsTheLockChangesNothing) {
  TestNode t(one_gpu("v100", test::load(LoadKind::bursty)));
  TestNode undisturbed(one_gpu("v100", test::load(LoadKind::bursty)));
  for (int i = 0; i < 20; ++i) {
    t.pass(0.5);
    undisturbed.pass(0.5);
    const int status = in_child([&] {
      auto node = Node::open(t.state());
      if (!node) _exit(1);
      node->update(0, [](Gpu& gpu) {
        gpu.limit_mw = 1;
        gpu.true_j = -1;
        raise(SIGKILL);
      });
    });
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ASSERT_EQ(t.node.gpu(0).limit_mw, 300'000U);
  }
  EXPECT_EQ(t.truth(), undisturbed.truth());
}

TEST(Sharing, RandomKillsLeaveTheNodeUsable) {
  NodeOptions options = one_gpu("t4", test::load(LoadKind::bursty));
  options.manual_clock = false;
  TestNode t(options);
  for (int i = 0; i < 10; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      auto node = Node::open(t.state());
      while (node)
        node->update(0, [](const Gpu&) {});
      _exit(1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3 + 2 * i));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const std::int64_t now = t.node.now_ns();
    const double joules = t.node.gpu_energy_j(0, t.node.info().start_ns, now);
    EXPECT_GT(joules, 0.0);
    EXPECT_LT(joules, 71.0 * static_cast<double>(now - t.node.info().start_ns) * 1e-9);
  }
}

TEST(Sharing, TheDemandOfADeadProgramEnds) {
  TestNode t(one_gpu("v100"));
  in_child([&] {
    auto node = Node::open(t.state());
    auto context = node ? GpuContext::open(*node, 0, std::uint64_t{1} << 30U)
                        : Result<GpuContext>(node.error());
    if (!context) _exit(1);
    context->set_demand({1.0, 0.5, 0.0});
    raise(SIGKILL);
  });
  std::this_thread::sleep_for(
      std::chrono::milliseconds(120));  // dead programs are looked for now and then
  t.node.update(0, [](const Gpu&) {});
  t.pass(1.0);
  const Gpu gpu = t.node.gpu(0);
  EXPECT_EQ(gpu.slots[0].pid, 0);
  EXPECT_EQ(gpu.point.power_w, find_preset("v100")->idle_w);
}

}  // namespace
}  // namespace ergo::sim
