#pragma once
// One line of a meter's output -> one reading.

#include "sensors/meter/meter.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::meter {

struct LineReading {
  double value = 0.0;            ///< J or W
  std::optional<double> unix_s;  ///< the meter's own time, if it gives one
};

class LineParser {
 public:
  explicit LineParser(const MeterSpec& spec);

  /// Absent for header lines, comments, readings marked as bad, and lines that do not fit. Any text
  /// is accepted.
  std::optional<LineReading> parse(std::string_view line);

  /// A header line is still needed to know the columns.
  [[nodiscard]] bool needs_header() const;

 private:
  struct Column {
    std::string name;
    std::optional<std::size_t> index;
  };
  static std::optional<Column> column(std::string_view text);
  void learn_header(const std::vector<std::string_view>& cells);
  [[nodiscard]] std::optional<double> number_after(std::string_view line) const;

  std::string after_;
  char separator_;
  double scale_;
  std::vector<Column> values_;
  std::optional<Column> time_;
  std::optional<Column> ok_;
};

}  // namespace ergo::meter
