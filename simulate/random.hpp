#pragma once
// Random numbers that depend only on (seed, stream, index): the same on every machine and in any
// order of asking.

#include <cstdint>

namespace ergo::sim {

/// SplitMix64's finalizer (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
/// OOPSLA 2014).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

constexpr std::uint64_t random_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return mix64(mix64(mix64(seed) ^ stream) ^ index);
}

/// Uniform in (0, 1).
constexpr double random_unit(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return (static_cast<double>(random_bits(seed, stream, index) >> 11) + 0.5) * 0x1.0p-53;
}

/// Standard normal (Box and Muller, 1958).
double random_normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t index);

}  // namespace ergo::sim
