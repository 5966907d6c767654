#include "store/import/text.hpp"

#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <system_error>

namespace ergo::importing {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr std::int64_t quarter_hour_ns = 900 * ns_per_s;

/// Days since 1970-01-01 of a date in the Gregorian calendar (Howard Hinnant, "chrono-compatible
/// low-level date algorithms").
std::int64_t days_from_civil(std::int64_t y, std::int64_t m, std::int64_t d) {
  y -= m <= 2 ? 1 : 0;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t yoe = y - era * 400;
  const std::int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/// Takes text from the left; anything unexpected makes it fail for good.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  std::int64_t digits(std::size_t count) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (text_.empty() || std::isdigit(static_cast<unsigned char>(text_[0])) == 0) {
        failed = true;
        return 0;
      }
      value = value * 10 + (text_[0] - '0');
      text_.remove_prefix(1);
    }
    return value;
  }
  bool accept(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char a, char b) {
    if (!accept(a) && !accept(b)) failed = true;
  }
  std::int64_t fraction_ns() {
    std::int64_t ns = 0;
    std::int64_t unit = ns_per_s;
    while (!text_.empty() && std::isdigit(static_cast<unsigned char>(text_[0])) != 0) {
      unit /= 10;
      ns += (text_[0] - '0') * unit;
      text_.remove_prefix(1);
    }
    return ns;
  }
  [[nodiscard]] bool at_end() const { return text_.empty(); }
  bool failed = false;

 private:
  std::string_view text_;
};

}  // namespace

Result<void> check_span(const std::string& file, int line, std::int64_t first_ns, std::int64_t ns) {
  constexpr std::int64_t year_ns = 366LL * 86400 * ns_per_s;
  if (ns - first_ns <= year_ns && first_ns - ns <= year_ns) return {};
  return bad_line(file, line, "the date is more than a year from the first one");
}

std::optional<Date> parse_date(std::string_view text) {
  Scanner scan(trim(text));
  const auto year = scan.digits(4);
  scan.expect('-', '/');
  const auto month = scan.digits(2);
  scan.expect('-', '/');
  const auto day = scan.digits(2);
  scan.expect(' ', 'T');
  const auto hour = scan.digits(2);
  scan.expect(':', ':');
  const auto minute = scan.digits(2);
  scan.expect(':', ':');
  const auto second = scan.digits(2);
  const std::int64_t fraction = !scan.failed && scan.accept('.') ? scan.fraction_ns() : 0;
  Date date;
  std::int64_t zone_s = 0;
  if (scan.accept('Z')) {
    date.has_zone = true;
  } else if (const bool east = scan.accept('+'); east || scan.accept('-')) {
    date.has_zone = true;
    zone_s = scan.digits(2) * 3600;
    (void)scan.accept(':');
    zone_s = (zone_s + scan.digits(2) * 60) * (east ? 1 : -1);
  }
  const bool in_range = year >= 1970 && year < 2200 && month >= 1 && month <= 12 && day >= 1 &&
                        day <= 31 && hour <= 23 && minute <= 59 && second <= 60;
  if (scan.failed || !scan.at_end() || !in_range) return std::nullopt;
  const std::int64_t seconds =
      days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone_s;
  date.ns = seconds * ns_per_s + fraction;
  return date;
}

std::int64_t local_to_unix_ns(std::int64_t naive_ns) {
  const auto seconds = static_cast<std::time_t>(naive_ns / ns_per_s);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  parts.tm_isdst = -1;
  const std::time_t local = std::mktime(&parts);
  return local == -1 ? naive_ns : static_cast<std::int64_t>(local) * ns_per_s + naive_ns % ns_per_s;
}

std::int64_t zone_offset_ns(std::int64_t naive_ns, std::int64_t unix_ns) {
  const double quarters =
      static_cast<double>(naive_ns - unix_ns) / static_cast<double>(quarter_hour_ns);
  return static_cast<std::int64_t>(std::llround(quarters)) * quarter_hour_ns;
}

std::string iso_utc(std::int64_t unix_ns) {
  const auto seconds = static_cast<std::time_t>(unix_ns / ns_per_s);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     unix_ns % ns_per_s / 1'000'000);
}

bool natural_less(const std::string& a, const std::string& b) {
  const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
      continue;
    }
    const auto digits_of = [&](const std::string& text, std::size_t& at) {
      while (at < text.size() && text[at] == '0')
        ++at;
      const std::size_t begin = at;
      while (at < text.size() && is_digit(text[at]))
        ++at;
      return text.substr(begin, at - begin);
    };
    const std::string x = digits_of(a, i);
    const std::string y = digits_of(b, j);
    if (x.size() != y.size()) return x.size() < y.size();
    if (x != y) return x < y;
  }
  return a.size() - i < b.size() - j;
}

Result<std::vector<std::filesystem::path>> folders_with(const std::filesystem::path& root,
                                                        std::string_view name, int depth) {
  std::error_code failed;
  if (!std::filesystem::is_directory(root, failed)) {
    return Error{Errc::not_found, root.string() + " is not a folder", {}};
  }
  std::vector<std::filesystem::path> found;
  if (std::filesystem::exists(root / name, failed)) found.push_back(root);
  using Walk = std::filesystem::recursive_directory_iterator;
  Walk walk(root, std::filesystem::directory_options::skip_permission_denied, failed);
  if (failed) return system_error("cannot read the folder " + root.string(), failed.value());
  for (; walk != Walk(); walk.increment(failed)) {
    if (failed) return system_error("cannot read the folder " + root.string(), failed.value());
    if (!walk->is_directory(failed)) continue;
    if (std::filesystem::exists(walk->path() / name, failed)) found.push_back(walk->path());
    if (walk.depth() + 1 >= depth) walk.disable_recursion_pending();
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return natural_less(a.string(), b.string()); });
  return found;
}

}  // namespace ergo::importing
