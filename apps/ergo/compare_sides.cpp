#include "compare_sides.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/experiment/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace ergo::cli {
namespace {

constexpr const char* selector_form = "STORE[@EXPERIMENT][:NAME=VALUE,...]";

struct Loaded {
  std::string store;
  std::int64_t experiment = 0;
  std::string plan;
  ExperimentRecord record;
};

Result<Loaded> load(const RunSelector& selector) {
  const auto store = Store::open(selector.store, Store::Mode::read);
  if (!store) return store.error();
  const auto all = store->experiments();
  if (!all) return all.error();
  if (all->empty())
    return Error{Errc::not_found, selector.store + " holds no experiment",
                 "fill it with ergo run --store or ergo sweep --store"};
  const std::int64_t wanted = selector.experiment.value_or(all->back().id);
  const auto found = std::find_if(all->begin(), all->end(),
                                  [&](const ExperimentInfo& one) { return one.id == wanted; });
  if (found == all->end())
    return Error{Errc::not_found, fmt::format("{} has no experiment {}", selector.store, wanted),
                 fmt::format("the newest is {}", all->back().id)};
  auto record = store->load_experiment(wanted);
  if (!record) return record.error();
  return Loaded{selector.store, wanted, found->plan, std::move(*record)};
}

std::vector<std::string> cells_of(const ExperimentRecord& record) {
  std::vector<std::string> cells;
  for (const RunRecord& run : record.runs) {
    const std::string key = key_of(run.parameters);
    if (std::find(cells.begin(), cells.end(), key) == cells.end()) cells.push_back(key);
  }
  std::sort(cells.begin(), cells.end());
  return cells;
}

std::string list_of(const std::vector<std::string>& cells) {
  constexpr std::size_t most = 6;
  std::string text;
  for (std::size_t i = 0; i < cells.size() && i < most; ++i)
    text += (i == 0 ? "" : "; ") + cells[i];
  return text + (cells.size() > most ? fmt::format("; and {} more", cells.size() - most) : "");
}

/// The runs with all of `parameters`; they must be of one cell.
Result<CompareSide> side_of(const Loaded& loaded,
                            const std::map<std::string, std::string>& parameters) {
  CompareSide side;
  side.host = loaded.record.host;
  std::set<std::string> cells;
  for (const RunRecord& run : loaded.record.runs) {
    const bool fits = std::all_of(parameters.begin(), parameters.end(), [&](const auto& wanted) {
      const auto found = run.parameters.find(wanted.first);
      return found != run.parameters.end() && found->second == wanted.second;
    });
    if (!fits) continue;
    side.runs.push_back(run);
    cells.insert(key_of(run.parameters));
  }
  const std::string there = list_of(cells_of(loaded.record));
  if (cells.empty())
    return Error{Errc::not_found,
                 fmt::format("{} has no run with {}", loaded.store, key_of(parameters)),
                 "its cells: " + there};
  if (cells.size() > 1)
    return Error{Errc::invalid_argument,
                 fmt::format("{} has runs of {} cells that fit", loaded.store, cells.size()),
                 fmt::format("choose one ({}); cells: {}", selector_form, there)};
  side.label = fmt::format("{}@{}", loaded.store, loaded.experiment);
  if (!cells.begin()->empty()) {
    side.label += " " + *cells.begin();
  } else {
    for (const std::string& word : loaded.record.command)
      side.label += " " + word;
  }
  return side;
}

/// Both cells of an experiment that has two.
Result<StoredSides> both_cells(const Loaded& loaded) {
  std::array<std::map<std::string, std::string>, 2> cells;
  if (const auto plan = parse_compare_plan(loaded.plan)) {
    cells = {{{{plan->axis, plan->values[0]}}, {{plan->axis, plan->values[1]}}}};
  } else {
    std::vector<std::map<std::string, std::string>> found;
    for (const RunRecord& run : loaded.record.runs) {
      if (std::find(found.begin(), found.end(), run.parameters) == found.end())
        found.push_back(run.parameters);
    }
    if (found.size() != 2)
      return Error{Errc::invalid_argument,
                   fmt::format("{} holds {} cells, not two", loaded.store, found.size()),
                   fmt::format("name both sides: ergo compare A B, each {}", selector_form)};
    std::sort(found.begin(), found.end());
    cells = {found[0], found[1]};
  }
  StoredSides sides;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    auto side = side_of(loaded, cells[i]);
    if (!side) return side.error();
    sides.sides[i] = std::move(*side);
  }
  sides.paired = true;
  return sides;
}

}  // namespace

Result<RunSelector> RunSelector::parse(const std::string& text) {
  RunSelector selector;
  selector.store = text;
  std::error_code ignored;
  if (std::filesystem::exists(text, ignored)) return selector;
  const auto equals = selector.store.find('=');
  if (equals != std::string::npos) {
    const auto colon = selector.store.rfind(':', equals);
    if (colon == std::string::npos)
      return Error{Errc::invalid_argument, fmt::format("'{}' names no runs", text),
                   fmt::format("write {}", selector_form)};
    // A value may hold commas: a part without '=' belongs to the value before it.
    std::string* value = nullptr;
    const std::string rest = selector.store.substr(colon + 1);
    for (const std::string_view part : split(rest, ',')) {
      const auto sign = part.find('=');
      if (sign == std::string_view::npos && value != nullptr) {
        *value += "," + std::string(part);
        continue;
      }
      if (sign == std::string_view::npos || sign == 0)
        return Error{Errc::invalid_argument, fmt::format("'{}' is not NAME=VALUE", part),
                     fmt::format("write {}", selector_form)};
      value = &selector.parameters[std::string(part.substr(0, sign))];
      *value = part.substr(sign + 1);
    }
    selector.store.resize(colon);
  }
  if (std::filesystem::exists(selector.store, ignored)) return selector;
  if (const auto at = selector.store.rfind('@'); at != std::string::npos) {
    const auto number = parse_int(selector.store.substr(at + 1));
    if (!number)
      return Error{Errc::invalid_argument,
                   fmt::format("'{}' is no experiment's number", selector.store.substr(at + 1)),
                   fmt::format("write {}", selector_form)};
    selector.experiment = *number;
    selector.store.resize(at);
  }
  return selector;
}

Result<StoredSides> load_sides(const std::string& first, const std::string& second) {
  const auto a = RunSelector::parse(first);
  if (!a) return a.error();
  const auto loaded_a = load(*a);
  if (!loaded_a) return loaded_a.error();
  if (second.empty()) return both_cells(*loaded_a);
  const auto b = RunSelector::parse(second);
  if (!b) return b.error();
  const auto loaded_b = load(*b);
  if (!loaded_b) return loaded_b.error();
  auto side_a = side_of(*loaded_a, a->parameters);
  if (!side_a) return side_a.error();
  auto side_b = side_of(*loaded_b, b->parameters);
  if (!side_b) return side_b.error();
  std::error_code ignored;
  const bool one_experiment = loaded_a->experiment == loaded_b->experiment &&
                              std::filesystem::equivalent(a->store, b->store, ignored);
  if (one_experiment && side_a->runs.front().parameters == side_b->runs.front().parameters)
    return Error{Errc::invalid_argument, "A and B are the same runs",
                 fmt::format("name two cells, or two experiments: {}", selector_form)};
  StoredSides sides;
  sides.paired = one_experiment;
  sides.sides = {std::move(*side_a), std::move(*side_b)};
  return sides;
}

}  // namespace ergo::cli
