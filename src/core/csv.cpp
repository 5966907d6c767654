#include "ergo/core/csv.hpp"

#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo {
namespace {

/// Fields of the record at the front of `text`, which is taken off; `line` moves by the lines it
/// held. nullopt when a quote is not closed.
std::optional<std::vector<std::string>> take_record(std::string_view& text, int& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (quoted) {
      if (c == '"' && text.starts_with('"')) {
        fields.back() += c;
        text.remove_prefix(1);
      } else if (c == '"') {
        quoted = false;
      } else {
        line += c == '\n' ? 1 : 0;
        fields.back() += c;
      }
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      return fields;
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  if (quoted) return std::nullopt;
  return fields;
}

}  // namespace

Error bad_line(std::string_view file, int line, std::string_view what, std::string_view remedy) {
  return Error{Errc::corrupt, fmt::format("{}:{}: {}", file, line, what), std::string(remedy)};
}

CsvReader::CsvReader(std::string_view text, std::string_view file, int skip_lines)
    : text_(text), file_(file), complete_(text.ends_with('\n')) {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  for (; skip_lines > 0 && !text_.empty(); --skip_lines) {
    const auto end = text_.find('\n');
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
    ++line_;
  }
}

Result<CsvRow> CsvReader::header() {
  auto row = next_row();
  if (!row) return row.error();
  if (!*row) return bad_line(file_, std::max(line_, 1), "the file is empty");
  columns_ = (*row)->fields.size();
  return std::move(**row);
}

Result<std::optional<CsvRow>> CsvReader::next() {
  auto row = next_row();
  if (!row || !*row || (*row)->fields.size() == columns_) return row;
  const bool cut = text_.empty() && !complete_;
  return bad_line(file_, (*row)->line,
                  fmt::format("{} fields where the header has {}{}", (*row)->fields.size(),
                              columns_, cut ? ": the file was cut off here" : ""),
                  cut ? "delete its last line" : "");
}

Result<std::optional<CsvRow>> CsvReader::next_row() {
  while (!text_.empty()) {
    const int first = ++line_;
    auto fields = take_record(text_, line_);
    if (!fields) return bad_line(file_, first, "a quote is not closed");
    for (auto& field : *fields)
      field = std::string(trim(field));
    if (fields->size() == 1 && fields->front().empty()) continue;
    return std::optional(CsvRow{first, std::move(*fields)});
  }
  return std::optional<CsvRow>();
}

std::optional<std::size_t> CsvTable::column(std::string_view name) const {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header.begin());
}

Result<std::optional<double>> CsvTable::number(const CsvRow& row, std::size_t column) const {
  const std::string& field = row.fields[column];
  if (field.empty()) return std::optional<double>();
  auto value = parse_double(field);
  if (value) return std::optional<double>(*value);
  return bad_line(file, row.line,
                  fmt::format("'{}' in column '{}' is not a number", field, header[column]));
}

Result<CsvTable> parse_csv(std::string_view text, std::string_view file, int skip_lines) {
  CsvReader reader(text, file, skip_lines);
  auto header = reader.header();
  if (!header) return header.error();
  CsvTable table{std::string(file), std::move(header->fields), {}};
  for (;;) {
    auto row = reader.next();
    if (!row) return row.error();
    if (!*row) return table;
    table.rows.push_back(std::move(**row));
  }
}

std::string csv_field(std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos && trim(field) == field)
    return std::string(field);
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace ergo
