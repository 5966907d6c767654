#include "sensors/hwmon/chip.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ergo::hwmon {

std::size_t ChipSensor::add_signal(SignalInfo info) {
  sysfs::limit_to_simulation(info);
  signals_.push_back(std::move(info));
  return signals_.size() - 1;
}

void ChipSensor::add(Reading reading) {
  signal_of_.push_back(add_signal(reading.info));
  readings_.push_back(std::move(reading));
}

bool ChipSensor::asleep() {
  if (!runtime_status_) return false;
  std::array<char, 32> text{};
  const auto size = runtime_status_->read(text);
  return size && std::string_view(text.data(), *size).starts_with("suspended");
}

Result<std::optional<double>> ChipSensor::read_one(Reading& reading) {
  double value = reading.scale;
  for (sysfs::Attribute& file : reading.files) {
    const auto number = file.number();
    if (!number) return number.error();
    if (!*number) return std::optional<double>{};
    value *= **number;
  }
  return std::optional<double>{value};
}

Result<void> ChipSensor::do_read(const Clock& clock, Batch& out) {
  if (readings_.empty() || asleep()) return {};
  std::optional<Error> failure;
  bool any = false;
  Instant before = clock.now();
  for (std::size_t i = 0; i < readings_.size(); ++i) {
    Reading& reading = readings_[i];
    if (reading.lost) continue;
    const auto value = read_one(reading);
    const Instant after = clock.now();
    if (!value) {
      failure = value.error();
      reading.lost = failure->code == Errc::lost;
      if (reading.lost)
        notices_.push_back(fmt::format("{}: {}", reading.info.name, failure->message));
    } else if (*value) {
      any = true;
      double result = **value;
      if (reading.info.kind == SignalKind::energy) {
        bool fell = false;
        result = reading.counter.update(result, &fell);
        if (fell) notices_.push_back(fmt::format("{}: the counter restarted", reading.info.name));
      }
      out.add(signal_of_[i], result, before, after);
    }
    before = after;
  }
  if (std::all_of(readings_.begin(), readings_.end(), [](const Reading& r) { return r.lost; })) {
    return Error{Errc::lost, name_ + " is gone", {}};
  }
  if (!any && failure && failure->code != Errc::lost) return *failure;
  return {};
}

std::optional<Reading> open_reading(SignalInfo info,
                                    const std::vector<std::filesystem::path>& files, double scale,
                                    std::vector<Missing>& missing) {
  Reading reading{std::move(info), {}, scale, WrapCounter(), false};
  for (const std::filesystem::path& path : files) {
    auto file = sysfs::Attribute::open(path);
    if (!file) {
      if (file.error().code == Errc::permission) {
        missing.push_back(
            {"hwmon", reading.info.name, file.error().message, "sudo chmod a+r " + path.string()});
      }
      return std::nullopt;
    }
    reading.files.push_back(std::move(*file));
  }
  return reading;
}

SignalInfo meter_info(SignalKind kind, std::string channel, Domain domain, std::string source,
                      Provenance provenance) {
  SignalInfo info;
  info.name = fmt::format("{}@{}", source, channel);
  info.kind = kind;
  info.unit = kind == SignalKind::energy ? "J" : "W";
  info.device = domain == Domain::node ? "node" : channel;
  info.channel = std::move(channel);
  info.domain = domain;
  info.source = std::move(source);
  info.provenance = provenance;
  return info;
}

SignalInfo gauge_info(std::string name, std::string unit, Provenance provenance) {
  SignalInfo info;
  info.name = std::move(name);
  info.unit = std::move(unit);
  info.provenance = provenance;
  return info;
}

}  // namespace ergo::hwmon
