#pragma once
// The networks that ergo-workload knows by name, and what sizes they take. Free of LibTorch.

#include "ergo/core/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::workload {

enum class NetworkUse { inference, training };

struct CatalogEntry {
  std::string_view name;
  NetworkUse use;
  std::string_view summary;
  std::string_view unit;  ///< of its size: "pixels" or "tokens"
  int usual_size;
  int smallest;
  int multiple_of;
  int largest;  ///< 0: no limit but memory
};

const std::vector<CatalogEntry>& catalog();
/// The entry of that name; errors: `not_found`'s sibling invalid_argument, with the known names.
Result<CatalogEntry> find_network(std::string_view name);
/// `size`, or the usual one for 0, when the network takes it.
Result<int> checked_size(const CatalogEntry& entry, int size);

}  // namespace ergo::workload
