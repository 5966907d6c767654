#include "sensors/hwmon/chip.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace ergo::hwmon {
namespace {

struct Battery {
  sysfs::Attribute status;
  std::vector<sysfs::Attribute> factors;  ///< power_now, or current_now and voltage_now
  double scale = 1.0;
};

/// Sum of what all batteries give. No sample while none discharges: on mains the flow is not the
/// machine's.
class BatterySensor final : public Sensor {
 public:
  BatterySensor(std::vector<Battery> batteries, Provenance provenance)
      : batteries_(std::move(batteries)) {
    name_ = "Battery";
    SignalInfo info =
        meter_info(SignalKind::power, "battery", Domain::node, "battery.power", provenance);
    info.device = "battery";
    info.traits.update_period = Seconds(10.0);
    info.traits.averaging_window = Seconds(10.0);
    info.traits.gain_u95 = 0.05;
    info.traits.gain_kind = "battery";
    info.traits.basis =
        "assumed: firmware renews it every 1 to 30 s, taken as a mean over 10 s; gain ±5 %";
    signals_.push_back(std::move(info));
  }

 private:
  Result<void> do_read(const Clock& clock, Batch& out) override {
    const Instant before = clock.now();
    double watts = 0.0;
    bool discharging = false;
    for (Battery& battery : batteries_) {
      const auto gives = is_discharging(battery);
      if (!gives) return gives.error();
      if (!*gives) continue;
      const auto power = power_of(battery);
      if (!power) return power.error();
      if (!*power) return {};
      discharging = true;
      watts += **power;
    }
    // Firmware answers 0 for a moment after the plug is pulled; a machine that runs draws
    // something.
    if (discharging && watts > 0) out.add(0, watts, before, clock.now());
    if (was_discharging_ && !discharging) {
      notices_.push_back("battery: no longer discharging; its power is not the machine's any more");
    }
    was_discharging_ = discharging;
    return {};
  }

  static Result<bool> is_discharging(Battery& battery) {
    std::array<char, 32> text{};
    const auto size = battery.status.read(text);
    if (!size) return size.error();
    return std::string_view(text.data(), *size).starts_with("Discharging");
  }

  static Result<std::optional<double>> power_of(Battery& battery) {
    double value = battery.scale;
    for (sysfs::Attribute& file : battery.factors) {
      const auto number = file.number();
      if (!number) return number.error();
      if (!*number) return std::optional<double>{};
      value *= std::abs(**number);  // some drivers count a discharge as negative
    }
    return std::optional<double>{value};
  }

  std::vector<Battery> batteries_;
  bool was_discharging_ = true;
};

std::optional<Battery> open_battery(const std::filesystem::path& folder) {
  auto status = sysfs::Attribute::open(folder / "status");
  if (!status) return std::nullopt;
  Battery battery{std::move(*status), {}, micro};
  if (auto power = sysfs::Attribute::open(folder / "power_now")) {
    battery.factors.push_back(std::move(*power));
    return battery;
  }
  auto current = sysfs::Attribute::open(folder / "current_now");
  auto voltage = sysfs::Attribute::open(folder / "voltage_now");
  if (!current || !voltage) return std::nullopt;
  battery.factors.push_back(std::move(*current));
  battery.factors.push_back(std::move(*voltage));
  battery.scale = micro * micro;
  return battery;
}

}  // namespace

void discover_battery(const DiscoveryContext& context, Discovery& so_far) {
  const auto root = context.environment.sysfs / "class" / "power_supply";
  std::vector<Battery> batteries;
  std::string idle_status;
  bool discharging = false;
  for (const std::string& entry : sysfs::entries(root)) {
    const auto folder = root / entry;
    // Batteries of mice and headsets have the scope "Device".
    if (sysfs::text(folder / "type") != "Battery" || sysfs::text(folder / "scope") == "Device")
      continue;
    auto battery = open_battery(folder);
    if (!battery) continue;
    const std::string status = sysfs::text(folder / "status").value_or("unknown");
    if (status == "Discharging")
      discharging = true;
    else
      idle_status = status;
    batteries.push_back(std::move(*battery));
  }
  if (batteries.empty()) return;
  if (!discharging) {
    so_far.missing.push_back({"hwmon", "battery power",
                              fmt::format("the battery is not discharging (its status is '{}'), so "
                                          "its flow is not the machine's",
                                          idle_status),
                              "unplug the charger"});
    return;
  }
  so_far.sensors.push_back(std::make_unique<BatterySensor>(std::move(batteries),
                                                           sysfs::provenance(context.environment)));
}

}  // namespace ergo::hwmon
