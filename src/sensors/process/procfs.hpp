#pragma once
// The few files of /proc that tell about processes. Parsers are pure; readers take the root folder,
// so that a test can bring its own.

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::process {

/// From /proc/PID/stat. (pid, start_ticks) identifies a process for as long as the machine is up.
struct Stat {
  int pid = 0;
  std::string comm;  ///< may hold spaces and parentheses
  char state = '?';
  int ppid = 0;
  std::uint64_t own_ticks = 0;  ///< utime + stime
  std::uint64_t waited_ticks =
      0;  ///< cutime + cstime: ended children that were waited for, with theirs
  std::uint64_t start_ticks = 0;  ///< since boot
};

struct Io {
  std::uint64_t read_bytes = 0;     ///< fetched from storage
  std::uint64_t written_bytes = 0;  ///< sent to storage
};

Result<Stat> parse_stat(std::string_view text);
Result<Io> parse_io(std::string_view text);
/// Resident bytes from /proc/PID/statm.
Result<std::uint64_t> parse_statm(std::string_view text, std::uint64_t page_bytes);
/// Bytes from /proc/PID/smaps_rollup.
struct Shares {
  std::uint64_t proportional = 0;  ///< pages that several processes share are divided among them
  std::uint64_t own = 0;           ///< pages that nobody else has (USS)
};
Result<Shares> parse_shares(std::string_view text);
/// Bytes that are not available to new programs, from /proc/meminfo.
Result<std::uint64_t> parse_memory_used(std::string_view text);
/// Busy ticks of the whole machine from /proc/stat: user, nice, system, irq and softirq. Guest time
/// is already in user (guest_nice in nice). Steal is left out: the CPU worked for another machine
/// then. iowait is idle time.
Result<std::uint64_t> parse_busy_ticks(std::string_view text);
/// usage_usec of a cgroup's cpu.stat, in seconds.
Result<Seconds> parse_cgroup_usage(std::string_view text);

Result<Stat> read_stat(const std::filesystem::path& procfs, int pid);

/// Pids of the children of a process. Empty when it is gone.
std::vector<int> children_of(const std::filesystem::path& procfs, int pid);
/// Pids of all processes.
std::vector<int> all_pids(const std::filesystem::path& procfs);

/// Ticks per second of the values above.
double ticks_per_second();

}  // namespace ergo::process
