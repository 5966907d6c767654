#include "data/images.hpp"

#include "ergo/core/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace ergo::workload {
namespace {

constexpr std::uint8_t classes = 10;
constexpr std::size_t largest_file = std::size_t{1} << 30;

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (char byte : bytes)
    value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

Error corrupt_images(std::string why) {
  return Error{Errc::corrupt, std::move(why), ""};
}

Error with_file(Error error, const std::filesystem::path& file) {
  error.message = file.string() + ": " + error.message;
  return error;
}

void keep_first(ImageDataset& data, std::size_t limit) {
  if (limit == 0 || limit >= data.count()) return;
  data.labels.resize(limit);
  data.pixels.resize(limit * data.image_size());
}

Result<std::vector<std::uint8_t>> read_idx(const std::filesystem::path& file,
                                           const std::vector<std::uint32_t>& rest) {
  const Result<std::string> content = read_text(file, largest_file);
  if (!content) {
    Error error = content.error();
    error.remedy =
        "the folder must hold train-images-idx3-ubyte and train-labels-idx1-ubyte, unpacked";
    return error;
  }
  Result<std::vector<std::uint8_t>> bytes = parse_idx(*content, rest);
  if (!bytes) return with_file(bytes.error(), file);
  return bytes;
}

}  // namespace

Result<std::vector<std::uint8_t>> parse_idx(std::string_view content,
                                            const std::vector<std::uint32_t>& rest) {
  constexpr std::uint32_t unsigned_bytes = 0x08;
  const std::size_t dimensions = rest.size() + 1;
  const std::size_t header = 4 + 4 * dimensions;
  if (content.size() < header) return corrupt_images("shorter than an IDX header");
  if (big_endian(content.substr(0, 4)) != (unsigned_bytes << 8 | dimensions)) {
    return corrupt_images(fmt::format("not an IDX file of bytes with {} dimension{}", dimensions,
                                      dimensions == 1 ? "" : "s"));
  }
  std::uint64_t expected = big_endian(content.substr(4, 4));
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const std::uint32_t found = big_endian(content.substr(8 + 4 * i, 4));
    if (found != rest[i]) {
      return corrupt_images(fmt::format("a dimension is {} where {} is needed", found, rest[i]));
    }
    expected *= found;
  }
  content.remove_prefix(header);
  if (content.size() != expected) {
    return corrupt_images(
        fmt::format("holds {} bytes of data, its header says {}", content.size(), expected));
  }
  return std::vector<std::uint8_t>(content.begin(), content.end());
}

Result<ImageDataset> read_mnist(const std::filesystem::path& folder, std::size_t limit) {
  ImageDataset data;
  data.height = data.width = 28;
  Result<std::vector<std::uint8_t>> pixels = read_idx(folder / "train-images-idx3-ubyte", {28, 28});
  if (!pixels) return pixels.error();
  Result<std::vector<std::uint8_t>> labels = read_idx(folder / "train-labels-idx1-ubyte", {});
  if (!labels) return labels.error();
  data.pixels = std::move(pixels).value();
  data.labels = std::move(labels).value();
  if (data.pixels.size() != data.count() * data.image_size() || data.count() == 0) {
    return corrupt_images(
        fmt::format("{}: as many labels as images are needed, and at least one", folder.string()));
  }
  if (std::any_of(data.labels.begin(), data.labels.end(),
                  [](auto label) { return label >= classes; })) {
    return corrupt_images(fmt::format("{}: a label is not a digit", folder.string()));
  }
  keep_first(data, limit);
  data.source = folder.string();
  return data;
}

Result<void> append_cifar10(std::string_view content, ImageDataset& to) {
  const std::size_t record = 1 + to.image_size();
  if (content.empty() || content.size() % record != 0) {
    return corrupt_images(fmt::format("its length is not a multiple of {} bytes", record));
  }
  for (std::size_t at = 0; at < content.size(); at += record) {
    const auto label = static_cast<std::uint8_t>(content[at]);
    if (label >= classes)
      return corrupt_images(fmt::format("record {} has the label {}", at / record, label));
    to.labels.push_back(label);
    const std::string_view image = content.substr(at + 1, record - 1);
    to.pixels.insert(to.pixels.end(), image.begin(), image.end());
  }
  return {};
}

Result<ImageDataset> read_cifar10(const std::filesystem::path& folder, std::size_t limit) {
  const auto inner = folder / "cifar-10-batches-bin";
  std::error_code ignored;
  const auto& place = std::filesystem::is_directory(inner, ignored) ? inner : folder;
  ImageDataset data;
  data.channels = 3;
  data.height = data.width = 32;
  for (int batch = 1; batch <= 5 && (limit == 0 || data.count() < limit); ++batch) {
    const auto file = place / fmt::format("data_batch_{}.bin", batch);
    const Result<std::string> content = read_text(file, largest_file);
    if (!content) {
      Error error = content.error();
      error.remedy =
          "the folder must hold data_batch_1.bin to data_batch_5.bin (CIFAR-10, binary version)";
      return error;
    }
    if (Result<void> appended = append_cifar10(*content, data); !appended)
      return with_file(appended.error(), file);
  }
  keep_first(data, limit);
  data.source = place.string();
  return data;
}

ImageDataset synthetic_images(int channels, int side, std::size_t count, std::uint64_t seed) {
  ImageDataset data;
  data.channels = channels;
  data.height = data.width = side;
  data.source =
      fmt::format("synthetic: {} images of ten random patterns with noise, seed {}", count, seed);
  std::mt19937_64 random(seed);
  const std::size_t size = data.image_size();
  std::vector<std::uint8_t> patterns(classes * size);
  for (auto& pixel : patterns)
    pixel = static_cast<std::uint8_t>(random() % 192);
  data.pixels.reserve(count * size);
  data.labels.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::uint8_t>(random() % classes);
    data.labels.push_back(label);
    for (std::size_t at = 0; at < size; ++at) {
      data.pixels.push_back(static_cast<std::uint8_t>(patterns[label * size + at] + random() % 64));
    }
  }
  return data;
}

}  // namespace ergo::workload
