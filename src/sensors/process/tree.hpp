#pragma once
// The measured command and everything that it started, directly or not.

#include "ergo/core/environment.hpp"
#include "ergo/sensors/registry.hpp"
#include "sensors/process/cgroup.hpp"
#include "sensors/process/procfs.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace ergo::process {

struct TreeOptions {
  /// The process that takes in orphans of the tree (PR_SET_CHILD_SUBREAPER); 0 when there is none.
  /// Its children that exist when the tree is made, other than the root, are taken as strangers.
  int reaper = 0;
  /// The cgroup that holds the tree and nothing else, when there is one.
  std::optional<CgroupPath> cgroup;
};

/// Every process descends from `root`, or did when it was first seen: a daemon that cut its ties
/// stays a member. Answers are as of the call, so never stale. Thread-safe.
class ProcessTree final : public ProcessScope {
 public:
  /// Make it before the root has started anything.
  ProcessTree(int root, const Environment& environment, TreeOptions options = {});

  /// For pids of other namespaces (in a container: the host's) the answer is false or accidental:
  /// the NVML backend then does without.
  [[nodiscard]] bool contains(int pid) const override;

  /// All members, those that ended but were not waited for (zombies) included.
  [[nodiscard]] std::vector<Stat> members() const;

  [[nodiscard]] int root() const { return root_; }

 private:
  [[nodiscard]] bool descends(const Stat& stat) const;
  [[nodiscard]] bool known(const Stat& stat) const;
  [[nodiscard]] bool adopted(const Stat& stat) const;
  [[nodiscard]] std::vector<Stat> members_by_descent() const;

  int root_;
  std::filesystem::path procfs_;
  TreeOptions options_;
  std::uint64_t root_start_ = 0;
  std::vector<int> strangers_;
  mutable std::mutex mutex_;
  mutable std::map<int, std::uint64_t> known_;  ///< pid -> start_ticks
};

}  // namespace ergo::process
