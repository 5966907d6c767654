#include "ergo/model/table.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

namespace ergo {
namespace {

constexpr std::array required_columns = {"gpu",           "workload", "config",
                                         "power_limit_w", "time_s",   "energy_j"};
constexpr std::string_view header_remedy =
    "the header is gpu,workload,config,power_limit_w,time_s,energy_j, with "
    "repeat,tdp_w,idle_w,utilization,"
    "host_energy_j,clock_mhz optional";

enum class Range { any, positive, not_negative };

/// A numeric column: where its value goes in a row, and what values it may have.
struct NumberColumn {
  std::string_view name;
  Range range;
  void (*store)(SweepRow&, double);
  std::optional<double> (*load)(const SweepRow&);
};

constexpr std::array<NumberColumn, 9> number_columns = {{
    {"power_limit_w", Range::positive, [](SweepRow& r, double v) { r.power_limit_w = v; },
     [](const SweepRow& r) { return std::optional(r.power_limit_w); }},
    {"time_s", Range::positive, [](SweepRow& r, double v) { r.time_s = v; },
     [](const SweepRow& r) { return std::optional(r.time_s); }},
    {"energy_j", Range::positive, [](SweepRow& r, double v) { r.energy_j = v; },
     [](const SweepRow& r) { return std::optional(r.energy_j); }},
    {"repeat", Range::not_negative, [](SweepRow& r, double v) { r.repeat = static_cast<int>(v); },
     [](const SweepRow& r) { return r.repeat ? std::optional<double>(*r.repeat) : std::nullopt; }},
    {"tdp_w", Range::positive, [](SweepRow& r, double v) { r.tdp_w = v; },
     [](const SweepRow& r) { return r.tdp_w; }},
    {"idle_w", Range::not_negative, [](SweepRow& r, double v) { r.idle_w = v; },
     [](const SweepRow& r) { return r.idle_w; }},
    {"utilization", Range::not_negative, [](SweepRow& r, double v) { r.utilization = v; },
     [](const SweepRow& r) { return r.utilization; }},
    {"host_energy_j", Range::not_negative, [](SweepRow& r, double v) { r.host_energy_j = v; },
     [](const SweepRow& r) { return r.host_energy_j; }},
    {"clock_mhz", Range::positive, [](SweepRow& r, double v) { r.clock_mhz = v; },
     [](const SweepRow& r) { return r.clock_mhz; }},
}};

bool is_required(std::string_view name) {
  return std::find(required_columns.begin(), required_columns.end(), name) !=
         required_columns.end();
}

/// The fields of one CSV record starting at `position`, which moves behind the record's line end.
/// nullopt when a quote is not closed.
std::optional<std::vector<std::string>> next_record(std::string_view text, std::size_t& position,
                                                    int& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  while (position < text.size()) {
    const char c = text[position++];
    if (quoted) {
      if (c == '"' && position < text.size() && text[position] == '"') {
        fields.back() += '"';
        ++position;
      } else if (c == '"') {
        quoted = false;
      } else {
        if (c == '\n') ++line;
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

class Reader {
 public:
  Reader(std::string_view text, std::string_view name) : text_(text), name_(name) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  Result<SweepTable> read() {
    if (auto header = read_header(); !header) return header.error();
    SweepTable table;
    while (position_ < text_.size()) {
      const int line = ++line_;
      const auto fields = next_record(text_, position_, line_);
      if (!fields) return fail(line, "a quote is not closed", {});
      if (fields->size() == 1 && trim(fields->front()).empty()) continue;
      auto row = read_row(*fields, line);
      if (!row) return row.error();
      table.push_back(std::move(row).value());
    }
    if (table.empty()) return fail(line_, "the table has no rows", {});
    return table;
  }

 private:
  Result<void> read_header() {
    line_ = 1;
    auto fields = next_record(text_, position_, line_);
    if (!fields) return fail(1, "a quote is not closed", {});
    for (const std::string& field : *fields)
      columns_.emplace_back(trim(field));
    for (const char* column : required_columns) {
      const auto count = std::count(columns_.begin(), columns_.end(), column);
      if (count == 0)
        return fail(1, fmt::format("the column '{}' is missing", column), header_remedy);
      if (count > 1)
        return fail(1, fmt::format("the column '{}' appears twice", column), header_remedy);
    }
    return {};
  }

  Result<SweepRow> read_row(const std::vector<std::string>& fields, int line) const {
    if (fields.size() != columns_.size()) {
      return fail(line,
                  fmt::format("{} fields where the header has {}", fields.size(), columns_.size()),
                  {});
    }
    SweepRow row;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (auto stored = store(row, columns_[i], fields[i], line); !stored) return stored.error();
    }
    return row;
  }

  Result<void> store(SweepRow& row, const std::string& column, const std::string& field,
                     int line) const {
    const std::string_view value = trim(field);
    if (column == "gpu" || column == "workload" || column == "config") {
      std::string& target = column == "gpu"        ? row.gpu
                            : column == "workload" ? row.workload
                                                   : row.config;
      target = value;
      // One config is a common case and may stay unnamed; a row must belong to some GPU and
      // workload.
      if (value.empty() && column != "config")
        return fail(line, fmt::format("'{}' is empty", column), {});
      return {};
    }
    const auto known = std::find_if(number_columns.begin(), number_columns.end(),
                                    [&](const NumberColumn& c) { return c.name == column; });
    if (known == number_columns.end()) return {};
    if (value.empty() && !is_required(column)) return {};
    const auto number = parse_double(value);
    if (!number)
      return fail(line, fmt::format("'{}' in column '{}' is not a number", field, column), {});
    if (known->range == Range::positive && *number <= 0) {
      return fail(line, fmt::format("{} = {} must be above 0", column, value), {});
    }
    if (*number < 0)
      return fail(line, fmt::format("{} = {} must not be negative", column, value), {});
    if (column == "repeat" && (*number != static_cast<int>(std::min(*number, 1e9)))) {
      return fail(line, fmt::format("repeat = {} is not a whole number", value), {});
    }
    known->store(row, *number);
    return {};
  }

  [[nodiscard]] Error fail(int line, std::string_view what, std::string_view remedy) const {
    return Error{Errc::corrupt, fmt::format("{}:{}: {}", name_, line, what), std::string(remedy)};
  }

  std::string_view text_;
  std::string name_;
  std::size_t position_ = 0;
  int line_ = 0;
  std::vector<std::string> columns_;
};

}  // namespace

Result<SweepTable> parse_sweep_table(std::string_view text, std::string_view name) {
  return Reader(text, name).read();
}

Result<SweepTable> read_sweep_table(const std::filesystem::path& path) {
  const auto text = read_text(path);
  if (!text) return text.error();
  return parse_sweep_table(*text, path.string());
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

std::string format_sweep_table(const SweepTable& table) {
  std::vector<const NumberColumn*> columns;
  for (const NumberColumn& column : number_columns) {
    const bool used = std::any_of(table.begin(), table.end(),
                                  [&](const SweepRow& r) { return column.load(r).has_value(); });
    if (is_required(column.name) || used) columns.push_back(&column);
  }
  std::string text = "gpu,workload,config";
  for (const NumberColumn* column : columns)
    text += fmt::format(",{}", column->name);
  text += '\n';
  for (const SweepRow& row : table) {
    text +=
        fmt::format("{},{},{}", csv_field(row.gpu), csv_field(row.workload), csv_field(row.config));
    for (const NumberColumn* column : columns) {
      const auto value = column->load(row);
      text += ',';
      if (value) text += shortest(*value);
    }
    text += '\n';
  }
  return text;
}

}  // namespace ergo
