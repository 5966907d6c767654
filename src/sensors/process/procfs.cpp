#include "sensors/process/procfs.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace ergo::process {
namespace {

Error corrupt(const char* what) {
  return Error{Errc::corrupt, std::string("cannot understand ") + what, {}};
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

template <class Integer>
std::optional<Integer> number(std::string_view text) {
  Integer value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The number after `key` at the start of a line.
std::optional<std::uint64_t> field(std::string_view text, std::string_view key) {
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with(key)) continue;
    const auto words = words_of(line.substr(key.size()));
    return words.empty() ? std::nullopt : number<std::uint64_t>(words.front());
  }
  return std::nullopt;
}

void append_pids(std::string_view text, std::vector<int>& out) {
  for (const std::string_view word : words_of(text)) {
    if (const auto pid = number<int>(word)) out.push_back(*pid);
  }
}

std::vector<int> children_by_search(const std::filesystem::path& procfs, int pid) {
  std::vector<int> out;
  for (const int candidate : all_pids(procfs)) {
    const auto stat = read_stat(procfs, candidate);
    if (stat && stat->ppid == pid) out.push_back(candidate);
  }
  return out;
}

}  // namespace

Result<Stat> parse_stat(std::string_view text) {
  const std::size_t open = text.find(" (");
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) {
    return corrupt("/proc/PID/stat");
  }
  const auto pid = number<int>(text.substr(0, open));
  // Counted from the field after the name, which is the third of proc(5).
  const auto fields = words_of(text.substr(close + 1));
  if (!pid || fields.size() < 20 || fields[0].size() != 1) return corrupt("/proc/PID/stat");
  const auto ppid = number<int>(fields[1]);
  const auto utime = number<std::uint64_t>(fields[11]);
  const auto stime = number<std::uint64_t>(fields[12]);
  // Signed in the kernel's format.
  const auto cutime = number<std::int64_t>(fields[13]);
  const auto cstime = number<std::int64_t>(fields[14]);
  const auto start = number<std::uint64_t>(fields[19]);
  if (!ppid || !utime || !stime || !cutime || !cstime || !start || *cutime < 0 || *cstime < 0) {
    return corrupt("/proc/PID/stat");
  }
  Stat stat;
  stat.pid = *pid;
  stat.comm = text.substr(open + 2, close - open - 2);
  stat.state = fields[0][0];
  stat.ppid = *ppid;
  stat.own_ticks = *utime + *stime;
  stat.waited_ticks = static_cast<std::uint64_t>(*cutime) + static_cast<std::uint64_t>(*cstime);
  stat.start_ticks = *start;
  return stat;
}

Result<Io> parse_io(std::string_view text) {
  const auto read = field(text, "read_bytes:");
  const auto written = field(text, "write_bytes:");
  if (!read || !written) return corrupt("/proc/PID/io");
  return Io{*read, *written};
}

Result<std::uint64_t> parse_statm(std::string_view text, std::uint64_t page_bytes) {
  const auto words = words_of(text);
  const auto resident = words.size() < 2 ? std::nullopt : number<std::uint64_t>(words[1]);
  if (!resident) return corrupt("/proc/PID/statm");
  return *resident * page_bytes;
}

Result<Shares> parse_shares(std::string_view text) {
  const auto pss = field(text, "Pss:");
  const auto clean = field(text, "Private_Clean:");
  const auto dirty = field(text, "Private_Dirty:");
  if (!pss || !clean || !dirty) return corrupt("/proc/PID/smaps_rollup");
  return Shares{*pss * 1024,
                (*clean + *dirty + field(text, "Private_Hugetlb:").value_or(0)) * 1024};
}

Result<std::uint64_t> parse_memory_used(std::string_view text) {
  const auto total = field(text, "MemTotal:");
  const auto available = field(text, "MemAvailable:");
  if (!total || !available || *available > *total) return corrupt("/proc/meminfo");
  return (*total - *available) * 1024;
}

Result<std::uint64_t> parse_busy_ticks(std::string_view text) {
  const auto words = words_of(text.substr(0, text.find('\n')));
  // cpu user nice system idle iowait irq softirq steal guest guest_nice
  if (words.size() < 8 || words[0] != "cpu") return corrupt("/proc/stat");
  std::uint64_t sum = 0;
  for (const std::size_t i : {1U, 2U, 3U, 6U, 7U}) {
    const auto ticks = number<std::uint64_t>(words[i]);
    if (!ticks) return corrupt("/proc/stat");
    sum += *ticks;
  }
  return sum;
}

Result<Seconds> parse_cgroup_usage(std::string_view text) {
  const auto us = field(text, "usage_usec");
  if (!us) return corrupt("cpu.stat");
  return Seconds(static_cast<double>(*us) * 1e-6);
}

Result<Stat> read_stat(const std::filesystem::path& procfs, int pid) {
  auto text = read_text(procfs / std::to_string(pid) / "stat");
  if (!text) return text.error();
  return parse_stat(*text);
}

std::vector<int> children_of(const std::filesystem::path& procfs, int pid) {
  std::vector<int> out;
  std::error_code failure;
  const auto tasks = procfs / std::to_string(pid) / "task";
  std::filesystem::directory_iterator task(tasks, failure);
  if (failure) {
    return std::filesystem::exists(procfs / std::to_string(pid) / "stat", failure)
               ? children_by_search(procfs, pid)
               : out;
  }
  // Each thread lists the children that it made.
  for (const std::filesystem::directory_iterator end; !failure && task != end;
       task.increment(failure)) {
    const auto text = read_text(task->path() / "children");
    if (text) append_pids(*text, out);
    // The file is missing on kernels built without it, or the thread ended just now.
    if (!text && std::filesystem::exists(task->path() / "stat", failure)) {
      return children_by_search(procfs, pid);
    }
  }
  return out;
}

std::vector<int> all_pids(const std::filesystem::path& procfs) {
  std::vector<int> out;
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(procfs, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (const auto pid = number<int>(entry->path().filename().native())) out.push_back(*pid);
  }
  return out;
}

double ticks_per_second() {
  const long ticks = ::sysconf(_SC_CLK_TCK);
  return ticks > 0 ? static_cast<double>(ticks) : 100.0;
}

}  // namespace ergo::process
