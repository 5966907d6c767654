#include "sensors/estimate/estimate.hpp"

#include "ergo/core/parse.hpp"
#include "sensors/estimate/tdp.hpp"
#include "sensors/sysfs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ergo::estimate {
namespace {

// The kernel counts in ticks of 10 ms; more frequent reads would only cost.
constexpr double tick_s = 0.010;

/// Integrates the estimated power over the ticks that passed.
class EstimateSensor final : public Sensor {
 public:
  EstimateSensor(sysfs::Attribute stat, const BusyPower& busy)
      : stat_(std::move(stat)), busy_watts_(busy.watts) {
    name_ = "CPU estimate (TDP and load)";
    SignalInfo info;
    info.name = "estimate.tdp@cpu0";
    info.kind = SignalKind::energy;
    info.unit = "J";
    info.channel = "cpu0";
    info.domain = Domain::cpu;
    info.device = "cpu0";
    info.source = "estimate.tdp";
    info.provenance = Provenance::estimated;
    info.in_total = true;
    info.traits.update_period = Seconds(tick_s);
    info.traits.gain_u95 = std::max(-gain_low, gain_high);
    info.traits.gain_low = gain_low;
    info.traits.gain_high = gain_high;
    info.traits.gain_kind = "estimate";
    info.traits.basis =
        busy.row.empty()
            ? fmt::format("estimate: {} W per thread, unknown model; -50 %/+100 %",
                          watts_per_thread)
            : fmt::format("estimate: table, {}: {:.1f} W busy; -50 %/+100 %", busy.row, busy.watts);
    signals_.push_back(std::move(info));
  }

 private:
  Result<void> do_read(const Clock& clock, Batch& out) override {
    const Instant before = clock.now();
    std::array<char, 512> text{};
    const auto size = stat_.read(text);
    const Instant after = clock.now();
    if (!size) return size.error();
    if (*size == 0) return {};
    const auto ticks = parse_stat({text.data(), *size});
    if (!ticks) return ticks.error();
    const Instant now{before.ns + (after.ns - before.ns) / 2};
    if (last_at_) {
      const double total = ticks->total - last_.total;
      if (total <= 0) {
        report(energy_ + power_ * (now - *last_at_), before, after, out);
        return {};
      }
      power_ = power_at(std::clamp((ticks->busy - last_.busy) / total, 0.0, 1.0));
      energy_ += power_ * (now - *last_at_);
    }
    last_ = *ticks;
    last_at_ = now;
    report(energy_, before, after, out);
    return {};
  }

  [[nodiscard]] Watts power_at(double load) const {
    return Watts(busy_watts_ * (idle_share + (1.0 - idle_share) * load));
  }

  /// Until the kernel counts its next tick (10 ms) the last load is taken to go on. Where it did
  /// not, the counter waits for the truth to catch up: it never falls.
  void report(Joules energy, Instant before, Instant after, Batch& out) {
    reported_ = std::max(reported_, energy);
    out.add(0, reported_.value(), before, after);
  }

  sysfs::Attribute stat_;
  double busy_watts_;
  CpuTicks last_;
  std::optional<Instant> last_at_;
  Joules energy_{0.0};
  Joules reported_{0.0};
  Watts power_ = power_at(0.5);  ///< before the first tick nothing is known of the load
};

bool cpu_is_metered(const Discovery& so_far) {
  for (const auto& sensor : so_far.sensors) {
    for (const SignalInfo& info : sensor->signals()) {
      if (info.domain == Domain::cpu && info.in_total && !info.channel.empty()) return true;
    }
  }
  return false;
}

std::string reason(const Discovery& so_far, const CpuInfo& cpu) {
  for (const Missing& missing : so_far.missing) {
    if (missing.backend == "rapl") return missing.why;
  }
  return cpu.hypervisor ? "this is a virtual machine" : "no sensor was found";
}

}  // namespace

Result<CpuTicks> parse_stat(std::string_view text) {
  const auto fields = split(trim(text.substr(0, text.find('\n'))), ' ');
  std::array<double, 8> ticks{};  // user nice system idle iowait irq softirq steal
  std::size_t count = 0;
  for (std::size_t i = 1; i < fields.size() && count < ticks.size(); ++i) {
    if (fields[i].empty()) continue;
    const auto value = parse_uint(fields[i]);
    if (!value) break;
    ticks[count++] = static_cast<double>(*value);
  }
  if (fields.front() != "cpu" || count < 4)
    return Error{Errc::corrupt, "/proc/stat does not begin with CPU times", {}};
  CpuTicks out;
  out.busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6];
  out.total = out.busy + ticks[3] + ticks[4] + ticks[7];
  return out;
}

void discover(const DiscoveryContext& context, Discovery& so_far) {
  if (cpu_is_metered(so_far)) return;
  const auto& procfs = context.environment.procfs;
  auto stat = sysfs::Attribute::open(procfs / "stat");
  if (!stat) {
    so_far.missing.push_back({"estimate", "CPU power estimate", stat.error().message, ""});
    return;
  }
  const CpuInfo cpu = read_cpuinfo(procfs);
  const BusyPower busy = busy_power(cpu);
  so_far.warnings.push_back(
      fmt::format("CPU energy is estimated, not measured (source estimate.tdp, {:.0f} W when busy, "
                  "-50 %/+100 %): {}",
                  busy.watts, reason(so_far, cpu)));
  so_far.sensors.push_back(std::make_unique<EstimateSensor>(std::move(*stat), busy));
}

}  // namespace ergo::estimate
