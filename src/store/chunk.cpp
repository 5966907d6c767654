#include "store/chunk.hpp"

#include <bit>
#include <cstdint>

namespace ergo::store {
namespace {

template <class Unsigned>
void put(std::string& out, Unsigned bits) {
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
    out += static_cast<char>((bits >> (8 * i)) & 0xffU);
}

template <class Unsigned>
Unsigned get(std::string_view bytes) {
  Unsigned bits = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    bits |= static_cast<Unsigned>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return bits;
}

}  // namespace

std::string encode_samples(std::span<const Sample> samples) {
  std::string out;
  out.reserve(samples.size() * sample_bytes);
  for (const Sample& sample : samples) {
    put(out, static_cast<std::uint64_t>(sample.time.ns));
    put(out, std::bit_cast<std::uint64_t>(sample.value));
    put(out, std::bit_cast<std::uint32_t>(sample.half_width_s));
  }
  return out;
}

Result<void> decode_samples(std::string_view bytes, std::vector<Sample>& out) {
  if (bytes.size() % sample_bytes != 0)
    return Error{Errc::corrupt, "a chunk of samples is cut off", {}};
  out.reserve(out.size() + bytes.size() / sample_bytes);
  for (; !bytes.empty(); bytes.remove_prefix(sample_bytes)) {
    Sample sample;
    sample.time.ns = static_cast<std::int64_t>(get<std::uint64_t>(bytes));
    sample.value = std::bit_cast<double>(get<std::uint64_t>(bytes.substr(8)));
    sample.half_width_s = std::bit_cast<float>(get<std::uint32_t>(bytes.substr(16)));
    out.push_back(sample);
  }
  return {};
}

std::string encode_doubles(std::span<const double> values) {
  std::string out;
  out.reserve(values.size() * 8);
  for (const double value : values)
    put(out, std::bit_cast<std::uint64_t>(value));
  return out;
}

Result<std::vector<double>> decode_doubles(std::string_view bytes) {
  if (bytes.size() % 8 != 0) return Error{Errc::corrupt, "the latencies of a run are cut off", {}};
  std::vector<double> values;
  values.reserve(bytes.size() / 8);
  for (; !bytes.empty(); bytes.remove_prefix(8))
    values.push_back(std::bit_cast<double>(get<std::uint64_t>(bytes)));
  return values;
}

}  // namespace ergo::store
