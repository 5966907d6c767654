#include "watts.hpp"

#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo::cli {

Error of_flag(const std::string& flag, const Error& error) {
  return {error.code, flag + ": " + error.message, error.remedy};
}

Result<Watts> parse_watts(const std::string& flag, const std::string& text) {
  std::string_view number = trim(text);
  if (number.ends_with('W')) number = trim(number.substr(0, number.size() - 1));
  const auto watts = parse_double(number);
  if (!watts || !(*watts > 0) || *watts > 1e5) {
    return Error{Errc::invalid_argument, fmt::format("{}: '{}' is no power limit", flag, text),
                 "watts, for example 200; 'ergo limits show' tells what a GPU allows"};
  }
  return Watts(*watts);
}

Result<std::vector<double>> parse_watts_list(const std::string& flag, const std::string& text) {
  constexpr const char* forms = "watts: 150,200,250 or 150..300:25";
  auto limits = parse_numbers(text);
  if (!limits) {
    Error error = of_flag(flag, limits.error());
    if (error.remedy.empty()) error.remedy = forms;
    return error;
  }
  if (limits->empty() ||
      !std::all_of(limits->begin(), limits->end(), [](double watts) { return watts > 0; })) {
    return Error{Errc::invalid_argument,
                 fmt::format("{}: '{}' holds what is no power limit", flag, text), forms};
  }
  return limits;
}

Result<double> parse_slowdown(const std::string& flag, const std::string& text) {
  auto slowdown = parse_fraction(text);
  if (!slowdown) return of_flag(flag, slowdown.error());
  if (*slowdown < 0) {
    return Error{Errc::invalid_argument, fmt::format("{}: '{}' is negative", flag, text),
                 "write 5% or 0.05"};
  }
  if (*slowdown >= 1 && !trim(text).ends_with('%')) {
    return Error{
        Errc::invalid_argument,
        fmt::format("{}: '{}' would be slower by {}%", flag, text, shortest(*slowdown * 100)),
        fmt::format("write {}% if that is meant, or {}%", trim(text), shortest(*slowdown * 100))};
  }
  return slowdown;
}

}  // namespace ergo::cli
