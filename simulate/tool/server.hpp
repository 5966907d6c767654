#pragma once
// A node that lives as long as a process: its files, the updater of its sysfs tree, and the
// cleaning up.

#include "ergo/core/result.hpp"
#include "node.hpp"
#include "sysfs_tree.hpp"
#include "tool/options.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ergo::sim {

class Server {
 public:
  /// Makes the state file and the tree.
  static Result<Server> start(const NodeArguments& arguments);
  Server(Server&& other) noexcept;
  Server& operator=(Server&& other) = delete;
  /// Removes what start() made, and nothing else.
  ~Server();

  /// The environment variables under which clients find the node: ERGO_NVML, ERGO_SIM_STATE,
  /// ERGO_SYSFS.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& variables() const {
    return variables_;
  }

  /// Keeps the tree up to date until `done` says so; it is asked every 10 ms and told which signal
  /// of SIGTERM, SIGINT and SIGHUP came (0 = none). The caller has blocked them (block_signals()).
  Result<void> serve(const std::function<bool(int signal)>& done);

 private:
  Server(Node node, SysfsTree tree) : node_(std::move(node)), tree_(std::move(tree)) {}

  Node node_;
  SysfsTree tree_;
  std::vector<std::pair<std::string, std::string>> variables_;
  std::vector<std::filesystem::path> mine_;
};

/// Blocks SIGTERM, SIGINT, SIGHUP for this thread and those it starts.
void block_signals();
/// Undoes it, for a child before exec.
void unblock_signals();

}  // namespace ergo::sim
