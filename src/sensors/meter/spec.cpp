#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "sensors/meter/meter.hpp"

#include <fmt/format.h>

#include <array>

namespace ergo::meter {
namespace {

Error wrong(std::string message, std::string remedy) {
  return Error{Errc::invalid_argument, "meter: " + std::move(message), std::move(remedy)};
}

struct Unit {
  std::string_view name;
  bool energy;
  double scale;
};
constexpr std::array units{Unit{"mW", false, 1e-3},  Unit{"W", false, 1.0},
                           Unit{"kW", false, 1e3},   Unit{"J", true, 1.0},
                           Unit{"Wh", true, 3600.0}, Unit{"kWh", true, 3.6e6}};

Result<void> set_unit(MeterSpec& spec, std::string_view text) {
  for (const Unit& unit : units) {
    if (unit.name != text) continue;
    spec.is_energy = unit.energy;
    spec.scale = unit.scale;
    return {};
  }
  return wrong(fmt::format("the unit '{}' is not known", text), "use mW, W, kW, J, Wh or kWh");
}

Result<void> set_separator(MeterSpec& spec, std::string_view text) {
  if (text == "tab") {
    spec.separator = '\t';
  } else if (text == "space") {
    spec.separator = ' ';
  } else if (text.size() == 1) {
    spec.separator = text.front();
  } else {
    return wrong(fmt::format("the separator '{}' is not one character", text),
                 "use one character, tab or space");
  }
  return {};
}

Result<void> set_duration(Seconds& field, std::string_view key, std::string_view text) {
  const auto value = parse_duration(text);
  if (!value) return wrong(fmt::format("{}: {}", key, value.error().message), "");
  field = *value;
  return {};
}

Result<void> set(MeterSpec& spec, std::string_view key, std::string_view value) {
  struct Text {
    std::string_view key;
    std::string MeterSpec::*field;
  };
  constexpr std::array texts{
      Text{"exec", &MeterSpec::exec},   Text{"file", &MeterSpec::file},
      Text{"value", &MeterSpec::value}, Text{"after", &MeterSpec::after},
      Text{"time", &MeterSpec::time},   Text{"ok", &MeterSpec::ok},
      Text{"name", &MeterSpec::name},   Text{"channel", &MeterSpec::channel}};
  if (value.empty()) return wrong(fmt::format("{} has no value", key), "");
  for (const Text& text : texts) {
    if (text.key != key) continue;
    spec.*text.field = value;
    return {};
  }
  if (key == "unit") return set_unit(spec, value);
  if (key == "separator") return set_separator(spec, value);
  if (key == "every") return set_duration(spec.every, key, value);
  if (key == "period") return set_duration(spec.period, key, value);
  if (key == "wait") return set_duration(spec.wait, key, value);
  if (key == "gain") {
    const auto gain = parse_fraction(value);
    if (!gain || *gain < 0 || *gain > 1)
      return wrong(fmt::format("gain '{}' is not between 0 and 100 %", value), "");
    spec.gain_u95 = *gain;
    return {};
  }
  return wrong(
      fmt::format("the key '{}' is not known", key),
      "keys: exec file value after time ok separator unit every period gain wait name channel");
}

Result<void> check(const MeterSpec& spec) {
  if (spec.exec.empty() == spec.file.empty())
    return wrong("give one of exec=COMMAND and file=PATH", "");
  if (spec.value.empty() == spec.after.empty())
    return wrong("give one of value=COLUMN and after=TEXT", "");
  if (spec.after.empty()) return {};
  if (spec.time.empty() && spec.ok.empty()) return {};
  return wrong("after=TEXT reads lines without columns, so time= and ok= cannot be used with it",
               "use value=COLUMN");
}

}  // namespace

Result<MeterSpec> parse_spec(std::string_view text) {
  std::string content(trim(text));
  char between = ';';
  if (content.starts_with('@')) {
    auto read = read_text(content.substr(1), std::size_t{1} << 20);
    if (!read) return read.error();
    content = std::move(*read);
    between = '\n';
  }
  MeterSpec spec;
  bool period_given = false;
  for (const std::string_view part : split(content, between)) {
    const std::string_view pair = trim(part);
    if (pair.empty() || (between == '\n' && pair.starts_with('#'))) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos)
      return wrong(fmt::format("'{}' is not key=value", pair), "");
    const std::string_view key = trim(pair.substr(0, equals));
    if (auto done = set(spec, key, trim(pair.substr(equals + 1))); !done) return done.error();
    period_given = period_given || key == "period";
  }
  if (!period_given && spec.every.value() > 0) spec.period = spec.every;
  if (auto checked = check(spec); !checked) return checked.error();
  return spec;
}

Result<std::unique_ptr<Sensor>> open(std::string_view spec) {
  const auto parsed = parse_spec(spec);
  if (!parsed) return parsed.error();
  return open(*parsed);
}

}  // namespace ergo::meter
