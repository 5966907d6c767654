#pragma once
// Files and file descriptors.

#include "ergo/core/result.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace ergo {

/// Owns a file descriptor and closes it. Move-only.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

/// The whole file as text. Errors: not_found, permission, io; `io` also when it is longer than
/// `limit` bytes.
Result<std::string> read_text(const std::filesystem::path& path,
                              std::size_t limit = std::size_t{64} << 20);

/// Replaces `path` with `text` so that a reader, or a crash, sees the old or the new content and
/// nothing between.
Result<void> write_text_atomically(const std::filesystem::path& path, std::string_view text);

/// Writes all bytes, going on after short writes and EINTR.
Result<void> write_all(int fd, std::string_view bytes, const std::string& what);

/// A new folder under $TMPDIR (or /tmp), removed with its content when the object goes.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> create(std::string_view prefix);
  TemporaryFolder(TemporaryFolder&& o) noexcept : path_(std::exchange(o.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&& o) noexcept;
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace ergo
