// On a real NVIDIA GPU: does the driver's energy counter agree with its power readings, and how
// often are they renewed? Only reads. Run with a load on the GPU for numbers under load: ctest -L
// hardware -V
#include "ergo/sensors/probe.hpp"
#include "ergo/sensors/registry.hpp"
#include "sensors/nvml/library.hpp"
#include "sensors/nvml/nvml.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <optional>

namespace ergo::nvml {
namespace {

std::optional<std::size_t> first_of(const Sensor& sensor, SignalKind kind) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < sensor.signals().size(); ++i) {
    const SignalInfo& info = sensor.signals()[i];
    if (info.kind == kind && (!best || info.rank < sensor.signals()[*best].rank)) best = i;
  }
  return best;
}

std::optional<Sample> sample_of(const Batch& batch, std::optional<std::size_t> signal) {
  for (const Batch::Entry& entry : batch.entries()) {
    if (signal && entry.signal == *signal) return entry.sample;
  }
  return std::nullopt;
}

class RealGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto library = Library::open(std::nullopt);
    if (!library) GTEST_SKIP() << "no NVIDIA driver: " << library.error().text();
    if ((*library)->simulated()) GTEST_SKIP() << "the NVML library found is a simulated one";
    library_ = *library;
    DiscoveryContext context;
    context.environment = Environment::from_process();
    context.environment.nvml_library.reset();
    nvml::discover(context, found_);
    if (found_.sensors.empty()) GTEST_SKIP() << "no NVIDIA GPU is visible and readable";
    for (const GpuIdentity& gpu : found_.gpus)
      limits_before_.push_back(limit_of(gpu));
  }
  void TearDown() override {
    for (std::size_t i = 0; i < limits_before_.size(); ++i) {
      EXPECT_EQ(limit_of(found_.gpus[i]), limits_before_[i])
          << "a measurement changed a power limit";
    }
  }
  [[nodiscard]] double limit_of(const GpuIdentity& gpu) const {
    const auto device = library_->find(gpu.uuid);
    return device ? library_->enforced_power_limit(*device).value_or(Watts(0)).value() : 0.0;
  }

  std::shared_ptr<const Library> library_;
  Discovery found_;
  std::vector<double> limits_before_;
  SystemClock clock_;
};

TEST_F(RealGpu, UpdatePeriodsAndCallCostsAreMeasurable) {
  std::cout << "driver " << library_->driver_version() << "\n";
  for (const auto& sensor : found_.sensors) {
    const SensorProbe probe = probe_update_period(*sensor, clock_);
    EXPECT_EQ(probe.failures, 0U) << probe.failure->text();
    ASSERT_TRUE(probe.call_median.has_value());
    std::cout << fmt::format("{}: call median {:.0f} us, max {:.0f} us\n", probe.sensor,
                             probe.call_median->value() * 1e6, probe.call_max->value() * 1e6);
    for (const SignalProbe& signal : probe.signals) {
      const std::string period =
          signal.update_period ? fmt::format("{:.1f} ms{}", signal.update_period->value() * 1e3,
                                             signal.regular ? "" : " or less")
                               : std::string("not seen to change");
      std::cout << fmt::format("  {}: {} ({} changes), assumed {:.0f} ms{}\n", signal.signal,
                               period, signal.changes, signal.claimed.value() * 1e3,
                               signal.disagrees ? "  DISAGREES" : "");
    }
  }
}

TEST_F(RealGpu, TheCounterAgreesWithTheIntegralOfPower) {
  constexpr Seconds duration{15.0};
  constexpr Seconds period{0.02};
  std::size_t compared = 0;
  for (const auto& sensor : found_.sensors) {
    const auto energy = first_of(*sensor, SignalKind::energy);
    const auto power = first_of(*sensor, SignalKind::power);
    if (!energy || !power) continue;
    std::optional<Sample> first;
    std::optional<Sample> last_power;
    // A counter that is dear to read is read once a second: what lies between its first and its
    // last reading is compared.
    double integral = 0;
    double integral_at_first = 0;
    double integrated = 0;
    double counted = 0;
    Seconds span{0};
    double largest = 0;
    Batch batch;
    const Instant end = clock_.now() + duration;
    while (clock_.now() < end) {
      batch.clear();
      ASSERT_TRUE(sensor->read(clock_, batch).ok());
      if (const auto now = sample_of(batch, power)) {
        if (last_power) {
          integral +=
              0.5 * (now->value + last_power->value) * (now->time - last_power->time).value();
        }
        largest = std::max(largest, now->value);
        last_power = now;
      }
      if (const auto now = sample_of(batch, energy)) {
        if (!first) {
          first = now;
          integral_at_first = integral;
        }
        counted = now->value - first->value;
        integrated = integral - integral_at_first;
        span = now->time - first->time;
      }
      clock_.sleep_until(clock_.now() + period, {});
    }
    ASSERT_GT(span, duration / 2.0);
    const SignalInfo& counter = sensor->signals()[*energy];
    const SignalInfo& meter = sensor->signals()[*power];
    std::cout << fmt::format(
        "{}: {} {:.1f} J, integral of {} {:.1f} J, {:+.2f} %, mean {:.1f} W over {:.2f} s\n",
        sensor->name(), counter.source, counted, meter.source, integrated,
        100 * (counted - integrated) / integrated, integrated / span.value(), span.value());
    // Both come from one sensor, so its gain cancels. What remains: an update of the counter at
    // either end, the lag of an averaged reading when the load changes, and sampling; 10 % covers a
    // steady load.
    const double edges =
        2 * largest * (counter.traits.update_period + meter.traits.averaging_window).value();
    EXPECT_NEAR(counted, integrated, 0.10 * integrated + edges);
    ++compared;
  }
  if (compared == 0)
    GTEST_SKIP() << "no visible GPU has both an energy counter and a power reading";
}

}  // namespace
}  // namespace ergo::nvml
