#include "table_notes.hpp"

#include "ergo/core/parse.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <string>

namespace ergo::cli {
namespace {

std::set<std::string> gpus_of(const SweepTable& table) {
  std::set<std::string> names;
  for (const SweepRow& row : table)
    names.insert(row.gpu);
  return names;
}

}  // namespace

void note_unmeasured(const std::vector<const SweepTable*>& tables, const SweepTable& asked,
                     const std::vector<double>& limits) {
  if (limits.empty()) return;
  const double wanted = *std::min_element(limits.begin(), limits.end());
  std::map<std::string, double> lowest;
  for (const SweepRow& row : asked)
    lowest.try_emplace(row.gpu, row.power_limit_w);
  for (const SweepTable* table : tables) {
    for (const SweepRow& row : *table) {
      const auto known = lowest.find(row.gpu);
      if (known != lowest.end()) known->second = std::min(known->second, row.power_limit_w);
    }
  }
  for (const auto& [gpu, limit] : lowest) {
    if (wanted >= limit) continue;
    std::cerr << fmt::format(
        "note: nothing was measured on {} below {} W: what is said of lower limits is a guess\n",
        gpu, shortest(limit));
  }
}

void note_unknown_gpus(const SweepTable& train, const SweepTable& asked) {
  const std::set<std::string> known = gpus_of(train);
  if (known.empty()) return;
  for (const std::string& gpu : gpus_of(asked)) {
    if (known.contains(gpu)) continue;
    std::cerr << fmt::format(
        "note: no curve to learn from is of '{}', only of '{}': predicted as an unknown card\n",
        gpu, fmt::join(known, "', '"));
  }
}

}  // namespace ergo::cli
