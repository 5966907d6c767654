#include "spill.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <type_traits>

namespace ergo::sampling_detail {

static_assert(std::is_trivially_copyable_v<Sample>);

Result<void> SpillFile::open() {
  if (fd_) return {};
  if (folder_.empty()) {
    const char* set = std::getenv("TMPDIR");
    folder_ = set != nullptr && *set != '\0' ? set : "/var/tmp";
  }
  int fd = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    // Not every file system knows O_TMPFILE.
    std::string name = folder_ + "/ergo-samples-XXXXXX";
    fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) return system_error("cannot keep older samples in " + folder_, errno);
    ::unlink(name.c_str());
  }
  fd_ = Fd(fd);
  return {};
}

Result<std::int64_t> SpillFile::append(std::span<const Sample> samples) {
  if (auto opened = open(); !opened) return opened.error();
  const auto bytes = std::as_bytes(samples);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                               size_ + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return system_error("cannot write older samples to " + folder_, n < 0 ? errno : ENOSPC);
    done += static_cast<std::size_t>(n);
  }
  const std::int64_t offset = size_;
  size_ += static_cast<std::int64_t>(bytes.size());
  return offset;
}

bool SpillFile::read(std::int64_t offset, std::span<Sample> out) const {
  const auto bytes = std::as_writable_bytes(out);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(fd_.get(), bytes.data() + done, bytes.size() - done,
                              offset + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace ergo::sampling_detail
