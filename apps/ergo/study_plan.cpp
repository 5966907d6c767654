#include "study_plan.hpp"

#include "ergo/report/format.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>

namespace ergo::cli {
namespace {

struct PlannedPart {
  std::size_t cells = 0;
  std::vector<PlannedRun> remaining;
  std::optional<Seconds> length;  ///< of the remaining runs, from those in the store
};

Result<PlannedPart> plan_part(const SweepSpec& spec, const std::optional<Store>& store) {
  const auto cells = grid_of(spec.axes);
  if (!cells) return cells.error();
  PlannedPart part;
  part.cells = cells->size();
  if (!store) {
    part.remaining = plan_runs(*cells, spec.repeats, spec.seed);
    return part;
  }
  const auto experiment = find_sweep(spec, *store);
  if (!experiment) return experiment.error();
  auto remaining = remaining_runs(spec, *store, *experiment);
  if (!remaining) return remaining.error();
  part.remaining = std::move(*remaining);
  if (!*experiment) return part;
  const auto known = store->load_experiment(**experiment);
  if (!known) return known.error();
  part.length = expected_length(part.remaining, *known);
  return part;
}

Result<void> print_cells(const SweepSpec& spec) {
  const auto cells = grid_of(spec.axes);
  if (!cells) return cells.error();
  for (const GridCell& cell : *cells) {
    const auto words = cell_command(spec, cell);
    if (!words) return words.error();
    std::cout << "  " << key_of(cell) << ":";
    for (const std::string& word : *words)
      std::cout << " " << word;
    std::cout << "\n";
  }
  return {};
}

}  // namespace

Result<void> print_study_plan(const StudyRecipe& recipe, const std::vector<StudyPart>& parts,
                              const std::string& store_file, std::optional<Seconds> planned) {
  std::optional<Store> store;
  std::error_code failure;
  if (std::filesystem::exists(store_file, failure)) {
    auto opened = Store::open(store_file, Store::Mode::read);
    if (!opened) return opened.error();
    store.emplace(std::move(*opened));
  }
  std::cout << recipe.title << "\n";
  std::size_t runs = 0;
  std::size_t all = 0;
  std::optional<Seconds> length(Seconds(0.0));
  for (const StudyPart& part : parts) {
    const auto plan = plan_part(part.spec, store);
    if (!plan) return plan.error();
    std::cout << fmt::format(
        "{}{} cells, {} runs each{}\n", part.folder.empty() ? "" : part.folder + ": ", plan->cells,
        part.spec.repeats,
        part.spec.warmup > 0 ? fmt::format(" after {} that do not count", part.spec.warmup)
                             : std::string());
    if (auto printed = print_cells(part.spec); !printed) return printed;
    runs += plan->remaining.size();
    all += plan->cells * static_cast<std::size_t>(part.spec.repeats);
    length = length && plan->length ? std::optional(*length + *plan->length) : std::nullopt;
  }
  std::cout << fmt::format("{} runs to make, {} already in {}", runs, all - runs, store_file);
  if (runs == 0) {
    std::cout << "; the same call without --dry-run writes the report";
  } else if (length) {
    std::cout << fmt::format("; about {} by the runs that are there",
                             report::format_rough(*length));
  } else if (planned && runs == all) {
    std::cout << fmt::format("; about {} on two CPU cores", report::format_rough(*planned));
  } else {
    std::cout << "; how long that takes is known once each cell has run";
  }
  std::cout << "\n";
  return {};
}

}  // namespace ergo::cli
