#include "sensors/nvml/samples.hpp"

#include "sensors/nvml/board.hpp"

#include <algorithm>
#include <tuple>

namespace ergo::nvml {
namespace {

// Drivers say how much they keep (some 120 values); more is asked for, lest that was what they have
// at the moment.
constexpr std::size_t least_capacity = 256;
constexpr std::size_t most_capacity = 65536;
// How far the newest stamp may lie behind and before the moment of reading.
constexpr Seconds oldest{3.0};
constexpr Seconds ahead{0.1};
// Fewer changes than these do not tell how often a value is renewed.
constexpr std::size_t fewest_changes = 5;

}  // namespace

std::optional<PowerSamples> PowerSamples::open(const Library& library, abi::Device device,
                                               abi::Return& refusal) {
  refusal = abi::not_supported;
  auto* ask = library.functions().samples;
  if (ask == nullptr) return std::nullopt;
  int type = 0;
  unsigned held = 0;
  refusal = ask(device, abi::samples_total_power, 0, &type, &held, nullptr);
  if (refusal != abi::success) return std::nullopt;
  PowerSamples samples(device, std::clamp<std::size_t>(held, least_capacity, most_capacity));
  unsigned count = 0;
  refusal = samples.fetch(library, count, type);
  // One value is no record; and some boards answer with zeros.
  const auto is_power = [&](const abi::Sample& sample) {
    return number_of(type, sample.value).value_or(0.0) > 0.0;
  };
  if (refusal != abi::success || count < 2 ||
      !std::any_of(samples.buffer_.begin(), samples.buffer_.begin() + count, is_power)) {
    return std::nullopt;
  }
  samples.look_at(std::span(samples.buffer_).first(count), type);
  samples.measure_cost(library, samples.buffer_[count - 1].timestamp);
  return samples;
}

void PowerSamples::look_at(std::span<const abi::Sample> held, int type) {
  std::vector<double> steps;
  std::vector<std::size_t> changes;
  for (std::size_t i = 1; i < held.size(); ++i) {
    if (held[i].timestamp <= held[i - 1].timestamp) continue;
    steps.push_back(static_cast<double>(held[i].timestamp - held[i - 1].timestamp) * 1e-6);
    if (number_of(type, held[i].value) != number_of(type, held[i - 1].value)) changes.push_back(i);
  }
  if (steps.empty()) return;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  step_ = Seconds(*middle);
  // A reading renewed every five values changes at every fifth; one that is renewed each time does
  // so at neighbours, too.
  const auto neighbours = std::adjacent_find(
      changes.begin(), changes.end(), [](std::size_t a, std::size_t b) { return b - a <= 2; });
  repeats_ = changes.size() >= fewest_changes && neighbours == changes.end();
}

/// Several times, so that a busy machine does not make a cheap call look dear.
void PowerSamples::measure_cost(const Library& library, unsigned long long newest_us) {
  const SystemClock clock;
  cost_ = Seconds(1e9);
  last_seen_us_ = newest_us;
  for (int i = 0; i < 3; ++i) {
    unsigned count = 0;
    int type = 0;
    const Instant before = clock.now();
    std::ignore = fetch(library, count, type);
    cost_ = std::min(cost_, clock.now() - before);
  }
  last_seen_us_ = 0;
}

bool PowerSamples::leaves_nothing_out(Seconds look) const {
  return step_ > Seconds(0.0) && step_ <= look && !repeats_;
}

abi::Return PowerSamples::fetch(const Library& library, unsigned& count, int& type) {
  count = static_cast<unsigned>(buffer_.size());
  const abi::Return code = library.functions().samples(
      device_, abi::samples_total_power, last_seen_us_, &type, &count, buffer_.data());
  if (code != abi::success) count = 0;
  count = std::min(count, static_cast<unsigned>(buffer_.size()));
  return code == abi::not_found || code == abi::no_data ? abi::success : code;
}

std::vector<PowerSamples::Reading> PowerSamples::read(const Library& library, const Clock& clock,
                                                      abi::Return& status) {
  std::vector<Reading> readings;
  if (misdated()) return readings;
  unsigned count = 0;
  int type = 0;
  status = fetch(library, count, type);
  if (count == 0) return readings;
  const WallAnchor anchor = clock.wall();
  const Instant now = clock.now();
  for (unsigned i = 0; i < count; ++i) {
    const abi::Sample& sample = buffer_[i];
    last_seen_us_ = std::max(last_seen_us_, sample.timestamp);
    const auto milliwatts = number_of(type, sample.value);
    const Instant at =
        anchor.instant_of_unix_ns(static_cast<std::int64_t>(sample.timestamp) * 1000);
    if (!milliwatts || *milliwatts < 0.0 || (last_ && at <= *last_)) continue;
    if (!readings.empty() && at <= readings.back().at) continue;
    readings.push_back({at, *milliwatts * 1e-3});
  }
  if (readings.empty()) return readings;
  const Seconds age = now - readings.back().at;
  if (age > oldest || age < -ahead) {
    ++strikes_;
    readings.clear();
    return readings;
  }
  strikes_ = 0;
  last_ = readings.back().at;
  return readings;
}

}  // namespace ergo::nvml
