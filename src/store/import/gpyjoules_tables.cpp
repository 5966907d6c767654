#include "store/import/gpyjoules_tables.hpp"

#include "ergo/core/parse.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <optional>

namespace ergo::importing {
namespace {

/// The date in a field; `first` holds that of the first row.
Result<std::int64_t> date_in(const CsvTable& table, const CsvRow& row, std::size_t column,
                             std::optional<std::int64_t>& first) {
  const auto date = parse_date(row.fields[column]);
  if (!date) {
    return bad_line(table.file, row.line,
                    fmt::format("'{:.40}' is not a date", row.fields[column]));
  }
  if (!first) first = date->ns;
  if (auto near = check_span(table.file, row.line, *first, date->ns); !near) return near.error();
  return date->ns;
}

Result<std::size_t> required_column(const CsvTable& table, const char* name) {
  const auto column = table.column(name);
  if (column) return *column;
  return bad_line(table.file, 1, fmt::format("the column '{}' is missing", name));
}

/// d0c0, d0c1, d1c0 …
bool is_meter_channel(const std::string& name) {
  const auto digit = [&](std::size_t i) {
    return std::isdigit(static_cast<unsigned char>(name[i])) != 0;
  };
  return name.size() == 4 && name[0] == 'd' && digit(1) && name[2] == 'c' && digit(3);
}

}  // namespace

Result<std::map<std::string, Series>> parse_gpu_power(std::string_view text,
                                                      const std::string& file) {
  auto table = parse_csv(text, file);
  if (!table) return table.error();
  auto time = required_column(*table, "timestamp");
  if (!time) return time.error();
  std::map<std::string, Series> columns;
  std::optional<std::int64_t> first;
  for (const auto& row : table->rows) {
    auto ns = date_in(*table, row, *time, first);
    if (!ns) return ns.error();
    for (std::size_t column = 0; column < table->header.size(); ++column) {
      // The first, unnamed column is pandas' row number.
      if (column == *time || table->header[column].empty()) continue;
      auto value = table->number(row, column);
      if (!value) return value.error();
      if (*value) columns[table->header[column]].emplace_back(*ns, **value);
    }
  }
  if (!columns.contains("power") && !columns.contains("total-energy")) {
    return bad_line(file, 1, "there are no readings of 'power' or 'total-energy'");
  }
  return columns;
}

Result<Series> parse_samples(std::string_view text, const std::string& file) {
  auto table = parse_csv(text, file);
  if (!table) return table.error();
  auto time = required_column(*table, "timestamp");
  if (!time) return time.error();
  auto column = required_column(*table, "value");
  if (!column) return column.error();
  Series series;
  for (const auto& row : table->rows) {
    auto us = table->number(row, *time);
    if (!us) return us.error();
    auto value = table->number(row, *column);
    if (!value) return value.error();
    if (!*us || !*value) continue;
    if (**us < 0.0 || **us > 7e15)
      return bad_line(file, row.line, "the timestamp is not one in microseconds");
    const auto ns = static_cast<std::int64_t>(std::llround(**us)) * 1000;
    const auto first_ns = series.empty() ? ns : series.front().first;
    if (auto near = check_span(file, row.line, first_ns, ns); !near) return near.error();
    series.emplace_back(ns, **value);
  }
  return series;
}

Result<std::vector<TimedEvent>> parse_timestamps(std::string_view text, const std::string& file) {
  auto table = parse_csv(text, file);
  if (!table) return table.error();
  auto time = required_column(*table, "timestamp");
  if (!time) return time.error();
  auto event = required_column(*table, "event");
  if (!event) return event.error();
  const auto data = table->column("data");
  std::vector<TimedEvent> events;
  std::optional<std::int64_t> first;
  for (const auto& row : table->rows) {
    auto ns = date_in(*table, row, *time, first);
    if (!ns) return ns.error();
    TimedEvent found{*ns, row.fields[*event], std::nullopt};
    if (data) {
      // pandas writes whole numbers as 3.0 once a column has holes.
      if (const auto number = parse_double(row.fields[*data]); number && std::abs(*number) < 1e9) {
        found.number = static_cast<int>(*number);
      }
    }
    events.push_back(std::move(found));
  }
  return events;
}

Result<Series> parse_external(std::string_view text, const std::string& file) {
  auto table = parse_csv(text, file);
  if (!table) return table.error();
  auto time = required_column(*table, "timestamp");
  if (!time) return time.error();
  std::optional<std::int64_t> first;
  Series series;
  for (const auto& row : table->rows) {
    auto ns = date_in(*table, row, *time, first);
    if (!ns) return ns.error();
    double milliwatts = 0.0;
    bool complete = true;
    int channels = 0;
    for (std::size_t column = 0; column < table->header.size(); ++column) {
      if (!is_meter_channel(table->header[column])) continue;
      auto value = table->number(row, column);
      if (!value) return value.error();
      complete = complete && value->has_value();
      milliwatts += value->value_or(0.0);
      ++channels;
    }
    if (channels == 0) return bad_line(file, 1, "there are no channels d0c0, d0c1 …");
    if (complete) series.emplace_back(*ns, milliwatts / 1000.0);
  }
  return series;
}

}  // namespace ergo::importing
