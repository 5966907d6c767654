#include "sysfs_tree.hpp"

#include "gpu_metrics_table.hpp"
#include "simulated_node.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>

namespace ergo::sim {
namespace {

using test::TestNode;

NodeOptions packages(int count) {
  NodeOptions options;
  options.packages = count;
  options.package_load = test::load(LoadKind::bursty);
  options.package_gain = 1.0;
  options.manual_clock = true;
  return options;
}

class Sysfs : public ::testing::Test {
 protected:
  void make(int count, const SysfsOptions& options) {
    node_ = std::make_unique<TestNode>(packages(count));
    auto tree = SysfsTree::make(root(), node_->node, options);
    ASSERT_TRUE(tree.ok()) << tree.error().text();
    tree_ = std::make_unique<SysfsTree>(std::move(tree).value());
  }
  [[nodiscard]] std::filesystem::path root() const { return node_->folder.path() / "sys"; }
  [[nodiscard]] std::string text(const std::string& path) const {
    return read_text(root() / path).value_or("");
  }
  [[nodiscard]] double number(const std::string& path) const {
    return std::strtod(text(path).c_str(), nullptr);
  }
  void pass(double seconds) {
    node_->pass(seconds);
    ASSERT_TRUE(tree_->update(node_->node).ok());
  }

  std::unique_ptr<TestNode> node_;
  std::unique_ptr<SysfsTree> tree_;
};

TEST_F(Sysfs, SaysThatItIsSimulated) {
  make(1, {});
  EXPECT_TRUE(std::filesystem::exists(root() / "ergo-simulated"));
}

TEST_F(Sysfs, LooksLikeAPowercapTree) {
  SysfsOptions options;
  options.psys = true;
  make(2, options);
  EXPECT_EQ(text("class/powercap/intel-rapl:0/name"), "package-0\n");
  EXPECT_EQ(text("class/powercap/intel-rapl:1/name"), "package-1\n");
  EXPECT_EQ(text("class/powercap/intel-rapl:1:2/name"), "dram\n");
  EXPECT_EQ(text("class/powercap/intel-rapl:0/intel-rapl:0:0/name"), "core\n");
  EXPECT_EQ(text("class/powercap/intel-rapl:2/name"), "psys\n");
  EXPECT_EQ(text("class/powercap/intel-rapl:0/max_energy_range_uj"), "262143328850\n");
}

TEST_F(Sysfs, CountersFollowTheTruth) {
  make(2, {});
  const std::string file = "class/powercap/intel-rapl:1/energy_uj";
  const double before = number(file);
  const std::int64_t from = node_->node.now_ns();
  pass(12.5);
  const double truth = node_->node.cpu_energy_j(1, CpuDomain::package, from, node_->node.now_ns());
  EXPECT_NEAR((number(file) - before) * 1e-6, truth, 1e-5);
}

TEST_F(Sysfs, CountersWrapWhereTheySay) {
  SysfsOptions options;
  options.max_energy_range_uj = 3'000'000;  // 3 J
  make(1, options);
  const std::string file = "class/powercap/intel-rapl:0/energy_uj";
  double last = number(file);
  double total = 0.0;
  int wraps = 0;
  const std::int64_t from = node_->node.now_ns();
  for (int i = 0; i < 500; ++i) {
    pass(0.01);
    const double now = number(file);
    ASSERT_LE(now, 3e6);
    if (now < last) ++wraps;
    total += now - last + (now < last ? 3e6 : 0.0);
    last = now;
  }
  EXPECT_GT(wraps, 20);
  EXPECT_NEAR(total * 1e-6,
              node_->node.cpu_energy_j(0, CpuDomain::package, from, node_->node.now_ns()), 1e-4);
}

TEST_F(Sysfs, TheGainOfAPackageShowsInItsCounter) {
  NodeOptions options = packages(1);
  options.package_gain = 1.1;
  node_ = std::make_unique<TestNode>(options);
  auto tree = SysfsTree::make(root(), node_->node, {});
  ASSERT_TRUE(tree.ok());
  const double before = number("class/powercap/intel-rapl:0/energy_uj");
  const std::int64_t from = node_->node.now_ns();
  node_->pass(3.0);
  ASSERT_TRUE(tree->update(node_->node).ok());
  const double truth = node_->node.cpu_energy_j(0, CpuDomain::package, from, node_->node.now_ns());
  EXPECT_NEAR((number("class/powercap/intel-rapl:0/energy_uj") - before) * 1e-6, 1.1 * truth, 1e-4);
}

TEST_F(Sysfs, OtherMetersAreThereWhenAskedFor) {
  SysfsOptions options;
  options.amdgpu = AmdMetrics::v1_3;
  options.i915 = options.xe = options.acpi_power_meter = options.ina = options.battery = true;
  make(1, options);
  EXPECT_EQ(text("class/drm/card0/device/vendor"), "0x1002\n");
  EXPECT_EQ(text("class/hwmon/hwmon0/name"), "amdgpu\n");
  EXPECT_EQ(text("class/drm/card1/device/hwmon/hwmon1/name"), "i915\n");
  EXPECT_EQ(text("class/hwmon/hwmon2/name"), "xe\n");
  EXPECT_EQ(text("class/hwmon/hwmon3/name"), "power_meter\n");
  EXPECT_EQ(text("class/power_supply/BAT0/status"), "Discharging\n");
  const double card = number("class/hwmon/hwmon1/energy1_input");
  const double battery = number("class/power_supply/BAT0/power_now");
  pass(2.0);
  EXPECT_GE(number("class/hwmon/hwmon1/energy1_input") - card, 2 * 20e6);
  EXPECT_GT(battery, 6e6 - 1);
}

TEST_F(Sysfs, AnAmdTableCarriesTheEnergyOfTheCard) {
  SysfsOptions options;
  options.amdgpu = AmdMetrics::v1_4;
  make(1, options);
  pass(10.0);
  const std::string table = text("class/drm/card0/device/gpu_metrics");
  std::uint64_t steps = 0;
  std::uint64_t clock = 0;
  ASSERT_EQ(table.size(), 288U);
  EXPECT_EQ(table[2], 1);
  EXPECT_EQ(table[3], 4);
  std::memcpy(&steps, table.data() + 24, 8);
  std::memcpy(&clock, table.data() + 32, 8);
  EXPECT_EQ(clock, static_cast<std::uint64_t>(node_->node.now_ns()));
  const double joules = static_cast<double>(steps) / 65536.0;
  EXPECT_NEAR(joules, 10.0 * 45.0 + 210.0 * node_->node.package(0).activity_s, 1e-3);
}

TEST_F(Sysfs, ANumberThatBecomesShorterLeavesNoDigitsBehind) {
  SysfsOptions options;
  options.max_energy_range_uj = 1'000'000;
  make(1, options);
  for (int i = 0; i < 300; ++i) {
    pass(0.003);
    const std::string now = text("class/powercap/intel-rapl:0/energy_uj");
    ASSERT_EQ(now.find_first_not_of("0123456789"), now.find('\n'));
    ASSERT_EQ(now.find_first_not_of('\n', now.find('\n')), std::string::npos) << now;
  }
}

TEST_F(Sysfs, MetersWithoutAPackageAreRefused) {
  node_ = std::make_unique<TestNode>(test::one_gpu("v100"));
  SysfsOptions options;
  options.battery = true;
  const auto tree = SysfsTree::make(root(), node_->node, options);
  ASSERT_FALSE(tree.ok());
  EXPECT_EQ(tree.error().code, Errc::invalid_argument);
}

TEST_F(Sysfs, AFolderThatCannotBeWrittenIsAnError) {
  node_ = std::make_unique<TestNode>(packages(1));
  const auto tree = SysfsTree::make("/proc/self/fdinfo/none", node_->node, {});
  EXPECT_FALSE(tree.ok());
}

}  // namespace
}  // namespace ergo::sim
