#include "common/memory_limit.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

namespace ergo::workload {
namespace {

/// The number behind `key` in a file of "Key:   123 kB" lines, in bytes.
std::optional<std::uint64_t> kilobytes_of(const char* file, std::string_view key) {
  const Result<std::string> text = read_text(file);
  if (!text) return std::nullopt;
  for (std::string_view line : split(*text, '\n')) {
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    line = trim(line);
    const Result<std::uint64_t> number = parse_uint(line.substr(0, line.find(' ')));
    if (number) return *number * 1024;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_in(const std::string& file) {
  const Result<std::string> text = read_text(file);
  if (!text) return std::nullopt;
  const Result<std::uint64_t> number = parse_uint(*text);
  if (!number) return std::nullopt;
  return *number;
}

/// What the control group of this process leaves; absent for "max", and outside of version 2.
std::optional<std::uint64_t> control_group_room() {
  const Result<std::string> group = read_text("/proc/self/cgroup");
  if (!group || !group->starts_with("0::")) return std::nullopt;
  const std::string folder = "/sys/fs/cgroup" + std::string(trim(group->substr(3)));
  const auto limit = number_in(folder + "/memory.max");
  const auto used = number_in(folder + "/memory.current");
  if (!limit || !used) return std::nullopt;
  return *limit > *used ? *limit - *used : 0;
}

}  // namespace

std::optional<std::uint64_t> available_memory() {
  std::optional<std::uint64_t> free = kilobytes_of("/proc/meminfo", "MemAvailable:");
  if (const auto room = control_group_room()) free = free ? std::min(*free, *room) : *room;
  return free;
}

Result<void> limit_memory(std::uint64_t bytes) {
  const std::uint64_t used = kilobytes_of("/proc/self/status", "VmData:").value_or(0);
  rlimit limit{};
  if (getrlimit(RLIMIT_DATA, &limit) != 0) return system_error("cannot read RLIMIT_DATA", errno);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, used + bytes);
  if (setrlimit(RLIMIT_DATA, &limit) != 0) return system_error("cannot set RLIMIT_DATA", errno);
  return {};
}

}  // namespace ergo::workload
