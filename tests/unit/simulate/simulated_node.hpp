#pragma once
// Nodes for tests: in a temporary folder, with a clock that the test moves.

#include "ergo/core/files.hpp"
#include "node.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

namespace ergo::sim::test {

inline constexpr std::int64_t kMs = 1'000'000;

inline TemporaryFolder temporary_folder() {
  auto folder = TemporaryFolder::create("ergo-sim-test");
  EXPECT_TRUE(folder.ok());
  return std::move(folder).value();
}

inline LoadSpec load(LoadKind kind, Demand demand = {0.8, 0.5, 0.3}) {
  LoadSpec spec;
  spec.kind = kind;
  spec.demand = demand;
  return spec;
}

/// One GPU, manual clock, exact gain.
inline NodeOptions one_gpu(const std::string& preset, const LoadSpec& spec = {}) {
  NodeOptions options;
  GpuOptions gpu;
  gpu.preset = preset;
  gpu.load = spec;
  gpu.gain = 1.0;
  options.gpus.push_back(gpu);
  options.packages = 0;
  options.manual_clock = true;
  return options;
}

struct TestNode {
  TemporaryFolder folder;
  Node node;

  explicit TestNode(const NodeOptions& options)
      : folder(temporary_folder()), node(make(folder, options)) {}
  [[nodiscard]] std::filesystem::path state() const { return folder.path() / "state"; }
  void pass(double seconds) {
    EXPECT_TRUE(node.set_time_ns(node.now_ns() + std::llround(seconds * 1e9)));
  }
  double truth(std::size_t gpu = 0) {
    return node.gpu_energy_j(gpu, node.info().start_ns, node.now_ns());
  }

 private:
  static Node make(const TemporaryFolder& folder, const NodeOptions& options) {
    auto node = Node::create(folder.path() / "state", options);
    EXPECT_TRUE(node.ok()) << (node.ok() ? "" : node.error().text());
    return std::move(node).value();
  }
};

}  // namespace ergo::sim::test
