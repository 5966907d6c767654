#include "ergo/report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace ergo::report {
namespace {

struct Scale {
  double factor;
  std::string_view unit;
};

constexpr std::array energy_scales{Scale{1e9, "GJ"}, Scale{1e6, "MJ"},  Scale{1e3, "kJ"},
                                   Scale{1, "J"},    Scale{1e-3, "mJ"}, Scale{1e-6, "µJ"}};
constexpr std::array power_scales{Scale{1e3, "kW"}, Scale{1, "W"}, Scale{1e-3, "mW"}};
constexpr std::array time_scales{Scale{1, "s"}, Scale{1e-3, "ms"}, Scale{1e-6, "µs"},
                                 Scale{1e-9, "ns"}};
constexpr std::array byte_scales{Scale{0x1p40, "TiB"}, Scale{0x1p30, "GiB"}, Scale{0x1p20, "MiB"},
                                 Scale{0x1p10, "KiB"}, Scale{1, "B"}};

template <std::size_t N>
const Scale& fitting(double value, const std::array<Scale, N>& scales) {
  const double size = std::abs(value);
  if (size == 0) {
    return *std::find_if(scales.begin(), scales.end(),
                         [](const Scale& s) { return s.factor == 1; });
  }
  // 0.9995 would print as "1000" of the next smaller unit.
  const auto found = std::find_if(scales.begin(), scales.end(),
                                  [&](const Scale& s) { return size >= s.factor * 0.9995; });
  return found == scales.end() ? scales.back() : *found;
}

/// Four significant digits without an exponent.
std::string four_digits(double value) {
  if (value == 0) return "0";
  // The exponent of the rounded value: 999.96 has four digits before its point once it is rounded.
  const std::string rounded = fmt::format("{:.3e}", value);
  const int before_point = std::atoi(rounded.c_str() + rounded.find('e') + 1) + 1;
  return fmt::format("{:.{}f}", value, std::clamp(4 - before_point, 0, 6));
}

template <std::size_t N>
std::string with_unit(double value, const std::array<Scale, N>& scales) {
  const Scale& scale = fitting(value, scales);
  return fmt::format("{} {}", four_digits(value / scale.factor), scale.unit);
}

}  // namespace

std::string format_energy(Joules energy) {
  return with_unit(energy.value(), energy_scales);
}
std::string format_power(Watts power) {
  return with_unit(power.value(), power_scales);
}

std::string format_duration(Seconds time) {
  const double s = time.value();
  if (s < 600) return with_unit(s, time_scales);
  const auto minutes = static_cast<long>(std::lround(s / 60));
  if (minutes < 60)
    return fmt::format("{} min {:02} s", static_cast<long>(s) / 60, static_cast<long>(s) % 60);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string format_rough(Seconds time) {
  constexpr double few = 90;
  if (time.value() < few) return fmt::format("{:.0f} s", std::max(1.0, std::round(time.value())));
  if (time.value() < few * 60) return fmt::format("{:.0f} min", std::round(time.value() / 60));
  return format_duration(time);
}

std::string format_bytes(double bytes) {
  const Scale& scale = fitting(bytes, byte_scales);
  return fmt::format("{:.4g} {}", bytes / scale.factor, scale.unit);
}

std::string format_count(double count) {
  return std::abs(count) < 1e9 && count == std::floor(count) ? fmt::format("{:.0f}", count)
                                                             : fmt::format("{:.4g}", count);
}

std::string format_range(Joules low, Joules high) {
  const double larger = std::max(std::abs(low.value()), std::abs(high.value()));
  const Scale& scale = fitting(larger, energy_scales);
  return fmt::format("{} … {} {}", four_digits(low.value() / scale.factor),
                     four_digits(high.value() / scale.factor), scale.unit);
}

std::string format_uncertainty(Joules value, Joules low, Joules high) {
  if (value.value() <= 0) return "";
  const double down = (value - low) / value * 100;
  const double up = (high - value) / value * 100;
  const auto digits = [](double percent) { return percent < 10 ? 1 : 0; };
  if (std::abs(up - down) <= 0.1 * std::max(up, down)) {
    const double both = (up + down) / 2;
    return fmt::format("±{:.{}f} %", both, digits(both));
  }
  return fmt::format("-{:.{}f} % / +{:.{}f} %", down, digits(down), up, digits(up));
}

Provenance provenance_of_total(const std::vector<ChannelEnergy>& channels) {
  const bool simulated = std::any_of(channels.begin(), channels.end(), [](const ChannelEnergy& c) {
    return c.in_total && c.provenance == Provenance::simulated;
  });
  return simulated ? Provenance::simulated : Provenance::measured;
}

}  // namespace ergo::report
