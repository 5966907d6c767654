#include "control_fixture.hpp"

namespace ergo::control::test {
namespace {

using ::testing::HasSubstr;

/// A folder that looks like /sys with AMD cards, and no NVML.
class AmdGpu : public ::testing::Test {
 protected:
  AmdGpu() : folder_(std::move(TemporaryFolder::create("ergo-amd").value())) {
    environment_.sysfs = folder_.path() / "sys";
    environment_.sysfs_replaced = true;
    environment_.nvml_library = "/nonexistent/libnvidia-ml.so";
    environment_.state_dir = folder_.path() / "limits";
    options_.guardian = {ERGO_LIMIT_HOLDER, "guardian"};
    add_card(0, "1d1f3a7c5b2e9460");
    add_card(1, "");
  }

  [[nodiscard]] fs::path device(int card) const {
    return environment_.sysfs / "class/drm" / ("card" + std::to_string(card)) / "device";
  }
  [[nodiscard]] fs::path chip(int card) const { return device(card) / "hwmon/hwmon3"; }
  void add_card(int card, const std::string& unique_id) {
    // As in the kernel, class/drm/cardN/device is a link to the PCI function.
    const auto pci =
        environment_.sysfs / "devices" / ("0000:0" + std::to_string(3 + card) + ":00.0");
    fs::create_directories(pci / "hwmon/hwmon3");
    fs::create_directories(device(card).parent_path());
    fs::create_directory_symlink(pci, device(card));
    write(device(card) / "vendor", "0x1002");
    write(device(card) / "device", "0x740f");
    if (!unique_id.empty()) write(device(card) / "unique_id", unique_id);
    write(chip(card) / "name", "amdgpu");
    write(chip(card) / "power1_cap", "300000000");
    write(chip(card) / "power1_cap_default", "300000000");
    write(chip(card) / "power1_cap_max", "320000000");
    write(chip(card) / "power1_cap_min", "100000000");
  }
  static void write(const fs::path& file, const std::string& text) {
    std::ofstream(file) << text << "\n";
  }
  [[nodiscard]] double cap(int card = 0) const {
    double microwatts = 0;
    std::ifstream(chip(card) / "power1_cap") >> microwatts;
    return microwatts * 1e-6;
  }
  auto set(double watts) {
    return set_power_limit(environment_, std::vector{uuid_}, Watts(watts), options_);
  }

  TemporaryFolder folder_;
  Environment environment_;
  LimitOptions options_;
  const std::string uuid_ = "GPU-1d1f3a7c5b2e9460";
  const std::string other_ = "PCI-0000:04:00.0";
};

TEST_F(AmdGpu, IsShownWithItsRange) {
  const auto overview = list(environment_, {});
  ASSERT_TRUE(overview.ok());
  EXPECT_FALSE(overview->no_gpus);
  ASSERT_EQ(overview->gpus.size(), 2U);
  EXPECT_EQ(overview->gpus[0].uuid, uuid_);
  EXPECT_EQ(overview->gpus[1].uuid, other_);
  EXPECT_EQ(overview->gpus[0].set, Watts(300.0));
  EXPECT_EQ(overview->gpus[0].standard, Watts(300.0));
  EXPECT_EQ(overview->gpus[0].min, Watts(100.0));
  EXPECT_EQ(overview->gpus[0].max, Watts(320.0));
  EXPECT_EQ(overview->gpus[0].refusal, "");
  GpuSelection second;
  second.mode = GpuSelection::Mode::listed;
  second.listed = {"1"};
  const auto chosen = list(environment_, second);
  ASSERT_TRUE(chosen.ok());
  ASSERT_EQ(chosen->gpus.size(), 1U);
  EXPECT_EQ(chosen->gpus[0].uuid, other_);
}

TEST_F(AmdGpu, IsLimitedVerifiedAndRestored) {
  {
    auto guard = set(150.0);
    ASSERT_TRUE(guard.ok()) << guard.error().text();
    EXPECT_EQ(cap(), 150.0);
    EXPECT_EQ(cap(1), 300.0);
    EXPECT_EQ((*guard)->enforced(), Watts(150.0));
    EXPECT_EQ((*guard)->check(), std::nullopt);
    ASSERT_TRUE((*guard)->change(Watts(200.0)).ok());
    EXPECT_EQ(cap(), 200.0);
    EXPECT_FALSE((*guard)->change(Watts(99.0)).ok());
    const auto second = set(180.0);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Errc::busy);
  }
  EXPECT_EQ(cap(), 300.0);
}

TEST_F(AmdGpu, WithoutAUniqueIdItIsKnownByItsAddress) {
  const auto kept = keep_power_limit(environment_, std::vector{other_}, Watts(220.0));
  ASSERT_TRUE(kept.ok()) << kept.error().text();
  EXPECT_EQ(cap(1), 220.0);
  const auto report = restore_all(environment_);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->size(), 1U);
  EXPECT_EQ(report->front().outcome, Restored::Outcome::restored);
  EXPECT_EQ(cap(1), 300.0);
}

TEST_F(AmdGpu, AnotherProgramsChangeIsNoticed) {
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok());
  write(chip(0) / "power1_cap", "250000000");
  ASSERT_TRUE((*guard)->check());
  EXPECT_THAT(*(*guard)->check(), HasSubstr("from 150 W to 250 W"));
}

TEST_F(AmdGpu, LimitsItDoesNotAllowAreRefused) {
  for (const double watts : {99.0, 321.0, 150.5, 0.0, -1.0}) {
    const auto guard = set(watts);
    ASSERT_FALSE(guard.ok()) << watts;
    EXPECT_EQ(guard.error().code, Errc::invalid_argument);
  }
  EXPECT_EQ(cap(), 300.0);
  EXPECT_FALSE(fs::exists(environment_.state_dir));
}

TEST_F(AmdGpu, WithoutACapOrWithGarbageInItItIsRefused) {
  write(chip(0) / "power1_cap", "many watts");
  EXPECT_EQ(set(150.0).error().code, Errc::not_supported);
  fs::remove(chip(0) / "power1_cap");
  const auto guard = set(150.0);
  ASSERT_FALSE(guard.ok());
  EXPECT_EQ(guard.error().code, Errc::not_supported);
  EXPECT_THAT(guard.error().message, HasSubstr("no power cap"));
  fs::remove_all(device(0).parent_path());
  EXPECT_FALSE(set(150.0).ok());
}

TEST_F(AmdGpu, ACardThatIsGoneAtTheEndIsRestoredLater) {
  auto guard = set(150.0);
  ASSERT_TRUE(guard.ok());
  const auto away = folder_.path() / "away";
  const auto pci = fs::canonical(device(0));
  fs::rename(pci, away);
  EXPECT_FALSE((*guard)->restore().ok());
  EXPECT_TRUE(fs::exists(environment_.state_dir / (uuid_ + ".run")));
  fs::rename(away, pci);
  guard->reset();
  for (int i = 0; i < 200 && cap() != 300.0; ++i) {  // its guardian may be faster
    std::ignore = restore_all(environment_);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(cap(), 300.0);
}

TEST_F(AmdGpu, WhoIsKilledLeavesTheCapFound) {
  ::setenv("ERGO_SYSFS", environment_.sysfs.c_str(), 1);
  ::setenv("ERGO_NVML", "/nonexistent/libnvidia-ml.so", 1);
  ::setenv("ERGO_STATE_DIR", environment_.state_dir.c_str(), 1);
  for (const bool group : {false, true}) {
    Program holder({ERGO_LIMIT_HOLDER, "hold", "150", uuid_});
    EXPECT_EQ(holder.line(), "set");
    EXPECT_EQ(cap(), 150.0);
    holder.end(SIGKILL, group);
    for (int i = 0; i < 600 && cap() != 300.0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(cap(), 300.0);
  }
  for (const char* name : {"ERGO_SYSFS", "ERGO_NVML", "ERGO_STATE_DIR"})
    ::unsetenv(name);
}

}  // namespace
}  // namespace ergo::control::test
