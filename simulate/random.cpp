#include "random.hpp"

#include <cmath>
#include <numbers>

namespace ergo::sim {

double random_normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  const double u = random_unit(seed, stream, 2 * index);
  const double v = random_unit(seed, stream, 2 * index + 1);
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace ergo::sim
