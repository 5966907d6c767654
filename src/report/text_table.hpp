#pragma once
// Columns of text that line up, also where the text holds letters of more than one byte.

#include <functional>
#include <string>
#include <vector>

namespace ergo::report {

class TextTable {
 public:
  struct Column {
    std::string head;
    bool right = false;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One cell per column.
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  /// Each line indented by `indent` and without trailing blanks; `style_head` paints the line of
  /// heads.
  [[nodiscard]] std::string text(
      std::size_t indent, const std::function<std::string(const std::string&)>& style_head) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace ergo::report
