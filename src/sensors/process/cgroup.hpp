#pragma once
// A cgroup (version 2) of the run's own: the kernel then counts the CPU time of the whole process
// tree, including processes that live shorter than a sampling period.

#include "ergo/core/environment.hpp"
#include "ergo/core/files.hpp"
#include "ergo/core/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ergo::process {

/// Where a cgroup is.
struct CgroupPath {
  std::filesystem::path folder;  ///< in the file system: "/sys/fs/cgroup/user.slice/…"
  std::string name;              ///< as in /proc/PID/cgroup: "/user.slice/…"

  /// All pids in it and below.
  [[nodiscard]] std::vector<int> pids() const;
  [[nodiscard]] bool holds(const std::filesystem::path& procfs, int pid) const;
};

/// The version 2 cgroup of this process. Errors: not_supported (none is mounted).
Result<CgroupPath> own_cgroup(const std::filesystem::path& procfs);

/// Made below this process's own cgroup where the user may do so, as under a systemd user session
/// or as root. On destruction processes that are left in it move back to where ergo is, and it is
/// removed. Folders that a killed ergo left behind are removed by the next one.
class RunCgroup {
 public:
  /// Errors: not_supported, permission: then another way of counting is used. Never needs more
  /// rights than given.
  static Result<RunCgroup> create(const Environment& environment);
  RunCgroup(RunCgroup&& o) noexcept { *this = std::move(o); }
  RunCgroup& operator=(RunCgroup&& o) noexcept;
  ~RunCgroup();

  /// For ChildSpec::cgroup_fd.
  [[nodiscard]] int fd() const { return folder_.get(); }
  [[nodiscard]] const CgroupPath& path() const { return path_; }

 private:
  RunCgroup() = default;
  CgroupPath parent_;
  CgroupPath path_;
  Fd folder_;
};

}  // namespace ergo::process
