// One node used by several threads of a process.
#include "simulated_node.hpp"

#include <thread>
#include <vector>

namespace ergo::sim {
namespace {

using test::one_gpu;
using test::TestNode;

TEST(Threads, ManyMoveOneNode) {
  TestNode t(one_gpu("v100", test::load(LoadKind::bursty)));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 300; ++n) {
        t.node.set_time_ns(t.node.now_ns() + 1'000'000);
        t.node.update(0, [](Gpu& gpu) { gpu.persistence ^= 1U; });
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  const Gpu gpu = t.node.gpu(0);
  EXPECT_EQ(gpu.now_ns, t.node.now_ns());
  EXPECT_EQ(gpu.persistence, 1U) << "1,200 changes, none lost";
  EXPECT_NEAR(t.truth(), gpu.true_j, 1e-9);
}

}  // namespace
}  // namespace ergo::sim
