#include "sensors/nvml/traits.hpp"

#include "unit/sensors/nvml/fake_library.hpp"

#include <gmock/gmock.h>

namespace ergo::nvml {
namespace {

using ::testing::HasSubstr;

struct TableCase {
  unsigned architecture;
  bool ga100;
  int branch;
  EnergyField field;
  double window_s;
  double period_s;
  double fraction;
};
void PrintTo(const TableCase& c, std::ostream* out) {
  *out << "architecture " << c.architecture << (c.ga100 ? " (GA100)" : "") << ", driver "
       << c.branch;
}

class Table : public ::testing::TestWithParam<TableCase> {};

// The cells of table 1 and sheet 2 of Yang, Adamek and Armour's results; Hopper's counter as
// docs/results/hopper.md has it.
TEST_P(Table, CellIsThatOfThePaper) {
  const TableCase& c = GetParam();
  const PowerTraits traits = traits_of({c.architecture, c.ga100, c.branch}, c.field);
  EXPECT_DOUBLE_EQ(traits.averaging_window.value(), c.window_s);
  EXPECT_DOUBLE_EQ(traits.update_period.value(), c.period_s);
  EXPECT_DOUBLE_EQ(traits.sampled_fraction, c.fraction);
  EXPECT_DOUBLE_EQ(traits.gain_u95, 0.05);
  EXPECT_EQ(traits.gain_kind, "nvml board sensor");
  EXPECT_THAT(traits.basis, HasSubstr("table"));
}

using enum EnergyField;
namespace arch = abi::architecture;
INSTANTIATE_TEST_SUITE_P(
    Nvml, Table,
    ::testing::Values(TableCase{arch::hopper, false, 550, power_instant, 0.025, 0.1, 0.25},
                      TableCase{arch::hopper, false, 550, power_average, 1.0, 0.1, 1.0},
                      TableCase{arch::hopper, false, 550, power_usage, 1.0, 0.1, 1.0},
                      TableCase{arch::hopper, false, 525, power_usage, 0.025, 0.1, 0.25},
                      TableCase{arch::hopper, false, 550, total_energy, 0.0, 0.1, 0.25},
                      TableCase{arch::hopper, false, 580, total_energy, 0.0, 0.1, 1.0},
                      TableCase{arch::hopper, false, 580, power_instant, 0.025, 0.1, 0.25},
                      TableCase{arch::ada, false, 525, power_usage, 1.0, 0.1, 1.0},
                      TableCase{arch::ada, false, 530, power_usage, 0.1, 0.1, 1.0},
                      TableCase{arch::ada, false, 535, power_usage, 1.0, 0.1, 1.0},
                      TableCase{arch::ampere, false, 535, power_instant, 0.1, 0.1, 1.0},
                      TableCase{arch::ampere, true, 535, power_usage, 0.025, 0.1, 0.25},
                      TableCase{arch::ampere, true, 535, total_energy, 0.0, 0.1, 0.25},
                      TableCase{arch::turing, false, 470, power_usage, 0.1, 0.1, 1.0},
                      TableCase{arch::volta, false, 535, power_instant, 0.01, 0.02, 0.5},
                      TableCase{arch::volta, false, 535, total_energy, 0.0, 0.02, 0.5},
                      TableCase{arch::pascal, false, 470, power_usage, 0.01, 0.02, 0.5}));

TEST(Traits, WhatTheTableLacksIsCalledAssumed) {
  EXPECT_THAT(traits_of({arch::blackwell, false, 570}, power_instant).basis, HasSubstr("assumed"));
  EXPECT_THAT(traits_of({arch::unknown, false, 0}, total_energy).basis, HasSubstr("assumed"));
  EXPECT_DOUBLE_EQ(traits_of({arch::blackwell, false, 580}, total_energy).sampled_fraction, 0.25);
  // A V100 has no mean power in the table.
  EXPECT_THAT(traits_of({arch::volta, false, 535}, power_average).basis, HasSubstr("assumed"));
}

TEST(Traits, AnUnknownDriverCountsAsARecentOne) {
  EXPECT_DOUBLE_EQ(traits_of({arch::ada, false, 0}, power_usage).averaging_window.value(), 1.0);
  EXPECT_THAT(traits_of({arch::ada, false, 0}, power_usage).basis, HasSubstr("driver unknown"));
}

TEST(Traits, AGa100IsToldFromOtherAmperesByWhateverIsKnown) {
  EXPECT_TRUE(is_ga100(8, 0, 0, ""));
  EXPECT_FALSE(is_ga100(8, 6, 0, "NVIDIA A100"));
  EXPECT_TRUE(is_ga100(0, 0, 0x20b010de, ""));
  EXPECT_FALSE(is_ga100(0, 0, 0x220410de, "NVIDIA GeForce RTX 3090"));
  EXPECT_TRUE(is_ga100(0, 0, 0, "NVIDIA A100-SXM4-40GB"));
  EXPECT_TRUE(is_ga100(0, 0, 0, "NVIDIA A30"));
  EXPECT_TRUE(is_ga100(0, 0, 0, "A100X"));
  EXPECT_FALSE(is_ga100(0, 0, 0, "NVIDIA RTX A1000"));
  EXPECT_FALSE(is_ga100(0, 0, 0, "NVIDIA RTX A3000"));
  EXPECT_FALSE(is_ga100(0, 0, 0, "NVIDIA A40"));
}

TEST(Traits, ADriverThatCannotNameTheArchitectureIsAskedForTheComputeCapability) {
  EXPECT_EQ(architecture_of(3, 7), arch::kepler);
  EXPECT_EQ(architecture_of(7, 0), arch::volta);
  EXPECT_EQ(architecture_of(7, 5), arch::turing);
  EXPECT_EQ(architecture_of(8, 6), arch::ampere);
  EXPECT_EQ(architecture_of(8, 9), arch::ada);
  EXPECT_EQ(architecture_of(9, 0), arch::hopper);
  EXPECT_EQ(architecture_of(12, 0), arch::blackwell);
  EXPECT_EQ(architecture_of(0, 0), arch::unknown);

  FakeLibrary fake({"nvmlDeviceGetArchitecture"});
  fake.add_current_fields();
  Discovery found = fake.discover();
  const SignalInfo* energy = find_signal(*found.sensors.at(0), "nvml.total_energy@gpu0");
  EXPECT_EQ(energy->traits.basis, "table: Volta, driver 535");
}

TEST(Traits, AnA100IsKnownOnTheRoadFromTheDriverToTheSignal) {
  FakeLibrary fake;
  fake.device().architecture = arch::ampere;
  fake.device().capability_major = 8;
  fake.device().capability_minor = 0;
  fake.add_current_fields();
  Discovery found = fake.discover();
  const SignalInfo* energy = find_signal(*found.sensors.at(0), "nvml.total_energy@gpu0");
  EXPECT_DOUBLE_EQ(energy->traits.sampled_fraction, 0.25);
  EXPECT_EQ(energy->traits.basis, "table: GA100, driver 535");
}

}  // namespace
}  // namespace ergo::nvml
