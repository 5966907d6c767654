#include "ergo/experiment/plan.hpp"

#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

namespace ergo {
namespace {

bool is_axis_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

/// std::shuffle and the distributions differ between standard libraries; this order must not.
void shuffle_portably(std::vector<std::size_t>& order, std::mt19937_64& random) {
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[random() % left]);
  }
}

std::size_t replace_all(std::string& word, const std::string& from, const std::string& to) {
  std::size_t replaced = 0;
  for (std::size_t at = word.find(from); at != std::string::npos;
       at = word.find(from, at + to.size())) {
    word.replace(at, from.size(), to);
    ++replaced;
  }
  return replaced;
}

}  // namespace

Result<Axis> Axis::parse(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !is_axis_name(trim(text.substr(0, equals)))) {
    return Error{Errc::invalid_argument, fmt::format("'{}' is not a parameter", text),
                 "write NAME=V1,V2 or NAME=A..B:STEP"};
  }
  const std::string_view listed = text.substr(equals + 1);
  if (const std::size_t dots = listed.find("..");
      dots != std::string_view::npos && listed.find(':') == std::string_view::npos &&
      parse_double(listed.substr(0, dots)) && parse_double(listed.substr(dots + 2))) {
    return Error{Errc::invalid_argument, fmt::format("the range '{}' has no step", listed),
                 fmt::format("write {}:1", text)};
  }
  auto values = parse_values(listed);
  if (!values) return values.error();
  Axis axis{std::string(trim(text.substr(0, equals))), std::move(*values)};
  const std::set<std::string> distinct(axis.values.begin(), axis.values.end());
  if (distinct.size() != axis.values.size()) {
    return Error{Errc::invalid_argument,
                 fmt::format("the parameter {} has a value twice", axis.name),
                 "use -r to repeat a cell"};
  }
  return axis;
}

std::string key_of(const GridCell& cell) {
  std::string key;
  for (const auto& [name, value] : cell)
    key += fmt::format("{}{}={}", key.empty() ? "" : " ", name, value);
  return key;
}

Result<std::vector<GridCell>> grid_of(const std::vector<Axis>& axes) {
  std::vector<GridCell> cells{GridCell{}};
  for (const Axis& axis : axes) {
    std::vector<GridCell> larger;
    larger.reserve(cells.size() * axis.values.size());
    for (const GridCell& cell : cells) {
      if (cell.contains(axis.name)) {
        return Error{Errc::invalid_argument,
                     fmt::format("the parameter {} is given twice", axis.name),
                     "put all its values into one -p"};
      }
      for (const std::string& value : axis.values) {
        larger.push_back(cell);
        larger.back()[axis.name] = value;
      }
    }
    cells = std::move(larger);
  }
  return cells;
}

std::vector<PlannedRun> plan_runs(const std::vector<GridCell>& cells, int repeats,
                                  std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::size_t> order(cells.size());
  std::vector<PlannedRun> runs;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (std::size_t i = 0; i < order.size(); ++i)
      order[i] = i;
    shuffle_portably(order, random);
    for (const std::size_t i : order)
      runs.push_back({cells[i], repeat});
  }
  return runs;
}

Result<std::vector<std::string>> substitute(const std::vector<std::string>& words,
                                            const GridCell& cell,
                                            const std::vector<std::string>& silent_axes) {
  std::vector<std::string> result = words;
  for (const auto& [name, value] : cell) {
    std::size_t replaced = 0;
    for (std::string& word : result)
      replaced += replace_all(word, "{" + name + "}", value);
    const bool silent =
        std::find(silent_axes.begin(), silent_axes.end(), name) != silent_axes.end();
    if (replaced == 0 && !silent) {
      return Error{Errc::invalid_argument,
                   fmt::format("the command never uses the parameter {}", name),
                   fmt::format("write {{{}}} where its value belongs", name)};
    }
  }
  return result;
}

}  // namespace ergo
