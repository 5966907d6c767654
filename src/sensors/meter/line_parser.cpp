#include "sensors/meter/line_parser.hpp"

#include "ergo/core/parse.hpp"

#include <algorithm>
#include <array>

namespace ergo::meter {
namespace {

/// OmegaWatt puts a # before each name, spreadsheets put quotes around it.
std::string_view bare(std::string_view cell) {
  cell = trim(cell);
  while (!cell.empty() && (cell.front() == '#' || cell.front() == '"'))
    cell.remove_prefix(1);
  while (!cell.empty() && cell.back() == '"')
    cell.remove_suffix(1);
  return trim(cell);
}

bool is_true(std::string_view cell) {
  constexpr std::array words{"true", "1", "ok", "yes", "True", "TRUE", "OK"};
  const std::string_view word = bare(cell);
  return std::any_of(words.begin(), words.end(), [&](const char* w) { return word == w; });
}

std::vector<std::string_view> cells_of(std::string_view line, char separator) {
  std::vector<std::string_view> cells = split(line, separator);
  if (separator == ' ')
    std::erase_if(cells, [](std::string_view cell) { return trim(cell).empty(); });
  return cells;
}

}  // namespace

LineParser::LineParser(const MeterSpec& spec)
    : after_(spec.after),
      separator_(spec.separator),
      scale_(spec.scale),
      time_(column(spec.time)),
      ok_(column(spec.ok)) {
  for (const std::string_view part : split(spec.value, '+')) {
    if (auto value = column(part)) values_.push_back(std::move(*value));
  }
}

std::optional<LineParser::Column> LineParser::column(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::nullopt;
  Column column{std::string(text), std::nullopt};
  if (const auto number = parse_uint(text); number && *number >= 1) column.index = *number - 1;
  return column;
}

bool LineParser::needs_header() const {
  const auto open = [](const Column& c) { return !c.index; };
  return std::any_of(values_.begin(), values_.end(), open) || (time_ && open(*time_)) ||
         (ok_ && open(*ok_));
}

void LineParser::learn_header(const std::vector<std::string_view>& cells) {
  const auto learn = [&](Column& column) {
    if (column.index) return;
    const auto at = std::find_if(cells.begin(), cells.end(),
                                 [&](std::string_view c) { return bare(c) == column.name; });
    if (at != cells.end()) column.index = static_cast<std::size_t>(at - cells.begin());
  };
  for (Column& value : values_)
    learn(value);
  if (time_) learn(*time_);
  if (ok_) learn(*ok_);
}

std::optional<double> LineParser::number_after(std::string_view line) const {
  const std::size_t at = line.find(after_);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = trim(line.substr(at + after_.size()));
  const auto value = parse_double(rest.substr(0, rest.find_first_not_of("0123456789+-.eE")));
  if (!value) return std::nullopt;
  return *value;
}

std::optional<LineReading> LineParser::parse(std::string_view line) {
  if (!after_.empty()) {
    const auto value = number_after(line);
    if (!value) return std::nullopt;
    return LineReading{*value * scale_, std::nullopt};
  }
  const auto cells = cells_of(line, separator_);
  if (needs_header()) {
    learn_header(cells);
    return std::nullopt;
  }
  const auto cell = [&](const Column& column) {
    return *column.index < cells.size() ? bare(cells[*column.index]) : std::string_view();
  };
  if (ok_ && !is_true(cell(*ok_))) return std::nullopt;
  LineReading reading;
  for (const Column& column : values_) {
    const auto value = parse_double(cell(column));
    if (!value) return std::nullopt;
    reading.value += *value * scale_;
  }
  if (time_) {
    const auto time = parse_double(cell(*time_));
    if (!time) return std::nullopt;
    reading.unix_s = *time;
  }
  return reading;
}

}  // namespace ergo::meter
