#include "gpu_metrics_table.hpp"

#include <cmath>
#include <cstddef>

namespace ergo::sim {
namespace {

constexpr double kStepsPerJoule = 65536.0;

struct Layout {
  std::size_t size;
  std::size_t power_at;  // u16, W
};

constexpr std::size_t kEnergyAt = 24;  // u64
constexpr std::size_t kClockAt = 32;   // u64, ns
constexpr Layout kDiscrete{120, 22};
constexpr Layout kAccelerator{288, 10};

void put(std::string& table, std::size_t at, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    table[at + i] = static_cast<char>(value >> (8 * i) & 0xffU);
}

}  // namespace

std::string gpu_metrics_table(int revision, double energy_j, double power_w,
                              std::int64_t clock_ns) {
  const Layout& layout = revision >= 4 ? kAccelerator : kDiscrete;
  std::string table(layout.size, '\xff');
  put(table, 0, layout.size, 2);
  put(table, 2, 1, 1);
  put(table, 3, static_cast<std::uint64_t>(revision), 1);
  put(table, layout.power_at, static_cast<std::uint64_t>(std::lround(power_w)), 2);
  put(table, kEnergyAt, static_cast<std::uint64_t>(energy_j * kStepsPerJoule), 8);
  put(table, kClockAt, static_cast<std::uint64_t>(clock_ns), 8);
  return table;
}

}  // namespace ergo::sim
