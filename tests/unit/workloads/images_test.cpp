#include "data/images.hpp"

#include "ergo/core/files.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace ergo::workload {
namespace {

std::string big_endian_bytes(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

std::string idx(const std::vector<std::uint32_t>& dimensions, const std::string& data) {
  std::string text = std::string("\0\0\x08", 3) + static_cast<char>(dimensions.size());
  for (std::uint32_t dimension : dimensions)
    text += big_endian_bytes(dimension);
  return text + data;
}

class ImagesFolder : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    std::filesystem::create_directories((folder_->path() / name).parent_path());
    ASSERT_TRUE(write_text_atomically(folder_->path() / name, content).ok());
  }
  void write_mnist(std::uint32_t images, const std::string& labels) {
    write("train-images-idx3-ubyte", idx({images, 28, 28}, std::string(images * 784, '\x7f')));
    write("train-labels-idx1-ubyte", idx({static_cast<std::uint32_t>(labels.size())}, labels));
  }

  Result<TemporaryFolder> folder_ = TemporaryFolder::create("ergo-images");
};

TEST_F(ImagesFolder, MnistIsReadAsItLiesOnDisk) {
  write_mnist(3, std::string("\x05\x00\x09", 3));
  const auto data = read_mnist(folder_->path(), 0);
  ASSERT_TRUE(data.ok()) << data.error().text();
  EXPECT_EQ(data->count(), 3u);
  EXPECT_EQ(data->labels, (std::vector<std::uint8_t>{5, 0, 9}));
  EXPECT_EQ(data->pixels.size(), 3u * 784);
  EXPECT_EQ(data->pixels[784], 0x7f);
  EXPECT_EQ(read_mnist(folder_->path(), 2)->count(), 2u);
  EXPECT_EQ(read_mnist(folder_->path(), 2)->pixels.size(), 2u * 784);
}

TEST_F(ImagesFolder, AMissingMnistFileIsNamedWithWhatIsNeeded) {
  const auto data = read_mnist(folder_->path(), 0);
  ASSERT_FALSE(data.ok());
  EXPECT_EQ(data.error().code, Errc::not_found);
  EXPECT_NE(data.error().remedy.find("train-labels-idx1-ubyte"), std::string::npos);
}

TEST_F(ImagesFolder, FewerLabelsThanImagesAreRefused) {
  write_mnist(3, std::string("\x05\x00", 2));
  EXPECT_EQ(read_mnist(folder_->path(), 0).error().code, Errc::corrupt);
}

TEST_F(ImagesFolder, ALabelThatIsNotADigitIsRefused) {
  write_mnist(1, "\x0a");
  EXPECT_EQ(read_mnist(folder_->path(), 0).error().code, Errc::corrupt);
}

TEST(Idx, EveryTruncationIsRefused) {
  const std::string whole = idx({2, 28, 28}, std::string(2 * 784, 'x'));
  ASSERT_TRUE(parse_idx(whole, {28, 28}).ok());
  for (std::size_t length = 0; length < whole.size(); length += length < 20 ? 1 : 97) {
    EXPECT_FALSE(parse_idx(std::string_view(whole).substr(0, length), {28, 28}).ok()) << length;
  }
  EXPECT_FALSE(parse_idx(whole + "x", {28, 28}).ok());
}

TEST(Idx, AHugeCountIsNotBelieved) {
  EXPECT_FALSE(parse_idx(idx({0xffffffff, 28, 28}, "x"), {28, 28}).ok());
}

TEST(Idx, OtherShapesAndTypesAreRefused) {
  EXPECT_FALSE(parse_idx(idx({1, 14, 14}, std::string(196, 'x')), {28, 28}).ok());
  std::string floats = idx({1}, "x");
  floats[2] = 0x0d;
  EXPECT_FALSE(parse_idx(floats, {}).ok());
}

TEST_F(ImagesFolder, CifarIsReadFromTheFolderOfItsArchive) {
  const std::string record = std::string(1, '\x03') + std::string(3072, '\x11');
  for (int i = 1; i <= 5; ++i) {
    write("cifar-10-batches-bin/data_batch_" + std::to_string(i) + ".bin", record + record);
  }
  const auto data = read_cifar10(folder_->path(), 0);
  ASSERT_TRUE(data.ok()) << data.error().text();
  EXPECT_EQ(data->count(), 10u);
  EXPECT_EQ(data->pixels.size(), 10u * 3072);
  EXPECT_EQ(data->labels[9], 3);
  EXPECT_EQ(read_cifar10(folder_->path(), 3)->count(), 3u);
}

TEST(Cifar, RecordsOfTheWrongLengthOrLabelAreRefused) {
  ImageDataset data;
  data.channels = 3;
  data.height = data.width = 32;
  EXPECT_FALSE(append_cifar10("", data).ok());
  EXPECT_FALSE(append_cifar10(std::string(3072, '\x01'), data).ok());
  EXPECT_FALSE(append_cifar10(std::string(3073, '\x0b'), data).ok());
  EXPECT_TRUE(append_cifar10(std::string(3073, '\x01'), data).ok());
}

TEST(SyntheticImages, AreTheSameForTheSameSeedAndSaySo) {
  const ImageDataset a = synthetic_images(3, 8, 50, 7), b = synthetic_images(3, 8, 50, 7);
  EXPECT_EQ(a.pixels, b.pixels);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_NE(a.pixels, synthetic_images(3, 8, 50, 8).pixels);
  EXPECT_EQ(a.source.substr(0, 10), "synthetic:");
}

TEST(SyntheticImages, ImagesOfOneClassAreCloserThanOthers) {
  const ImageDataset data = synthetic_images(1, 16, 200, 1);
  const auto distance = [&](std::size_t a, std::size_t b) {
    double sum = 0;
    for (std::size_t i = 0; i < data.image_size(); ++i) {
      const double d =
          data.pixels[a * data.image_size() + i] - data.pixels[b * data.image_size() + i];
      sum += d * d;
    }
    return sum;
  };
  double same = 0, other = 1e300;
  for (std::size_t i = 1; i < data.count(); ++i) {
    if (data.labels[i] == data.labels[0]) {
      same = std::max(same, distance(0, i));
    } else {
      other = std::min(other, distance(0, i));
    }
  }
  EXPECT_LT(same, other);
}

}  // namespace
}  // namespace ergo::workload
