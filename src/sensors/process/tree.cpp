#include "sensors/process/tree.hpp"

#include "ergo/core/files.hpp"

#include <algorithm>
#include <set>

namespace ergo::process {
namespace {

/// More parents than this between a process and the root means that /proc changed under our feet.
constexpr int max_depth = 256;

}  // namespace

ProcessTree::ProcessTree(int root, const Environment& environment, TreeOptions options)
    : root_(root), procfs_(environment.procfs), options_(std::move(options)) {
  if (const auto stat = read_stat(procfs_, root)) {
    root_start_ = stat->start_ticks;
    known_[root] = stat->start_ticks;
  }
  if (options_.reaper > 0) strangers_ = children_of(procfs_, options_.reaper);
  std::erase(strangers_, root);
}

bool ProcessTree::known(const Stat& stat) const {
  const auto found = known_.find(stat.pid);
  return found != known_.end() && found->second == stat.start_ticks;
}

bool ProcessTree::adopted(const Stat& stat) const {
  return options_.reaper > 0 && stat.ppid == options_.reaper && stat.start_ticks >= root_start_ &&
         std::find(strangers_.begin(), strangers_.end(), stat.pid) == strangers_.end();
}

bool ProcessTree::descends(const Stat& stat) const {
  Stat at = stat;
  for (int depth = 0; depth < max_depth; ++depth) {
    if (known(at) || adopted(at)) return true;
    if (at.ppid <= 1) return false;
    const auto parent = read_stat(procfs_, at.ppid);
    if (!parent) return false;
    at = *parent;
  }
  return false;
}

bool ProcessTree::contains(int pid) const {
  const std::lock_guard lock(mutex_);
  if (options_.cgroup && options_.cgroup->holds(procfs_, pid)) return true;
  const auto stat = read_stat(procfs_, pid);
  if (!stat || !descends(*stat)) return false;
  known_[pid] = stat->start_ticks;
  return true;
}

std::vector<Stat> ProcessTree::members() const {
  const std::lock_guard lock(mutex_);
  std::vector<Stat> out = members_by_descent();
  if (options_.cgroup) {
    // Both: a process may leave the cgroup (systemd-run), and a daemon the line of descent.
    for (const int pid : options_.cgroup->pids()) {
      if (std::any_of(out.begin(), out.end(), [&](const Stat& s) { return s.pid == pid; }))
        continue;
      if (const auto stat = read_stat(procfs_, pid)) out.push_back(*stat);
    }
  }
  known_.clear();
  for (const Stat& stat : out)
    known_[stat.pid] = stat.start_ticks;
  return out;
}

std::vector<Stat> ProcessTree::members_by_descent() const {
  std::vector<Stat> out;
  std::set<int> seen;
  std::vector<int> queue;
  for (const auto& [pid, start] : known_)
    queue.push_back(pid);
  const std::size_t of_known = queue.size();
  if (options_.reaper > 0) {
    const auto orphans = children_of(procfs_, options_.reaper);
    queue.insert(queue.end(), orphans.begin(), orphans.end());
  }
  const std::size_t of_orphans = queue.size();
  for (std::size_t i = 0; i < queue.size(); ++i) {
    if (seen.contains(queue[i])) continue;
    const auto stat = read_stat(procfs_, queue[i]);
    if (!stat) continue;
    if (i < of_known ? !known(*stat) : i < of_orphans && !adopted(*stat)) continue;
    seen.insert(stat->pid);
    out.push_back(*stat);
    const auto children = children_of(procfs_, stat->pid);
    queue.insert(queue.end(), children.begin(), children.end());
  }
  return out;
}

}  // namespace ergo::process
