#include "sensors/sysfs.hpp"

#include "ergo/core/parse.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>

namespace ergo::sysfs {
namespace {

constexpr std::size_t small_file = 4096;
constexpr Seconds simulation_period{0.010};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Compares digit runs as numbers and the rest as text.
bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
      continue;
    }
    const auto digits = [](const std::string& s, std::size_t from) {
      std::size_t to = from;
      while (to < s.size() && is_digit(s[to]))
        ++to;
      return to;
    };
    const std::string_view x(a.data() + i, digits(a, i) - i);
    const std::string_view y(b.data() + j, digits(b, j) - j);
    if (x.size() != y.size()) return x.size() < y.size();
    if (x != y) return x < y;
    i += x.size();
    j += y.size();
  }
  return a.size() - i < b.size() - j;
}

Error gone(const std::filesystem::path& path) {
  return Error{Errc::lost, path.string() + " is gone", {}};
}

}  // namespace

Result<Attribute> Attribute::open(std::filesystem::path path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("cannot open " + path.string(), errno);
  struct statfs system {};
  const bool kernels = ::fstatfs(fd.get(), &system) == 0 && system.f_type == SYSFS_MAGIC;
  return Attribute(std::move(path), std::move(fd), !kernels);
}

/// A file without a name any more was deleted or replaced. In the true sysfs this never happens
/// while the device lives.
bool Attribute::was_replaced() const {
  if (!replaceable_) return false;
  struct stat status {};
  return ::fstat(fd_.get(), &status) != 0 || status.st_nlink == 0;
}

Result<std::size_t> Attribute::read(std::span<char> buffer) {
  if (was_replaced()) {
    auto again = open(path_);
    if (!again) return again.error().code == Errc::not_found ? gone(path_) : again.error();
    fd_ = std::move(again->fd_);
  }
  for (;;) {
    const ssize_t n = ::pread(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (errno == ENODEV || errno == ENXIO) return gone(path_);
    // Drivers answer EPERM, EAGAIN or EBUSY while the device sleeps or resets.
    Error error = system_error("cannot read " + path_.string(), errno);
    if (error.code == Errc::not_found || error.code == Errc::permission)
      error.code = Errc::unavailable;
    return error;
  }
}

Result<std::optional<double>> Attribute::number() {
  std::array<char, 64> buffer{};
  const auto size = read(buffer);
  if (!size) return size.error();
  const std::string_view raw = trim({buffer.data(), *size});
  if (raw.empty()) return std::optional<double>{};
  // Most files hold a whole number, and are read at every tick.
  std::uint64_t whole = 0;
  const auto [end, failure] = std::from_chars(raw.data(), raw.data() + raw.size(), whole);
  if (failure == std::errc{} && end == raw.data() + raw.size())
    return std::optional<double>{static_cast<double>(whole)};
  const auto value = parse_double(raw);
  if (!value) return Error{Errc::corrupt, path_.string() + ": " + value.error().message, {}};
  return std::optional<double>{*value};
}

std::optional<std::string> text(const std::filesystem::path& path) {
  const auto content = read_text(path, small_file);
  if (!content) return std::nullopt;
  const std::string_view line = trim(split(*content, '\n').front());
  return std::string(line);
}

std::optional<double> number(const std::filesystem::path& path) {
  const auto line = text(path);
  if (!line) return std::nullopt;
  const auto value = parse_double(*line);
  if (!value) return std::nullopt;
  return *value;
}

std::vector<std::string> entries(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (std::filesystem::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

std::optional<int> number_after(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() > prefix.size() + 6) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_digit)) return std::nullopt;
  return static_cast<int>(*parse_int(name));
}

Provenance provenance(const Environment& environment) {
  std::error_code ignored;
  const bool simulated = environment.sysfs_replaced &&
                         std::filesystem::exists(environment.sysfs / "ergo-simulated", ignored);
  return simulated ? Provenance::simulated : Provenance::measured;
}

void limit_to_simulation(SignalInfo& info) {
  const bool meter = info.kind == SignalKind::energy || info.kind == SignalKind::power;
  if (!meter || info.provenance != Provenance::simulated) return;
  if (info.traits.update_period >= simulation_period) return;
  info.traits.update_period = simulation_period;
  info.traits.basis += "; simulated: the folder is rewritten every 10 ms";
}

}  // namespace ergo::sysfs
