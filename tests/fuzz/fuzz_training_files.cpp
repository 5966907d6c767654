// Any bytes in place of a safetensors, IDX, CIFAR-10 or SQuAD file. The first byte says which.

#include "data/images.hpp"
#include "data/safetensors.hpp"
#include "data/spans.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void check_safetensors(std::string_view text) {
  const std::span content(reinterpret_cast<const std::byte*>(text.data()), text.size());
  const auto tensors = ergo::workload::parse_safetensors(content);
  if (!tensors) return;
  for (const auto& tensor : *tensors) {
    if (tensor.bytes.empty()) continue;
    if (tensor.bytes.data() < content.data() ||
        tensor.bytes.data() + tensor.bytes.size() > content.data() + content.size())
      std::abort();
  }
}

void check_images(std::string_view text) {
  const auto pixels = ergo::workload::parse_idx(text, {28, 28});
  if (pixels.ok() && pixels->size() % (28 * 28) != 0) std::abort();
  ergo::workload::ImageDataset data;
  data.channels = 3;
  data.height = data.width = 32;
  const auto appended = ergo::workload::append_cifar10(text, data);
  if (appended.ok() && data.pixels.size() != data.count() * data.image_size()) std::abort();
}

void check_squad(std::string_view text) {
  constexpr int tokens = 16;
  const auto data = ergo::workload::parse_squad(text, {}, tokens, 0);
  if (!data) return;
  for (std::size_t i = 0; i < data->count(); ++i) {
    if (data->start[i] < 1 || data->end[i] < data->start[i] || data->end[i] >= tokens) std::abort();
  }
  if (data->ids.size() != data->count() * tokens) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      check_safetensors(text);
      break;
    case 1:
      check_images(text);
      break;
    default:
      check_squad(text);
  }
  return 0;
}
