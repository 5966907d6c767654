#pragma once
// Hugging Face's safetensors: a 64-bit little-endian length, a JSON header, then raw tensors.
// Format: https://github.com/huggingface/safetensors (README, "Format").

#include "ergo/core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ergo::workload {

/// One tensor. `bytes` is row-major, little-endian, and belongs to the file or the caller.
struct StoredTensor {
  std::string name;
  std::string dtype;  ///< F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// The tensors of a file's content, in the order of their names. Checks every length and offset, so
/// that damaged or hostile content yields Errc::corrupt and nothing else. The result points into
/// `content`.
Result<std::vector<StoredTensor>> parse_safetensors(std::span<const std::byte> content);

/// A file mapped into memory, with its tensors. Move-only; the tensors' bytes live as long as it.
class SafetensorsFile {
 public:
  /// Errors: those of opening; `corrupt` with the reason.
  static Result<SafetensorsFile> open(const std::filesystem::path& path);
  SafetensorsFile(SafetensorsFile&& o) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) = delete;
  ~SafetensorsFile();

  [[nodiscard]] const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// nullptr when there is none of that name.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const;

 private:
  SafetensorsFile() = default;
  std::span<const std::byte> mapping_;
  std::vector<StoredTensor> tensors_;
};

/// Writes the tensors in the order given. Errors: those of the file system.
Result<void> write_safetensors(const std::filesystem::path& path,
                               const std::vector<StoredTensor>& tensors);

}  // namespace ergo::workload
