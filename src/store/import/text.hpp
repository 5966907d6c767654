#pragma once
// CSV and dates as other tools write them, with errors that name file and line.

#include "ergo/core/result.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::importing {

/// "FILE:LINE: what", code corrupt.
Error bad_line(const std::string& file, int line, const std::string& what,
               const std::string& remedy = {});

/// A recording does not span years: a date so far from the first one is a clock that was set, or
/// garbage.
Result<void> check_span(const std::string& file, int line, std::int64_t first_ns, std::int64_t ns);

struct CsvRow {
  int line = 0;
  std::vector<std::string> fields;
};

/// A table whose rows all have as many fields as its header. Names and fields are trimmed.
struct CsvTable {
  std::string file;
  std::vector<std::string> header;
  std::vector<CsvRow> rows;

  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const;
  /// The number in a field; nothing for an empty one. Error: bad_line.
  [[nodiscard]] Result<std::optional<double>> number(const CsvRow& row, std::size_t column) const;
};

/// RFC 4180 with LF or CRLF. `skip_lines` lines before the header are passed over. Empty lines are
/// allowed.
Result<CsvTable> parse_csv(std::string_view text, const std::string& file, int skip_lines = 0);

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
