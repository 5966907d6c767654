#pragma once
// Tables as text: CSV as RFC 4180 says, with errors that name file and line.

#include "ergo/core/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// "FILE:LINE: what", code corrupt.
Error bad_line(std::string_view file, int line, std::string_view what,
               std::string_view remedy = {});

struct CsvRow {
  int line = 0;  ///< where it begins
  std::vector<std::string> fields;
};

/// Reads row after row of a table whose rows have as many fields as its header. Fields may be
/// quoted, lines end with LF or CRLF, empty lines and a byte-order mark are passed over, names and
/// fields are trimmed. `text` must outlive the reader.
class CsvReader {
 public:
  /// `file` stands for the text in errors; its first `skip_lines` lines are no part of the table.
  CsvReader(std::string_view text, std::string_view file, int skip_lines = 0);

  /// The first row; to be called once, before next(). Errors: bad_line, also for an empty text.
  Result<CsvRow> header();
  /// The next row; nothing after the last one. Errors: bad_line.
  Result<std::optional<CsvRow>> next();

 private:
  Result<std::optional<CsvRow>> next_row();

  std::string_view text_;
  std::string file_;
  bool complete_;  ///< the last line has its end
  int line_ = 0;
  std::size_t columns_ = 0;
};

/// A whole table in memory.
struct CsvTable {
  std::string file;
  std::vector<std::string> header;
  std::vector<CsvRow> rows;

  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const;
  /// The number in a field; nothing for an empty one. Error: bad_line.
  [[nodiscard]] Result<std::optional<double>> number(const CsvRow& row, std::size_t column) const;
};

/// What a CsvReader reads.
Result<CsvTable> parse_csv(std::string_view text, std::string_view file, int skip_lines = 0);

/// `field` as a CSV field: quoted only where it must be.
std::string csv_field(std::string_view field);

}  // namespace ergo
