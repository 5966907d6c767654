#include "data/safetensors.hpp"

#include "ergo/core/files.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace ergo::workload {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string with_header(const std::string& header, const std::string& data) {
  std::string text(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}

Errc refusal(const std::string& header, const std::string& data) {
  const std::string text = with_header(header, data);
  const auto tensors = parse_safetensors(bytes_of(text));
  return tensors.ok() ? Errc::canceled : tensors.error().code;
}

TEST(Safetensors, AFileOfTheReferenceImplementationIsRead) {
  // safetensors.numpy.save({"b": float32 [[1, 2]], "a": int64 [3]}) with metadata, as version 0.4
  // lays it out.
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}}    )";
  std::string data(16, '\0');
  const std::int64_t a = 3;
  const float b[2] = {1.0f, 2.0f};
  std::memcpy(data.data(), &a, 8);
  std::memcpy(data.data() + 8, b, 8);
  const std::string text = with_header(header, data);
  const auto tensors = parse_safetensors(bytes_of(text));
  ASSERT_TRUE(tensors.ok()) << tensors.error().text();
  ASSERT_EQ(tensors->size(), 2u);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[1].dtype, "F32");
  EXPECT_EQ((*tensors)[1].shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(std::memcmp((*tensors)[1].bytes.data(), b, 8), 0);
}

TEST(Safetensors, WhatIsWrittenReadsBack) {
  const auto folder = TemporaryFolder::create("ergo-safetensors");
  const std::string one(24, '\x11'), none;
  const auto file = folder->path() / "x.safetensors";
  ASSERT_TRUE(write_safetensors(file, {{"one", "F64", {3}, bytes_of(one)},
                                       {"none", "F32", {0, 4}, bytes_of(none)}})
                  .ok());
  const auto read = SafetensorsFile::open(file);
  ASSERT_TRUE(read.ok()) << read.error().text();
  ASSERT_NE(read->find("one"), nullptr);
  EXPECT_EQ(read->find("one")->bytes.size(), 24u);
  EXPECT_EQ(read->find("one")->bytes[23], std::byte{0x11});
  ASSERT_NE(read->find("none"), nullptr);
  EXPECT_EQ(read->find("none")->shape, (std::vector<std::int64_t>{0, 4}));
  EXPECT_EQ(read->find("two"), nullptr);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string whole = with_header(
      R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", std::string(16, 'x'));
  ASSERT_TRUE(parse_safetensors(bytes_of(whole)).ok());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string part = whole.substr(0, length);
    const auto tensors = parse_safetensors(bytes_of(part));
    ASSERT_FALSE(tensors.ok()) << length;
    EXPECT_EQ(tensors.error().code, Errc::corrupt);
  }
}

TEST(Safetensors, ImpossibleHeadersAreRefused) {
  const std::string data(16, 'x');
  EXPECT_EQ(refusal("[]", data), Errc::corrupt);
  EXPECT_EQ(refusal("{\"a\":1}", data), Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[4]}})", data), Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F99","shape":[4],"data_offsets":[0,16]}})", data),
            Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})", data),
            Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":["4"],"data_offsets":[0,16]}})", data),
            Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}})", data),
            Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})", data),
            Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[4,20]}})", data),
            Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[-16,0]}})", data),
            Errc::corrupt);
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,1e1]}})", data),
            Errc::corrupt);
}

TEST(Safetensors, ShapesWhoseProductOverflowsAreRefused) {
  EXPECT_EQ(
      refusal(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", ""),
      Errc::corrupt);
  EXPECT_EQ(
      refusal(R"({"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", ""),
      Errc::corrupt);
  EXPECT_EQ(
      refusal(R"({"a":{"dtype":"I8","shape":[18446744073709551615],"data_offsets":[0,0]}})", ""),
      Errc::corrupt);
}

TEST(Safetensors, AHeaderLengthBeyondTheFileIsRefused) {
  std::string text(64, '\xff');
  EXPECT_FALSE(parse_safetensors(bytes_of(text)).ok());
}

TEST(Safetensors, NoChangedByteMakesItReadOutsideOfTheFile) {
  const std::string whole = with_header(
      R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})", std::string(16, 'x'));
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::string changed = whole;
    for (int change = 0; change < 3; ++change) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    const auto tensors = parse_safetensors(bytes_of(changed));
    if (!tensors.ok()) {
      EXPECT_EQ(tensors.error().code, Errc::corrupt);
      continue;
    }
    for (const StoredTensor& tensor : *tensors) {
      EXPECT_GE(tensor.bytes.data(), bytes_of(changed).data());
      EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(),
                bytes_of(changed).data() + changed.size());
    }
  }
}

TEST(Safetensors, MissingAndEmptyFilesAreErrorsWithTheirName) {
  const auto missing = SafetensorsFile::open("/nonexistent.safetensors");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("/nonexistent.safetensors"), std::string::npos);
  const auto folder = TemporaryFolder::create("ergo-safetensors");
  const auto file = folder->path() / "empty.safetensors";
  ASSERT_TRUE(write_text_atomically(file, "").ok());
  const auto empty = SafetensorsFile::open(file);
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.error().code, Errc::corrupt);
  EXPECT_NE(empty.error().message.find("empty.safetensors"), std::string::npos);
}

}  // namespace
}  // namespace ergo::workload
