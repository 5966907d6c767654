#include "sensors/hwmon/amdgpu.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

namespace ergo::hwmon {
namespace {

constexpr std::size_t largest_table = 4096;
constexpr int check_pause_us = 30'000;
constexpr double check_factor = 8.0;
constexpr double shortest_check_s = 0.005;
constexpr double least_check_w = 5.0;
constexpr std::int64_t largest_lag_ns = 1'000'000'000;
constexpr std::uint64_t largest_ns =
    (std::uint64_t{1} << 62U) - 1;  // keeps sums of garbage from overflowing

PowerTraits board_traits(double update_s, double window_s, std::string basis) {
  PowerTraits traits;
  traits.update_period = Seconds(update_s);
  traits.averaging_window = Seconds(window_s);
  traits.gain_u95 = 0.05;
  traits.gain_kind = "amd gpu sensor";
  traits.basis = std::move(basis);
  return traits;
}

SignalInfo gpu_info(SignalKind kind, int index, std::string source, int rank,
                    Provenance provenance) {
  SignalInfo info =
      meter_info(kind, fmt::format("gpu{}", index), Domain::gpu, std::move(source), provenance);
  info.in_total = true;
  info.rank = rank;
  return info;
}

struct Gauge {
  std::filesystem::path file;
  const char* name;
  const char* unit;
  double scale;
};

void add_gauges(AmdGpuSensor& sensor, const std::filesystem::path& device,
                const std::filesystem::path& hwmon, int index, Provenance provenance) {
  const std::array gauges{Gauge{hwmon / "power1_cap", "power_limit", "W", micro},
                          Gauge{hwmon / "temp1_input", "temperature", "°C", milli},
                          Gauge{device / "gpu_busy_percent", "sm_utilization", "%", 1.0},
                          Gauge{device / "mem_info_vram_used", "memory_used", "B", 1.0}};
  std::vector<Missing> ignored;  // a metric that this card lacks is no loss worth a message
  for (const Gauge& gauge : gauges) {
    auto info = gauge_info(fmt::format("gpu{}.{}", index, gauge.name), gauge.unit, provenance);
    if (auto reading = open_reading(std::move(info), {gauge.file}, gauge.scale, ignored))
      sensor.add(std::move(*reading));
  }
}

}  // namespace

void AmdGpuSensor::add_energy(SignalInfo info, sysfs::Attribute gpu_metrics) {
  energy_signal_ = add_signal(std::move(info));
  gpu_metrics_ = std::move(gpu_metrics);
}

Result<void> AmdGpuSensor::do_read(const Clock& clock, Batch& out) {
  if (asleep()) return {};
  if (gpu_metrics_) read_energy(clock, out);
  return ChipSensor::do_read(clock, out);
}

void AmdGpuSensor::read_energy(const Clock& clock, Batch& out) {
  const Instant before = clock.now();
  const auto table = read_gpu_metrics(*gpu_metrics_);
  const Instant after = clock.now();
  if (!table) {
    if (!std::exchange(complained_, true)) notices_.push_back(name_ + ": " + table.error().message);
    if (table.error().code == Errc::lost) gpu_metrics_.reset();
    return;
  }
  if (!*table || !(*table)->energy_accumulator || !(*table)->system_clock_ns) return;
  const auto table_ns = static_cast<std::int64_t>(*(*table)->system_clock_ns & largest_ns);
  if (last_table_ns_ == table_ns) return;
  const Instant at = place(table_ns, after);
  bool fell = false;
  const double joules = energy_.update(
      static_cast<double>(*(*table)->energy_accumulator) * joules_per_accumulator_step, &fell);
  if (fell) notices_.push_back(name_ + ": the energy counter restarted");
  const Seconds half = (after - before) / 2.0;
  out.add(energy_signal_, joules, at - half, at + half);
}

Instant AmdGpuSensor::place(std::int64_t table_ns, Instant after) {
  // The table was taken before the read ended, so every read bounds the distance of the two clocks
  // from above; the smallest bound is the closest. Times placed with it never fall.
  const std::int64_t bound = after.ns - table_ns;
  const bool restart =
      !last_table_ns_ || table_ns < *last_table_ns_ || bound - offset_ns_ > largest_lag_ns;
  if (restart || bound < offset_ns_) offset_ns_ = bound;
  last_table_ns_ = table_ns;
  return Instant{table_ns + offset_ns_};
}

Result<std::optional<GpuMetrics>> read_gpu_metrics(sysfs::Attribute& file) {
  std::array<char, largest_table> buffer{};
  const auto size = file.read(buffer);
  if (!size) return size.error();
  if (*size == 0) return std::optional<GpuMetrics>{};
  auto metrics = parse_gpu_metrics({reinterpret_cast<const unsigned char*>(buffer.data()), *size});
  if (!metrics) return metrics.error();
  return std::optional<GpuMetrics>{*metrics};
}

Result<void> compare_tables(const GpuMetrics& earlier, const GpuMetrics& later) {
  const GpuMetrics& a = earlier;
  const GpuMetrics& b = later;
  if (!a.energy_accumulator || !b.energy_accumulator || !a.system_clock_ns || !b.system_clock_ns)
    return {};
  if (*b.system_clock_ns <= *a.system_clock_ns || *b.energy_accumulator < *a.energy_accumulator)
    return {};
  const double seconds = static_cast<double>(*b.system_clock_ns - *a.system_clock_ns) * 1e-9;
  if (seconds < shortest_check_s || b.socket_power_w.value_or(0.0) < least_check_w) return {};
  const double watts = static_cast<double>(*b.energy_accumulator - *a.energy_accumulator) *
                       joules_per_accumulator_step / seconds;
  const double ratio = watts / *b.socket_power_w;
  if (ratio > 1.0 / check_factor && ratio < check_factor) return {};
  return Error{
      Errc::not_supported,
      fmt::format("the energy accumulator shows {:.1f} W where the power reading is {:.1f} W",
                  watts, *b.socket_power_w),
      {}};
}

Result<void> check_accumulator(sysfs::Attribute& file) {
  const auto first = read_gpu_metrics(file);
  if (!first) return first.error();
  if (!*first || !(*first)->energy_accumulator || !(*first)->system_clock_ns) {
    return Error{Errc::not_supported, "gpu_metrics has no energy accumulator", {}};
  }
  ::usleep(check_pause_us);
  const auto second = read_gpu_metrics(file);
  if (!second || !*second) return {};
  return compare_tables(**first, **second);
}

std::unique_ptr<Sensor> open_amdgpu(const std::filesystem::path& device,
                                    const std::filesystem::path& hwmon, int index,
                                    Provenance provenance, std::vector<Missing>& missing) {
  const std::string gpu = fmt::format("gpu{}", index);
  auto sensor = std::make_unique<AmdGpuSensor>(fmt::format("GPU {} (amdgpu)", index));
  bool metered = false;
  if (auto file = sysfs::Attribute::open(device / "gpu_metrics")) {
    if (const auto usable = check_accumulator(*file)) {
      SignalInfo info = gpu_info(SignalKind::energy, index, "amdgpu.energy", 0, provenance);
      info.traits = board_traits(0.001, 0.0, "assumed: firmware renews it every 1 ms; gain ±5 %");
      info.traits.quantum = Joules(joules_per_accumulator_step);
      sensor->add_energy(std::move(info), std::move(*file));
      metered = true;
    } else if (usable.error().code != Errc::lost) {
      missing.push_back({"hwmon", gpu + " energy counter", usable.error().message, ""});
    }
  }
  struct Power {
    const char* file;
    const char* source;
    PowerTraits traits;
  };
  const std::array powers{
      Power{"power1_average", "amdgpu.power_average",
            board_traits(0.1, 0.1, "assumed: mean over 100 ms, renewed every 100 ms; gain ±5 %")},
      Power{"power1_input", "amdgpu.power",
            board_traits(0.01, 0.0, "assumed: renewed every 10 ms; gain ±5 %")}};
  int rank = 1;
  for (const Power& power : powers) {
    // The second die of a two-die card reads 0: its power is counted on the first.
    if (sysfs::number(hwmon / power.file) == 0.0) continue;
    SignalInfo info = gpu_info(SignalKind::power, index, power.source, rank++, provenance);
    info.traits = power.traits;
    if (auto reading = open_reading(std::move(info), {hwmon / power.file}, micro, missing)) {
      sensor->add(std::move(*reading));
      metered = true;
    }
  }
  if (!metered) {
    missing.push_back(
        {"hwmon", gpu + " power",
         "the driver reports no power for this AMD GPU (a second die is counted on its first)",
         ""});
    return nullptr;
  }
  add_gauges(*sensor, device, hwmon, index, provenance);
  if (auto status = sysfs::Attribute::open(device / "power" / "runtime_status"))
    sensor->sleeps_by(std::move(*status));
  return sensor;
}

}  // namespace ergo::hwmon
