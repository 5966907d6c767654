#pragma once
// Dates and folders as other tools write them.

#include "ergo/core/csv.hpp"
#include "ergo/core/result.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::importing {

/// A recording does not span years: a date so far from the first one is a clock that was set, or
/// garbage.
Result<void> check_span(const std::string& file, int line, std::int64_t first_ns, std::int64_t ns);

/// A date without zone is taken as if it were UTC.
struct Date {
  std::int64_t ns = 0;  ///< since 1970
  bool has_zone = false;
};

/// "2023-07-27 17:21:57.744155", with T, with "/" for "-", with or without fraction, with Z or
/// +HH:MM. nullopt otherwise.
std::optional<Date> parse_date(std::string_view text);

/// The wall clock of this machine's zone as time since 1970: for dates without zone.
std::int64_t local_to_unix_ns(std::int64_t naive_ns);

/// What to add to times since 1970 so that they match dates without zone taken at about the same
/// moment (within seven minutes): a multiple of a quarter of an hour, as all zones are.
std::int64_t zone_offset_ns(std::int64_t naive_ns, std::int64_t unix_ns);

/// "2026-11-21T10:00:00.123Z".
std::string iso_utc(std::int64_t unix_ns);

/// Text with runs of digits ordered by their value: run_2 before run_10.
bool natural_less(const std::string& a, const std::string& b);

/// Folders at or below `root`, at most `depth` levels down, that hold a file of this name; in
/// natural order.
Result<std::vector<std::filesystem::path>> folders_with(const std::filesystem::path& root,
                                                        std::string_view name, int depth);

}  // namespace ergo::importing
