#include "sensors/process/cgroup.hpp"

#include "ergo/core/parse.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

namespace ergo::process {
namespace {

constexpr std::string_view prefix = "ergo-";

/// The name of the version 2 cgroup in a /proc/PID/cgroup: the line "0::NAME".
std::optional<std::string> name_in(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with("0::")) return std::string(line.substr(3));
  }
  return std::nullopt;
}

struct Mount {
  std::string root;  ///< the cgroup that is visible at `point`
  std::filesystem::path point;
};

/// proc(5): "36 35 98:0 ROOT POINT options - TYPE source …".
std::optional<Mount> find_mount(std::string_view mountinfo) {
  for (const std::string_view line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos || !line.substr(dash + 3).starts_with("cgroup2 ")) continue;
    const auto fields = split(line.substr(0, dash), ' ');
    if (fields.size() < 5) continue;
    return Mount{std::string(fields[3]), std::string(fields[4])};
  }
  return std::nullopt;
}

void append_below(const std::filesystem::path& folder, std::vector<int>& out) {
  const auto text = read_text(folder / "cgroup.procs");
  if (!text) return;
  for (const std::string_view line : split(*text, '\n')) {
    if (const auto pid = parse_int(line)) out.push_back(static_cast<int>(*pid));
  }
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) append_below(entry->path(), out);
  }
}

/// Removes cgroups below `folder` and itself. False when something lives in it.
bool remove_below(const std::filesystem::path& folder) {
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) remove_below(entry->path());
  }
  return ::rmdir(folder.c_str()) == 0 || errno == ENOENT;
}

void write_pid(const std::filesystem::path& folder, int pid) {
  const Fd file(::open((folder / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (file) (void)write_all(file.get(), std::to_string(pid), "cgroup.procs");
}

/// Removes what an ergo that was killed left: its name carries the pid.
void remove_stale(const std::filesystem::path& parent) {
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(parent, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with(prefix)) continue;
    const auto pid =
        parse_int(std::string_view(name).substr(prefix.size(), name.rfind('-') - prefix.size()));
    if (pid && *pid > 0 && ::kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH) {
      remove_below(entry->path());
    }
  }
}

}  // namespace

std::vector<int> CgroupPath::pids() const {
  std::vector<int> out;
  append_below(folder, out);
  return out;
}

bool CgroupPath::holds(const std::filesystem::path& procfs, int pid) const {
  const auto text = read_text(procfs / std::to_string(pid) / "cgroup");
  const auto theirs = text ? name_in(*text) : std::nullopt;
  return theirs && (*theirs == name || theirs->starts_with(name + "/"));
}

Result<CgroupPath> own_cgroup(const std::filesystem::path& procfs) {
  const auto mounts = read_text(procfs / "self/mountinfo");
  const auto mount = mounts ? find_mount(*mounts) : std::nullopt;
  const auto text = read_text(procfs / "self/cgroup");
  const auto name = text ? name_in(*text) : std::nullopt;
  if (!mount || !name) {
    return Error{Errc::not_supported, "cgroups of version 2 are not mounted", {}};
  }
  // With a cgroup namespace or a bind mount the visible root may lie deeper than the hierarchy's.
  std::string_view below = *name;
  if (mount->root != "/") {
    if (!below.starts_with(mount->root)) {
      return Error{Errc::not_supported, "this process's cgroup is not visible here", {}};
    }
    below.remove_prefix(mount->root.size());
  }
  while (below.starts_with('/'))
    below.remove_prefix(1);
  return CgroupPath{below.empty() ? mount->point : mount->point / below, *name};
}

Result<RunCgroup> RunCgroup::create(const Environment& environment) {
  auto parent = own_cgroup(environment.procfs);
  if (!parent) return parent.error();
  remove_stale(parent->folder);
  static std::atomic<unsigned> serial{0};
  const std::string leaf =
      std::string(prefix) + std::to_string(::getpid()) + "-" + std::to_string(serial++);
  RunCgroup cgroup;
  cgroup.parent_ = *parent;
  const auto folder = parent->folder / leaf;
  if (::mkdir(folder.c_str(), 0755) != 0) {
    return system_error("cannot create the cgroup " + folder.string(), errno);
  }
  cgroup.path_ = {folder, (parent->name == "/" ? "" : parent->name) + "/" + leaf};
  cgroup.folder_ = Fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.folder_) return system_error("cannot open the cgroup " + folder.string(), errno);
  if (auto usage = read_text(folder / "cpu.stat");
      !usage || usage->find("usage_usec") == usage->npos) {
    return Error{Errc::not_supported, folder.string() + " does not count CPU time", {}};
  }
  return cgroup;
}

RunCgroup& RunCgroup::operator=(RunCgroup&& o) noexcept {
  std::swap(parent_, o.parent_);
  std::swap(path_, o.path_);
  std::swap(folder_, o.folder_);
  return *this;
}

RunCgroup::~RunCgroup() {
  if (path_.folder.empty()) return;
  // More than one round: a process may fork while it is moved, and one that just ended may still
  // count as present.
  constexpr int rounds = 20;
  for (int round = 0; round < rounds; ++round) {
    for (const int pid : path_.pids())
      write_pid(parent_.folder, pid);
    if (remove_below(path_.folder)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace ergo::process
