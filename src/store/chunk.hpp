#pragma once
// The blobs of a store: samples and latencies (docs/user/store.md). Little-endian whatever the
// machine.

#include "ergo/core/result.hpp"
#include "ergo/sensors/signal.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::store {

/// 20 bytes a sample: int64 time in ns, float64 value, float32 half width in s.
inline constexpr std::size_t sample_bytes = 20;

std::string encode_samples(std::span<const Sample> samples);
/// Appends to `out`. Errors: `corrupt` when the size is not a whole number of samples.
Result<void> decode_samples(std::string_view bytes, std::vector<Sample>& out);

/// 8 bytes a value.
std::string encode_doubles(std::span<const double> values);
Result<std::vector<double>> decode_doubles(std::string_view bytes);

}  // namespace ergo::store
