#include "store/import/build.hpp"
#include "store/import/results.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace ergo::importing {

Result<ImportedExperiment> parse_zeus(std::string_view text, const std::string& file,
                                      const std::string& gpu) {
  auto table = parse_csv(text, file);
  if (!table) return table.error();
  constexpr std::array names{"dataset",     "network",        "batch_size",   "optimizer",
                             "power_limit", "time_per_epoch", "average_power"};
  std::array<std::size_t, names.size()> columns{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto column = table->column(names[i]);
    if (!column) return bad_line(file, 1, fmt::format("the column '{}' is missing", names[i]));
    columns[i] = *column;
  }
  ImportedExperiment out;
  out.origin = "zeus";
  out.record.name = "zeus";
  GpuIdentity identity;
  identity.name = gpu;
  out.record.host.gpus.push_back(std::move(identity));
  for (const auto& row : table->rows) {
    std::array<double, 3> numbers{};
    for (std::size_t i = 0; i < 3; ++i) {
      auto number = table->number(row, columns[4 + i]);
      if (!number) return number.error();
      if (!*number || !(**number > 0.0)) {
        return bad_line(file, row.line,
                        fmt::format("'{}' must be a positive number", names[4 + i]));
      }
      numbers[i] = **number;
    }
    const auto [limit, seconds, watts] = numbers;
    if (limit > highest_limit_w) {
      return bad_line(file, row.line,
                      fmt::format("'power_limit' {:g} is no number of watts", limit),
                      "limits are in watts, not in milliwatts");
    }
    const auto field = [&](std::size_t i) { return row.fields[columns[i]]; };
    RunRecord run;
    run.index = static_cast<int>(out.record.runs.size());
    run.duration = Seconds(seconds);
    run.parameters = {{"workload", field(0) + "-" + field(1)},
                      {"config", "bs" + field(2) + "-" + field(3)}};
    set_power_limit(run, limit);
    run.energy = {channel_result("gpu0", "zeus.average_power", watts * seconds, seconds, 0.05)};
    run.total = total_of(run.energy);
    out.record.runs.push_back(std::move(run));
    out.timelines.emplace_back();
  }
  if (out.record.runs.empty()) return bad_line(file, 1, "the table has no rows");
  out.notes.emplace_back(
      "time and energy are of one epoch; energy is Zeus's average power times its epoch time");
  return out;
}

}  // namespace ergo::importing
