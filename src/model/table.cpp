#include "ergo/model/table.hpp"

#include "ergo/core/csv.hpp"
#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <system_error>

namespace ergo {
namespace {

constexpr std::array required_columns = {"gpu",           "workload", "config",
                                         "power_limit_w", "time_s",   "energy_j"};
constexpr std::string_view header_remedy =
    "the header is gpu,workload,config,power_limit_w,time_s,energy_j, with "
    "repeat,tdp_w,idle_w,utilization,"
    "host_energy_j,clock_mhz optional";

enum class Range { positive, not_negative };

/// Beyond these a product of time and energy cannot be told from 0 or from infinity.
constexpr double smallest_value = 1e-60;
constexpr double largest_value = 1e60;
constexpr std::string_view row_remedy = "mend the row or leave it out";

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

Error with_remedy(Error error, const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    error.remedy = "name a table or a store, not a folder";
  } else if (error.code == Errc::not_found) {
    error.remedy = "check the name";
  } else if (error.code == Errc::permission) {
    error.remedy = "its owner can allow it: chmod a+r " + path.string();
  }
  return error;
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view name) : csv_(text, name), name_(name) {}

  Result<SweepTable> read() {
    if (auto header = read_header(); !header) return header.error();
    SweepTable table;
    for (;;) {
      const auto fields = csv_.next();
      if (!fields) return fields.error();
      if (!*fields) break;
      auto row = read_row(**fields);
      if (!row) return row.error();
      table.push_back(std::move(row).value());
    }
    if (table.empty()) {
      return bad_line(name_, header_line_, "the table has no rows",
                      "write one row per measurement below the header");
    }
    return table;
  }

 private:
  Result<void> read_header() {
    auto header = csv_.header();
    if (!header) {
      Error error = header.error();
      error.remedy = header_remedy;
      return error;
    }
    header_line_ = header->line;
    columns_ = std::move(header->fields);
    for (const char* column : required_columns) {
      const auto count = std::count(columns_.begin(), columns_.end(), column);
      if (count == 1) continue;
      return bad_line(
          name_, header_line_,
          fmt::format("the column '{}' {}", column, count == 0 ? "is missing" : "appears twice"),
          header_remedy);
    }
    return {};
  }

  Result<SweepRow> read_row(const CsvRow& fields) const {
    SweepRow row;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (auto stored = store(row, columns_[i], fields.fields[i], fields.line); !stored)
        return stored.error();
    }
    return row;
  }

  Result<void> store(SweepRow& row, const std::string& column, const std::string& value,
                     int line) const {
    const auto fail = [&](const std::string& what) {
      return bad_line(name_, line, what, row_remedy);
    };
    if (column == "gpu" || column == "workload" || column == "config") {
      std::string& target = column == "gpu"        ? row.gpu
                            : column == "workload" ? row.workload
                                                   : row.config;
      target = value;
      // One config is a common case and may stay unnamed; a row must belong to some GPU and
      // workload.
      if (value.empty() && column != "config") return fail(fmt::format("'{}' is empty", column));
      return {};
    }
    const auto known = std::find_if(number_columns.begin(), number_columns.end(),
                                    [&](const NumberColumn& c) { return c.name == column; });
    if (known == number_columns.end()) return {};
    if (value.empty() && !is_required(column)) return {};
    const auto number = parse_double(value);
    if (!number) return fail(fmt::format("'{}' in column '{}' is not a number", value, column));
    if (known->range == Range::positive && *number <= 0) {
      return fail(fmt::format("{} = {} must be above 0", column, value));
    }
    if (*number < 0) return fail(fmt::format("{} = {} must not be negative", column, value));
    if (*number > largest_value || (*number < smallest_value && known->range == Range::positive)) {
      return fail(fmt::format("{} = {} is no measurement", column, value));
    }
    if (column == "repeat" && (*number != static_cast<int>(std::min(*number, 1e9)))) {
      return fail(fmt::format("repeat = {} is not a whole number", value));
    }
    known->store(row, *number);
    return {};
  }

  CsvReader csv_;
  std::string name_;
  int header_line_ = 1;
  std::vector<std::string> columns_;
};

}  // namespace

Result<SweepTable> parse_sweep_table(std::string_view text, std::string_view name) {
  return Reader(text, name).read();
}

Result<std::string> read_sweep_text(const std::filesystem::path& path) {
  auto text = read_text(path);
  if (!text) return with_remedy(text.error(), path);
  return text;
}

Result<SweepTable> read_sweep_table(const std::filesystem::path& path) {
  const auto text = read_sweep_text(path);
  if (!text) return text.error();
  return parse_sweep_table(*text, path.string());
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
