#pragma once
// gpu_metrics tables, built from the layout in the kernel's header and not by the code under test.

#include <cstdint>
#include <string>

namespace ergo::testing {

inline void put(std::string& table, std::size_t at, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    table[at + i] = static_cast<char>(value >> (8 * i));
}

/// A table of format 1.`content`: 120 bytes, fields that are not given all ones.
inline std::string gpu_metrics(int content, std::uint64_t energy, std::uint64_t clock_ns,
                               unsigned watts) {
  std::string table(120, '\xff');
  put(table, 0, table.size(), 2);
  put(table, 2, 1, 1);
  put(table, 3, static_cast<std::uint64_t>(content), 1);
  put(table, content <= 3 ? 22 : 10, watts, 2);
  put(table, 24, energy, 8);
  put(table, 32, clock_ns, 8);
  return table;
}

}  // namespace ergo::testing
