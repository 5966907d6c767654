// On a real NVIDIA GPU: does the driver's energy counter agree with its power readings, and how
// often are they renewed? Only reads. Run with a load on the GPU for numbers under load: ctest -L
// hardware -V
#include "ergo/sensors/probe.hpp"
#include "ergo/sensors/registry.hpp"
#include "sensors/nvml/library.hpp"
#include "sensors/nvml/nvml.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <optional>
#include <vector>

namespace ergo::nvml {
namespace {

/// Integral of one power signal between the first and the last reading of a counter.
class Integral {
 public:
  explicit Integral(std::size_t signal) : signal(signal) {}
  void add(const Sample& now) {
    if (last_) joules_ += 0.5 * (now.value + last_->value) * (now.time - last_->time).value();
    last_ = now;
  }
  void counter_was_read() {
    if (!at_first_) at_first_ = joules_;
    at_last_ = joules_;
  }
  [[nodiscard]] double between() const { return at_last_ - at_first_.value_or(0.0); }

  std::size_t signal;

 private:
  double joules_ = 0.0;
  std::optional<double> at_first_;
  double at_last_ = 0.0;
  std::optional<Sample> last_;
};

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

/// What a counter and the power readings of one board say of the same time. A counter that is dear
/// to read is read once a second: what lies between its first and its last reading is compared.
struct Comparison {
  std::optional<Sample> first;
  Sample last;
  double largest = 0.0;
  std::vector<Integral> integrals;

  void add(const Sensor& sensor, const Batch& batch) {
    bool counted = false;
    for (const Batch::Entry& entry : batch.entries()) {
      for (Integral& integral : integrals) {
        if (integral.signal != entry.signal) continue;
        integral.add(entry.sample);
        largest = std::max(largest, entry.sample.value);
      }
      if (sensor.signals()[entry.signal].kind != SignalKind::energy) continue;
      if (!first) first = entry.sample;
      last = entry.sample;
      counted = true;
    }
    for (Integral& integral : integrals) {
      if (counted) integral.counter_was_read();
    }
  }
};

TEST_F(RealGpu, TheCounterAgreesWithTheIntegralsOfPower) {
  constexpr Seconds duration{15.0};
  constexpr Seconds period{0.02};
  std::size_t compared = 0;
  for (const auto& sensor : found_.sensors) {
    Comparison seen;
    for (std::size_t i = 0; i < sensor->signals().size(); ++i) {
      if (sensor->signals()[i].kind == SignalKind::power) seen.integrals.emplace_back(i);
    }
    Batch batch;
    const Instant end = clock_.now() + duration;
    while (clock_.now() < end) {
      batch.clear();
      ASSERT_TRUE(sensor->read(clock_, batch).ok());
      seen.add(*sensor, batch);
      clock_.sleep_until(clock_.now() + period, {});
    }
    if (!seen.first) continue;
    const Seconds span = seen.last.time - seen.first->time;
    const double counted = seen.last.value - seen.first->value;
    ASSERT_GT(span, duration / 2.0);
    for (const Integral& integral : seen.integrals) {
      const SignalInfo& meter = sensor->signals()[integral.signal];
      const double integrated = integral.between();
      std::cout << fmt::format(
          "{}: the counter {:.1f} J, integral of {} {:.1f} J, {:+.2f} %, mean {:.1f} W over {:.2f} "
          "s\n",
          sensor->name(), counted, meter.source, integrated,
          100 * (counted - integrated) / integrated, integrated / span.value(), span.value());
      // All come from one sensor, so its gain cancels. What remains: an update of the counter at
      // either end, the lag of an averaged reading when the load changes, and sampling; 10 % covers
      // a steady load.
      const double edges =
          2 * seen.largest * (Seconds(0.2) + meter.traits.averaging_window).value();
      EXPECT_NEAR(counted, integrated, 0.10 * integrated + edges) << meter.source;
      ++compared;
    }
  }
  if (compared == 0)
    GTEST_SKIP() << "no visible GPU has both an energy counter and a power reading";
}

}  // namespace
}  // namespace ergo::nvml
