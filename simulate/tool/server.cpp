#include "tool/server.hpp"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ergo::sim {
namespace {

namespace fs = std::filesystem;

constexpr long kUpdatePeriodNs = 10'000'000;

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&set, signal);
  return set;
}

Result<fs::path> find_library(const fs::path& wanted) {
  std::error_code error;
  if (!wanted.empty()) {
    if (fs::exists(wanted, error)) return fs::absolute(wanted);
    return Error{Errc::not_found, "there is no library " + wanted.string(), ""};
  }
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& folder : {here / "../lib", here / ERGO_SIM_LIBRARY_FOLDER, here}) {
    const fs::path candidate = folder / "libergo-sim-nvml.so";
    if (fs::exists(candidate, error)) return fs::canonical(candidate);
  }
  return Error{Errc::not_found, "libergo-sim-nvml.so is not beside " + here.string(),
               "name it with --library FILE"};
}

Result<fs::path> new_folder() {
  const char* base = getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe)
  std::string path =
      std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/ergo-sim-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return system_error("cannot make a folder " + path, errno);
  return fs::path(path);
}

}  // namespace

void block_signals() {
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void unblock_signals() {
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

Result<Server> Server::start(const NodeArguments& arguments) {
  const auto options = node_options(arguments);
  const auto shown = sysfs_options(arguments);
  const auto library = find_library(arguments.library);
  if (!options) return options.error();
  if (!shown) return shown.error();
  if (!library) return library.error();
  fs::path folder = arguments.folder;
  if (folder.empty()) {
    auto made = new_folder();
    if (!made) return made.error();
    folder = *made;
  }
  std::error_code error;
  const bool existed = fs::exists(folder, error) && !arguments.folder.empty();
  fs::create_directories(folder, error);
  folder = fs::absolute(folder);
  const fs::path state = folder / "state";
  const fs::path sysfs = folder / "sys";
  auto node = Node::create(state, *options);
  if (!node) return node.error();
  auto tree = SysfsTree::make(sysfs, *node, *shown);
  if (!tree) return tree.error();
  Server server(std::move(node).value(), std::move(tree).value());
  server.mine_ = existed ? std::vector<fs::path>{state, sysfs} : std::vector<fs::path>{folder};
  server.variables_ = {{"ERGO_NVML", library->string()},
                       {kStateVariable, state.string()},
                       {"ERGO_SYSFS", sysfs.string()}};
  return server;
}

Server::Server(Server&& other) noexcept
    : node_(std::move(other.node_)),
      tree_(std::move(other.tree_)),
      variables_(std::move(other.variables_)),
      mine_(std::exchange(other.mine_, {})) {}

Server::~Server() {
  for (const fs::path& path : mine_) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
}

Result<void> Server::serve(const std::function<bool(int signal)>& done) {
  const sigset_t set = ending_signals();
  const timespec period{0, kUpdatePeriodNs};
  while (true) {
    const int signal = sigtimedwait(&set, nullptr, &period);
    if (done(signal > 0 ? signal : 0)) return {};
    if (auto updated = tree_.update(node_); !updated) return updated;
  }
}

}  // namespace ergo::sim
