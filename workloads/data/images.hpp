#pragma once
// Labelled images for training: MNIST and Fashion-MNIST (IDX files), CIFAR-10 (binary version), or
// synthetic ones.

#include "ergo/core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::workload {

struct ImageDataset {
  int channels = 1, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  ///< [count, channels, height, width]
  std::vector<std::uint8_t> labels;  ///< [count], 0…9
  std::string source;                ///< where they came from, for people

  [[nodiscard]] std::size_t count() const { return labels.size(); }
  [[nodiscard]] std::size_t image_size() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
           static_cast<std::size_t>(width);
  }
};

/// The bytes of an IDX file of unsigned bytes with these dimensions after the first (28, 28 for
/// images, none for labels). Format: http://yann.lecun.com/exdb/mnist/. Errors: corrupt. The first
/// dimension is the count.
Result<std::vector<std::uint8_t>> parse_idx(std::string_view content,
                                            const std::vector<std::uint32_t>& rest);

/// train-images-idx3-ubyte and train-labels-idx1-ubyte of a folder; the first `limit` (0: all).
/// Errors: not_found (with the names looked for), corrupt, io.
Result<ImageDataset> read_mnist(const std::filesystem::path& folder, std::size_t limit);

/// Appends the images of one CIFAR-10 batch file (records of 1 label and 3072 pixels). Errors:
/// corrupt.
Result<void> append_cifar10(std::string_view content, ImageDataset& to);

/// data_batch_1.bin … data_batch_5.bin of a folder, or of its cifar-10-batches-bin; the first
/// `limit` (0: all).
Result<ImageDataset> read_cifar10(const std::filesystem::path& folder, std::size_t limit);

/// Ten classes, each a random pattern with noise upon it: a network can learn them.
ImageDataset synthetic_images(int channels, int side, std::size_t count, std::uint64_t seed);

}  // namespace ergo::workload
