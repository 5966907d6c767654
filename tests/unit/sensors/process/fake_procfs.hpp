#pragma once
// A folder that looks like /proc.

#include "ergo/core/environment.hpp"
#include "ergo/core/files.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace ergo::process {

struct FakeProcess {
  int pid = 0;
  int ppid = 0;
  char state = 'S';
  std::uint64_t own_ticks = 0;
  std::uint64_t waited_ticks = 0;
  std::uint64_t start_ticks = 1000;
};

class FakeProcfs {
 public:
  FakeProcfs() : folder_(TemporaryFolder::create("procfs").value()) { set_busy_ticks(0); }
  [[nodiscard]] const std::filesystem::path& root() const { return folder_.path(); }
  [[nodiscard]] Environment environment() const {
    Environment out;
    out.procfs = root();
    return out;
  }
  [[nodiscard]] std::filesystem::path of(int pid) const { return root() / std::to_string(pid); }

  /// Adds a process or changes it.
  void add(const FakeProcess& p) {
    std::filesystem::create_directories(of(p.pid));
    std::ofstream(of(p.pid) / "stat")
        << p.pid << " (fake) " << p.state << ' ' << p.ppid << " 1 1 0 -1 0 0 0 0 0 " << p.own_ticks
        << " 0 " << p.waited_ticks << " 0 20 0 1 0 " << p.start_ticks << " 0 0\n";
  }
  void remove(int pid) { std::filesystem::remove_all(of(pid)); }
  void list_children(int pid, const std::vector<int>& children) {
    const auto task = of(pid) / "task" / std::to_string(pid);
    std::filesystem::create_directories(task);
    std::ofstream file(task / "children");
    for (const int child : children)
      file << child << ' ';
  }
  void write(int pid, const char* file, const std::string& text) {
    std::ofstream(of(pid) / file) << text;
  }
  void set_busy_ticks(std::uint64_t ticks) {
    std::ofstream(root() / "stat") << "cpu  " << ticks << " 0 0 5 5 0 0 5 0 0\n";
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace ergo::process
