#include "report/text_table.hpp"

#include <algorithm>

namespace ergo::report {
namespace {

/// Letters, not bytes: UTF-8 continuation bytes do not count.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::string TextTable::text(
    std::size_t indent, const std::function<std::string(const std::string&)>& style_head) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].head);
    for (const auto& row : rows_)
      width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }
  const auto line_of = [&](const auto& cell) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& text = cell(i);
      const std::string padding(widths[i] - width_of(text), ' ');
      line += (i == 0 ? "" : "  ") + (columns_[i].right ? padding + text : text + padding);
    }
    return without_trailing_blanks(std::move(line));
  };
  std::string out =
      style_head(line_of([&](std::size_t i) -> const std::string& { return columns_[i].head; })) +
      "\n";
  for (const auto& row : rows_)
    out += line_of([&](std::size_t i) -> const std::string& { return row[i]; }) + "\n";
  return out;
}

}  // namespace ergo::report
