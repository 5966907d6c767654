#include "ergo/core/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace ergo {

Fd& Fd::operator=(Fd&& o) noexcept {
  if (this != &o) {
    reset();
    fd_ = std::exchange(o.fd_, -1);
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<std::string> read_text(const std::filesystem::path& path, std::size_t limit) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("cannot open " + path.string(), errno);
  std::string text;
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot read " + path.string(), errno);
    if (n == 0) return text;
    if (text.size() + static_cast<std::size_t>(n) > limit) {
      return Error{
          Errc::io, path.string() + " is larger than " + std::to_string(limit) + " bytes", {}};
    }
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Result<void> write_all(int fd, std::string_view bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot write " + what, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> write_text_atomically(const std::filesystem::path& path, std::string_view text) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    // A device or a pipe (/dev/stdout) cannot be replaced, only written to.
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return system_error("cannot open " + path.string(), errno);
    return write_all(fd.get(), text, path.string());
  }
  std::string temporary = path.string() + ".XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) {
    const int why = errno;
    Error error = system_error("cannot create a file beside " + path.string(), why);
    if (const auto folder = path.parent_path(); why == ENOENT && !folder.empty())
      error.remedy = "mkdir -p " + folder.string();
    return error;
  }
  const auto give_up = [&](Error error) {
    ::unlink(temporary.c_str());
    return error;
  };
  if (auto written = write_all(fd.get(), text, path.string()); !written)
    return give_up(written.error());
  // mkostemp makes the file private; what the caller's umask allows is what a plain write would
  // give.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(fd.get(), 0666 & ~mask);
  if (::fsync(fd.get()) != 0) return give_up(system_error("cannot write " + path.string(), errno));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return give_up(system_error("cannot write " + path.string(), errno));
  }
  return {};
}

Result<TemporaryFolder> TemporaryFolder::create(std::string_view prefix) {
  const char* base = std::getenv("TMPDIR");
  std::string name = (base != nullptr && *base != '\0' ? std::string(base) : std::string("/tmp"));
  name += "/" + std::string(prefix) + ".XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    return system_error("cannot create the folder " + name, errno);
  return TemporaryFolder(name);
}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& o) noexcept {
  std::swap(path_, o.path_);
  return *this;
}

TemporaryFolder::~TemporaryFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ergo
