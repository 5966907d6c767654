// Recordings of other tools, whole and broken. The first byte chooses the format; the rest is the
// file. Whatever comes, the answer is a value or an error that names file and line.
#include "store/chunk.hpp"
#include "store/import/aipowermeter_records.hpp"
#include "store/import/gpyjoules_tables.hpp"
#include "store/import/results.hpp"
#include "store/import/text.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace ergo;

template <class T>
void check(const Result<T>& result) {
  if (!result && result.error().message.find("file:") != 0) std::abort();
}

void parse(std::uint8_t format, std::string_view text) {
  using namespace ergo::importing;
  // 'A' is the first: the corpus can be read.
  switch ((format + 256 - 'A') % 13) {
    case 1:
      return check(parse_power_metrics(text, "file"));
    case 2:
      return check(parse_omegawatt(text, "file"));
    case 3:
      return check(parse_latencies(text, "file", false));
    case 4:
      return check(parse_latencies(text, "file", true));
    case 5:
      return check(parse_gpu_power(text, "file"));
    case 6:
      return check(parse_samples(text, "file"));
    case 7:
      return check(parse_timestamps(text, "file"));
    case 8:
      return check(parse_external(text, "file"));
    case 9:
      return check(parse_zeus(text, "file", "GPU"));
    case 10:
      return check(parse_kernel_tuner(text, "file"));
    case 11:
      return check(parse_zeus_windows(text, "file"));
    case 12:
      return check(parse_zeus_profile(text, "file"));
    default:
      return check(parse_nvidia_smi(text, "file"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  parse(data[0], text);
  std::vector<ergo::Sample> samples;
  // A chunk that can be read is written as the same bytes.
  if (ergo::store::decode_samples(text, samples) && ergo::store::encode_samples(samples) != text)
    std::abort();
  return 0;
}
