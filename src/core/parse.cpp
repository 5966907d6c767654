#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace ergo {
namespace {

constexpr std::size_t max_range_values = 100'000;

Error bad_argument(std::string message) {
  return Error{Errc::invalid_argument, std::move(message), {}};
}

template <class Integer>
Result<Integer> parse_integer(std::string_view text) {
  const std::string_view t = trim(text);
  Integer value{};
  const auto [end, failure] = std::from_chars(t.data(), t.data() + t.size(), value);
  if (t.empty() || failure != std::errc{} || end != t.data() + t.size()) {
    return bad_argument(fmt::format("'{}' is not a whole number", text));
  }
  return value;
}

/// Appends the values of "A..B:STEP". Values are A + i*STEP, so that errors do not add up.
Result<void> append_range(std::string_view part, std::size_t dots, std::vector<double>& out) {
  const std::size_t colon = part.find(':', dots);
  if (colon == std::string_view::npos) {
    return bad_argument(fmt::format("the range '{}' has no step; write it as A..B:STEP", part));
  }
  const auto first = parse_double(part.substr(0, dots));
  const auto last = parse_double(part.substr(dots + 2, colon - dots - 2));
  const auto step = parse_double(part.substr(colon + 1));
  if (!first || !last || !step)
    return bad_argument(fmt::format("the range '{}' is not A..B:STEP in numbers", part));
  const double count = std::floor((*last - *first) / *step + 1e-9);
  if (*step == 0 || count < 0)
    return bad_argument(fmt::format("the range '{}' never reaches its end", part));
  if (count >= static_cast<double>(max_range_values)) {
    return bad_argument(
        fmt::format("the range '{}' has more than {} values", part, max_range_values));
  }
  for (std::size_t i = 0; i <= static_cast<std::size_t>(count); ++i) {
    // Rounded to 12 digits, so that 0.1..0.3:0.1 yields 0.3 and not 0.30000000000000004.
    out.push_back(*parse_double(fmt::format("{:.12g}", *first + static_cast<double>(i) * *step)));
  }
  return {};
}

}  // namespace

std::string_view trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0;;) {
    const std::size_t end = text.find(separator, start);
    parts.push_back(text.substr(start, end - start));
    if (end == std::string_view::npos) return parts;
    start = end + 1;
  }
}

std::string shortest(double value) {
  std::array<char, 32> buffer{};
  const auto [end, failure] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return failure == std::errc{} ? std::string(buffer.data(), end) : std::string("nan");
}

Result<double> parse_double(std::string_view text) {
  const std::string_view t = trim(text);
  double value{};
  const auto [end, failure] = std::from_chars(t.data(), t.data() + t.size(), value);
  if (t.empty() || failure != std::errc{} || end != t.data() + t.size() || !std::isfinite(value)) {
    return bad_argument(fmt::format("'{}' is not a number", text));
  }
  return value;
}

Result<std::int64_t> parse_int(std::string_view text) {
  return parse_integer<std::int64_t>(text);
}
Result<std::uint64_t> parse_uint(std::string_view text) {
  return parse_integer<std::uint64_t>(text);
}

Result<Seconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view suffix;
    double seconds;
  };
  // Longest suffix first, so that "ms" is not read as "s".
  constexpr std::array units{Unit{"min", 60.0}, Unit{"ms", 1e-3}, Unit{"us", 1e-6},
                             Unit{"ns", 1e-9},  Unit{"s", 1.0},   Unit{"m", 60.0},
                             Unit{"h", 3600.0}};
  std::string_view number = trim(text);
  double scale = 1.0;
  for (const Unit& unit : units) {
    if (number.ends_with(unit.suffix)) {
      number.remove_suffix(unit.suffix.size());
      scale = unit.seconds;
      break;
    }
  }
  const auto value = parse_double(number);
  if (!value || *value < 0) {
    return bad_argument(
        fmt::format("'{}' is not a duration; write 100ms, 2s, 5min or a number of seconds", text));
  }
  return Seconds(*value * scale);
}

Result<double> parse_fraction(std::string_view text) {
  std::string_view number = trim(text);
  const bool percent = number.ends_with('%');
  if (percent) number.remove_suffix(1);
  const auto value = parse_double(number);
  if (!value) return bad_argument(fmt::format("'{}' is not a share; write 5% or 0.05", text));
  return percent ? *value / 100.0 : *value;
}

Result<std::vector<double>> parse_numbers(std::string_view text) {
  std::vector<double> out;
  for (const std::string_view part : split(text, ',')) {
    if (const std::size_t dots = part.find(".."); dots != std::string_view::npos) {
      if (auto appended = append_range(part, dots, out); !appended) return appended.error();
      continue;
    }
    auto value = parse_double(part);
    if (!value) return value.error();
    out.push_back(*value);
  }
  return out;
}

Result<std::vector<std::string>> parse_values(std::string_view text) {
  std::vector<std::string> out;
  for (const std::string_view part : split(text, ',')) {
    if (const std::size_t dots = part.find("..");
        dots != std::string_view::npos && part.find(':') != part.npos) {
      std::vector<double> numbers;
      if (auto appended = append_range(part, dots, numbers); !appended) return appended.error();
      for (const double number : numbers)
        out.push_back(shortest(number));
      continue;
    }
    const std::string_view value = trim(part);
    if (value.empty()) return bad_argument(fmt::format("the list '{}' has an empty value", text));
    out.emplace_back(value);
  }
  return out;
}

}  // namespace ergo
