#include "sensors/nvml/selection.hpp"

#include "unit/sensors/nvml/fake_library.hpp"

#include <gmock/gmock.h>

namespace ergo::nvml {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Selection : public ::testing::Test {
 protected:
  Selection() {
    fake->device_count = 3;
    for (unsigned i = 0; i < 3; ++i)
      fake.add_current_fields(i);
    context = fake.context();
  }

  /// Indices of the GPUs that are measured when CUDA_VISIBLE_DEVICES is `variable`.
  std::vector<int> with_visible(const std::string& variable) {
    context.gpus.mode = GpuSelection::Mode::visible;
    context.environment.cuda_visible_devices = variable;
    return indices();
  }
  std::vector<int> with_list(std::vector<std::string> list) {
    context.gpus.mode = GpuSelection::Mode::listed;
    context.gpus.listed = std::move(list);
    return indices();
  }
  std::vector<int> indices() {
    found = FakeLibrary::discover(context);
    std::vector<int> all;
    for (const GpuIdentity& gpu : found.gpus)
      all.push_back(gpu.index);
    EXPECT_EQ(found.sensors.size(), all.size());
    return all;
  }
  /// A PCI bus on which the GPUs have these device ids.
  void put_on_bus(const std::vector<std::string>& ids) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto device = fake.folder() / ("bus/pci/devices/0000:0" + std::to_string(i) + ":00.0");
      std::filesystem::create_directories(device);
      ASSERT_TRUE(write_text_atomically(device / "vendor", "0x10de\n").ok());
      ASSERT_TRUE(write_text_atomically(device / "class", "0x030000\n").ok());
      ASSERT_TRUE(write_text_atomically(device / "device", ids[i] + "\n").ok());
    }
  }

  FakeLibrary fake;
  DiscoveryContext context;
  Discovery found;
};

TEST_F(Selection, IdentityHoldsIndexUuidNameAndLimit) {
  EXPECT_THAT(indices(), ElementsAre(0, 1, 2));
  EXPECT_EQ(found.gpus[2].uuid, "GPU-22220000-aaaa");
  EXPECT_EQ(found.gpus[2].name, "Tesla V100-SXM2-16GB");
  EXPECT_DOUBLE_EQ(found.gpus[2].power_limit_w, 250.0);
  EXPECT_FALSE(found.gpus[2].simulated);
  EXPECT_EQ(found.sensors[2]->name(), "GPU 2 (Tesla V100-SXM2-16GB)");
}

TEST_F(Selection, NoneDoesNotEvenStartTheDriver) {
  context.gpus.mode = GpuSelection::Mode::none;
  EXPECT_THAT(indices(), IsEmpty());
  EXPECT_EQ(fake->inits, 0);
}

TEST_F(Selection, WithoutTheVariableAllAreVisible) {
  context.gpus.mode = GpuSelection::Mode::visible;
  EXPECT_THAT(indices(), ElementsAre(0, 1, 2));
}

TEST_F(Selection, CudaVisibleDevicesMeansWhatItMeansToCuda) {
  EXPECT_THAT(with_visible("1"), ElementsAre(1));
  EXPECT_THAT(with_visible("2,0"), ElementsAre(0, 2));
  EXPECT_THAT(with_visible(" 2 , 0 "), ElementsAre(0, 2));
  EXPECT_THAT(with_visible("1,1"), ElementsAre(1));
  EXPECT_THAT(with_visible("GPU-2222"), ElementsAre(2));
  EXPECT_THAT(with_visible("GPU-11110000-aaaa,0"), ElementsAre(0, 1));
}

TEST_F(Selection, AnInvalidEntryEndsTheListAsItDoesForCuda) {
  EXPECT_THAT(with_visible("0,7,1"), ElementsAre(0));
  EXPECT_THAT(found.warnings, ::testing::Contains(HasSubstr("'7' is no GPU here")));
  EXPECT_THAT(with_visible("0,-1,1"), ElementsAre(0));
  EXPECT_THAT(with_visible("2,GPU-,1"), ElementsAre(2))
      << "a prefix that fits several GPUs is invalid";
  EXPECT_THAT(with_visible("0,1x,1"), ElementsAre(0));
  EXPECT_THAT(with_visible("9,0"), IsEmpty());
  EXPECT_THAT(found.warnings, ::testing::Contains(HasSubstr("GPU 0 (GPU-00000000-aaaa)")));
}

TEST_F(Selection, AListThatShowsNothingIsSaidWithoutStartingTheDriver) {
  for (const char* variable : {"", "-1", "NoDevFiles", ",0"}) {
    EXPECT_THAT(with_visible(variable), IsEmpty()) << variable;
    ASSERT_EQ(found.missing.size(), 1U);
    EXPECT_EQ(found.missing[0].fix, "--gpus all");
  }
  EXPECT_EQ(fake->inits, 0);
}

TEST_F(Selection, AMigInstanceStandsForItsGpu) {
  std::strcpy(fake.device(1).mig_uuid, "MIG-aaaa-bbbb");
  EXPECT_THAT(with_visible("MIG-aaaa-bbbb"), ElementsAre(1));
  EXPECT_THAT(with_visible("MIG-GPU-22220000-aaaa/1/0"), ElementsAre(2));
  EXPECT_THAT(with_visible("MIG-nowhere,0"), IsEmpty());
  EXPECT_THAT(with_list({"MIG-aaaa-bbbb"}), ElementsAre(1));
}

TEST_F(Selection, GpusThatAreNotSelectedAreAskedForNothingButHandleAndUuid) {
  with_visible("GPU-1111");
  ManualClock clock;
  for (int tick = 0; tick < 20; ++tick) {
    read_values(*found.sensors.at(0), clock);
    clock.advance(Seconds(0.1));
  }
  EXPECT_EQ(fake.device(0).calls_beyond_identity(), 0);
  EXPECT_EQ(fake.device(2).calls_beyond_identity(), 0);
  EXPECT_GT(fake.device(1).calls_beyond_identity(), 20);
  EXPECT_EQ(fake.device(1).writes, 0);
}

TEST_F(Selection, ByIndexOthersAreNotEvenLookedUp) {
  EXPECT_THAT(with_list({"1"}), ElementsAre(1));
  EXPECT_EQ(fake.device(0).handle_calls + fake.device(0).uuid_calls, 0);
  EXPECT_EQ(fake.device(2).handle_calls + fake.device(2).uuid_calls, 0);
}

TEST_F(Selection, ListedUuidsNeedNoMoreThanAUniquePrefix) {
  EXPECT_THAT(with_list({"gpu-2222", "0"}), ElementsAre(0, 2));
  EXPECT_THAT(with_list({"1111"}), IsEmpty()) << "a number is an index";
  EXPECT_THAT(with_list({"11110000-a"}), ElementsAre(1));
}

TEST_F(Selection, AnUnknownGpuIsReportedWithThoseThatExist) {
  EXPECT_THAT(with_list({"1", "5", "GPU-dead", "GPU-"}), ElementsAre(1));
  ASSERT_EQ(found.missing.size(), 3U);
  EXPECT_EQ(found.missing[0].what, "GPU 5");
  EXPECT_THAT(found.missing[0].why,
              HasSubstr("GPU 0 (GPU-00000000-aaaa), GPU 1 (GPU-11110000-aaaa)"));
  EXPECT_THAT(found.missing[1].what, HasSubstr("GPU-dead"));
  EXPECT_THAT(found.missing[2].why, HasSubstr("more than one"));
}

TEST_F(Selection, AGpuWithoutPermissionDoesNotHideTheOthers) {
  fake.device(1).handle_status = abi::no_permission;
  EXPECT_THAT(indices(), ElementsAre(0, 2));
  ASSERT_EQ(found.missing.size(), 1U);
  EXPECT_EQ(found.missing[0].what, "GPU 1");
  EXPECT_THAT(found.missing[0].why, HasSubstr("Insufficient Permissions"));
  EXPECT_THAT(found.missing[0].fix, HasSubstr("usermod"));
}

TEST_F(Selection, NumbersAreDoubtfulWhenGpusDifferAndCudaMaySortThem) {
  put_on_bus({"0x1db1", "0x1eb8", "0x1db1"});
  with_visible("1");
  EXPECT_THAT(found.warnings, ElementsAre(HasSubstr("CUDA_DEVICE_ORDER=PCI_BUS_ID")));
  with_visible("GPU-1111");
  EXPECT_THAT(found.warnings, IsEmpty()) << "a UUID is certain";
  with_visible("2,1,0");
  EXPECT_THAT(found.warnings, IsEmpty()) << "all are measured, whatever their order";
  context.environment.cuda_device_order = "PCI_BUS_ID";
  with_visible("1");
  EXPECT_THAT(found.warnings, IsEmpty());
}

TEST_F(Selection, NumbersAreCertainWhenAllGpusAreOfOneKind) {
  put_on_bus({"0x1db1", "0x1db1", "0x1db1"});
  with_visible("1");
  EXPECT_THAT(found.warnings, IsEmpty());
}

TEST_F(Selection, NumbersAreDoubtfulWhenTheBusCannotBeSeen) {
  with_visible("1");
  EXPECT_THAT(found.warnings, ElementsAre(HasSubstr("not known")));
}

}  // namespace
}  // namespace ergo::nvml
