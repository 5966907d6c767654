#include "chosen_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo::cli {

Result<std::int64_t> chosen_experiment(const Store& store, const std::string& path,
                                       std::int64_t wanted) {
  const auto all = store.experiments();
  if (!all) return all.error();
  if (all->empty())
    return Error{Errc::not_found, path + " holds no experiment",
                 "fill it with ergo run --store, ergo sweep --store or ergo study"};
  if (wanted == 0) return all->back().id;
  const auto found = std::find_if(all->begin(), all->end(),
                                  [&](const ExperimentInfo& one) { return one.id == wanted; });
  if (found != all->end()) return found->id;
  return Error{Errc::not_found, fmt::format("{} has no experiment {}", path, wanted),
               fmt::format("the newest is {}", all->back().id)};
}

}  // namespace ergo::cli
