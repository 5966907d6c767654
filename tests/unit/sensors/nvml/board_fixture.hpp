#pragma once
// A fake NVML with one board, and the sensor that the backend makes of it.

#include "unit/sensors/nvml/fake_library.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ergo::nvml {

class OneBoard : public ::testing::Test {
 protected:
  Sensor& open() {
    found = fake.discover();
    EXPECT_EQ(found.sensors.size(), 1U);
    return *found.sensors.at(0);
  }
  double value(const std::string& name) {
    return read_values(*found.sensors.at(0), clock).at(name);
  }

  FakeLibrary fake;
  Discovery found;
  ManualClock clock{Instant{1'000'000'000}};
};

}  // namespace ergo::nvml
