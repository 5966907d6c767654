#include "sensors/process/cpu_source.hpp"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

namespace ergo::process {
namespace {

class CgroupCpu final : public CpuTimeSource {
 public:
  explicit CgroupCpu(Fd file) : file_(std::move(file)) {}

  Result<Seconds> read() override {
    std::array<char, 1024> buffer{};
    const ssize_t n = ::pread(file_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) return system_error("cannot read cpu.stat of the run's cgroup", errno);
    return parse_cgroup_usage({buffer.data(), static_cast<std::size_t>(n)});
  }

 private:
  Fd file_;
};

class PerfCpu final : public CpuTimeSource {
 public:
  PerfCpu(Fd event, int pid, std::filesystem::path procfs)
      : event_(std::move(event)), pid_(pid), procfs_(std::move(procfs)) {}

  Result<Seconds> read() override {
    std::uint64_t ns = 0;
    if (::read(event_.get(), &ns, sizeof ns) != sizeof ns) {
      return system_error("cannot read the perf task-clock", errno);
    }
    highest_ = std::max(highest_, Seconds(static_cast<double>(ns) * 1e-9));
    // The clock does not see the very beginning and end of a process, about 0.1 ms: much for a tree
    // of thousands of short ones. The root's own account has that for all that were waited for.
    if (const auto stat = read_stat(procfs_, pid_)) {
      const auto ticks = static_cast<double>(stat->own_ticks + stat->waited_ticks);
      highest_ = std::max(highest_, Seconds(ticks / ticks_per_second()));
    }
    return highest_;
  }

 private:
  Fd event_;
  int pid_;
  std::filesystem::path procfs_;
  Seconds highest_{0.0};
};

}  // namespace

Result<std::unique_ptr<CpuTimeSource>> open_cgroup_cpu(const CgroupPath& cgroup) {
  const auto path = cgroup.folder / "cpu.stat";
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_error("cannot open " + path.string(), errno);
  std::unique_ptr<CpuTimeSource> source = std::make_unique<CgroupCpu>(std::move(file));
  if (auto usage = source->read(); !usage) return usage.error();
  return source;
}

Result<std::unique_ptr<CpuTimeSource>> open_perf_cpu(int pid, const std::filesystem::path& procfs) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  attributes.inherit = 1;
  // Asks for no more rights than needed. A task-clock counts the time in the kernel all the same.
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  Fd event(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) {
    const int failure = errno;
    Error error = system_error("cannot open a perf task-clock", failure);
    if (failure == ENOSYS || failure == ENOENT || failure == ENODEV)
      error.code = Errc::not_supported;
    if (error.code == Errc::permission) error.remedy = "sudo sysctl kernel.perf_event_paranoid=2";
    return error;
  }
  return std::unique_ptr<CpuTimeSource>(std::make_unique<PerfCpu>(std::move(event), pid, procfs));
}

std::uint64_t InheritedSum::update(const std::vector<Item>& items) {
  std::map<Key, Last> now;
  std::map<int, Key> alive;
  std::map<int, Key> before;
  std::uint64_t sum = 0;
  for (const Item& item : items) {
    const Key key{item.stat.pid, item.stat.start_ticks};
    now[key] = {item.stat.ppid, item.own, item.inherited};
    alive[item.stat.pid] = key;
    sum += item.own + item.inherited;
  }
  for (const auto& [key, last] : last_)
    before[key.first] = key;

  // The nearest forebear of an ended member that is still there: it must have inherited the value.
  const auto heir_of = [&](const Last& ended) -> std::optional<Key> {
    int ppid = ended.ppid;
    for (std::size_t steps = 0; steps <= last_.size(); ++steps) {
      const auto parent = before.find(ppid);
      if (parent == before.end()) return std::nullopt;
      const auto still = alive.find(ppid);
      if (still != alive.end() && still->second == parent->second) return parent->second;
      ppid = last_.at(parent->second).ppid;
    }
    return std::nullopt;
  };
  std::map<Key, std::uint64_t> owed;
  for (const auto& [key, last] : last_) {
    if (now.contains(key)) continue;
    if (const auto heir = heir_of(last)) {
      owed[*heir] += last.own + last.inherited;
    } else {
      kept_ += last.own + last.inherited;
    }
  }
  for (const auto& [heir, value] : owed) {
    const std::uint64_t gained =
        now.at(heir).inherited - std::min(now.at(heir).inherited, last_.at(heir).inherited);
    if (value > gained) kept_ += value - gained;
  }
  last_ = std::move(now);
  total_ = std::max(total_, sum + kept_);
  return total_;
}

}  // namespace ergo::process
