#include "data/safetensors.hpp"

#include "ergo/core/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace ergo::workload {
namespace {

using nlohmann::json;

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;  // the limit of the reference implementation

std::optional<std::uint64_t> element_size(std::string_view dtype) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 10> sizes{{{"F64", 8},
                                                                              {"F32", 4},
                                                                              {"F16", 2},
                                                                              {"BF16", 2},
                                                                              {"I64", 8},
                                                                              {"I32", 4},
                                                                              {"I16", 2},
                                                                              {"I8", 1},
                                                                              {"U8", 1},
                                                                              {"BOOL", 1}}};
  for (const auto& [name, size] : sizes) {
    if (name == dtype) return size;
  }
  return std::nullopt;
}

Error corrupt(std::string why) {
  return Error{Errc::corrupt, "not a valid safetensors file: " + std::move(why), ""};
}

/// The bytes that a tensor of this shape must have; absent on overflow.
std::optional<std::uint64_t> byte_count(const std::vector<std::int64_t>& shape,
                                        std::uint64_t element) {
  std::uint64_t count = element;
  for (std::int64_t dimension : shape) {
    const auto factor = static_cast<std::uint64_t>(dimension);
    if (factor != 0 && count > std::numeric_limits<std::uint64_t>::max() / factor) return {};
    count *= factor;
  }
  return count;
}

bool is_whole_number(const json& value) {
  return value.is_number_unsigned() ||
         (value.is_number_integer() && value.get<std::int64_t>() >= 0);
}

Result<StoredTensor> read_entry(const std::string& name, const json& entry,
                                std::span<const std::byte> data) {
  const auto field = [&](const char* key) {
    return entry.is_object() ? entry.find(key) : entry.end();
  };
  const auto dtype = field("dtype"), shape = field("shape"), offsets = field("data_offsets");
  if (dtype == entry.end() || !dtype->is_string() || shape == entry.end() || !shape->is_array() ||
      offsets == entry.end() || !offsets->is_array() || offsets->size() != 2) {
    return corrupt(fmt::format("tensor \"{}\" lacks dtype, shape or data_offsets", name));
  }
  StoredTensor tensor{name, dtype->get<std::string>(), {}, {}};
  const auto element = element_size(tensor.dtype);
  if (!element) {
    return corrupt(fmt::format("tensor \"{}\" has the unknown type {}", name, tensor.dtype));
  }
  for (const json& dimension : *shape) {
    if (!is_whole_number(dimension) || dimension.get<std::uint64_t>() >> 62 != 0) {
      return corrupt(fmt::format("tensor \"{}\" has a bad shape", name));
    }
    tensor.shape.push_back(dimension.get<std::int64_t>());
  }
  if (!is_whole_number((*offsets)[0]) || !is_whole_number((*offsets)[1])) {
    return corrupt(fmt::format("tensor \"{}\" has bad offsets", name));
  }
  const auto begin = (*offsets)[0].get<std::uint64_t>(), end = (*offsets)[1].get<std::uint64_t>();
  if (begin > end || end > data.size()) {
    return corrupt(fmt::format("tensor \"{}\" lies outside of the file", name));
  }
  if (byte_count(tensor.shape, *element) != end - begin) {
    return corrupt(fmt::format("tensor \"{}\" does not have the bytes of its shape", name));
  }
  tensor.bytes = data.subspan(begin, end - begin);
  return tensor;
}

}  // namespace

Result<std::vector<StoredTensor>> parse_safetensors(std::span<const std::byte> content) {
  if (content.size() < length_bytes) return corrupt("shorter than its first field");
  std::uint64_t header_length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) {
    header_length |= std::to_integer<std::uint64_t>(content[i]) << (8 * i);
  }
  if (header_length > longest_header || header_length > content.size() - length_bytes) {
    return corrupt("its header is longer than the file");
  }
  const auto header = content.subspan(length_bytes, header_length);
  const auto data = content.subspan(length_bytes + header_length);
  const char* text = reinterpret_cast<const char*>(header.data());
  const json entries = json::parse(text, text + header.size(), nullptr, false);
  if (!entries.is_object()) return corrupt("its header is not a JSON object");

  std::vector<StoredTensor> tensors;
  for (const auto& [name, entry] : entries.items()) {
    if (name == "__metadata__") continue;
    Result<StoredTensor> tensor = read_entry(name, entry, data);
    if (!tensor) return tensor.error();
    tensors.push_back(std::move(tensor).value());
  }
  return tensors;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd || fstat(fd.get(), &status) != 0)
    return system_error("cannot open " + path.string(), errno);
  SafetensorsFile file;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > 0) {
    void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (at == MAP_FAILED) return system_error("cannot map " + path.string(), errno);
    file.mapping_ = {static_cast<const std::byte*>(at), size};
  }
  Result<std::vector<StoredTensor>> tensors = parse_safetensors(file.mapping_);
  if (!tensors) {
    Error error = tensors.error();
    error.message = path.string() + ": " + error.message;
    return error;
  }
  file.tensors_ = std::move(tensors).value();
  return Result<SafetensorsFile>(std::move(file));
}

SafetensorsFile::SafetensorsFile(SafetensorsFile&& o) noexcept
    : mapping_(std::exchange(o.mapping_, {})), tensors_(std::move(o.tensors_)) {}

SafetensorsFile::~SafetensorsFile() {
  if (!mapping_.empty()) munmap(const_cast<std::byte*>(mapping_.data()), mapping_.size());
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto at = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const StoredTensor& t, std::string_view wanted) { return t.name < wanted; });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

Result<void> write_safetensors(const std::filesystem::path& path,
                               const std::vector<StoredTensor>& tensors) {
  json header = json::object();
  std::uint64_t offset = 0;
  for (const StoredTensor& tensor : tensors) {
    const std::uint64_t end = offset + tensor.bytes.size();
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts on a multiple of 8 bytes

  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return system_error("cannot write " + path.string(), errno);
  std::string length(length_bytes, '\0');
  for (std::size_t i = 0; i < length_bytes; ++i) {
    length[i] = static_cast<char>((text.size() >> (8 * i)) & 0xff);
  }
  if (Result<void> written = write_all(fd.get(), length + text, path.string()); !written)
    return written;
  for (const StoredTensor& tensor : tensors) {
    const std::string_view bytes(reinterpret_cast<const char*>(tensor.bytes.data()),
                                 tensor.bytes.size());
    if (Result<void> written = write_all(fd.get(), bytes, path.string()); !written) return written;
  }
  return {};
}

}  // namespace ergo::workload
