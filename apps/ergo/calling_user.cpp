#include "calling_user.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "sensors/process/procfs.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ergo::cli {
namespace {

/// What people type to become root, and the variable in which it says for whom.
struct Tool {
  const char* name;
  const char* variable;
};
constexpr std::array tools{Tool{"sudo", "SUDO_UID"}, Tool{"doas", "DOAS_USER"},
                           Tool{"pkexec", "PKEXEC_UID"}};

/// `gid` and what follows need an entry in the user database unless sudo has told the gid.
struct Caller {
  Tool tool;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;  ///< empty: not in the user database
  std::string home;
  std::string shell;
};

std::string remedy_for(const char* variable) {
  return std::string("env -u ") + variable + " ergo … runs the command as root";
}

Result<unsigned> id_from(const char* variable, const char* dropped) {
  const char* text = std::getenv(variable);
  const auto id = parse_uint(text != nullptr ? text : "");
  if (!id || *id >= 0xffffffff) {
    return Error{Errc::invalid_argument,
                 std::string(variable) + " does not hold the id of a user or group",
                 remedy_for(dropped)};
  }
  return static_cast<unsigned>(*id);
}

void take(const passwd& entry, Caller& caller) {
  caller.uid = entry.pw_uid;
  caller.gid = entry.pw_gid;
  caller.name = entry.pw_name;
  caller.home = entry.pw_dir;
  caller.shell = entry.pw_shell;
}

Result<Caller> caller_of(const Tool& tool, const std::string& text) {
  const Error unknown{Errc::not_found,
                      std::string(tool.variable) + " names the user '" + text +
                          "', whom this machine does not know",
                      remedy_for(tool.variable)};
  Caller caller;
  caller.tool = tool;
  if (std::string_view(tool.name) == "doas") {
    const passwd* entry = ::getpwnam(text.c_str());
    if (entry == nullptr) return unknown;
    take(*entry, caller);
    return caller;
  }
  const auto uid = id_from(tool.variable, tool.variable);
  if (!uid) return uid.error();
  caller.uid = *uid;
  const passwd* entry = ::getpwuid(*uid);
  if (entry != nullptr) take(*entry, caller);
  if (std::string_view(tool.name) == "sudo") {
    const auto gid = id_from("SUDO_GID", tool.variable);
    if (!gid) return gid.error();
    caller.gid = *gid;
  } else if (entry == nullptr) {
    return unknown;
  }
  return caller;
}

/// Who became root to start ergo; nobody when it is not root, or root started it.
Result<std::optional<Caller>> calling_user() {
  std::optional<Caller> found;
  if (::geteuid() != 0) return found;
  for (const Tool& tool : tools) {
    const char* text = std::getenv(tool.variable);
    if (text == nullptr) continue;
    auto caller = caller_of(tool, text);
    if (!caller) return caller.error();
    if (found && found->uid != caller->uid) {
      return Error{Errc::invalid_argument,
                   std::string(found->tool.variable) + " and " + tool.variable +
                       " name different users: " + std::to_string(found->uid) + " and " +
                       std::to_string(caller->uid),
                   std::string("drop the one that is wrong: env -u ") + tool.variable + " ergo …"};
    }
    if (!found) found = std::move(*caller);
  }
  if (found && found->uid == 0) found.reset();
  return found;
}

std::vector<gid_t> groups_of(const char* name, gid_t gid) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (::getgrouplist(name, gid, groups.data(), &count) < 0)
    groups.resize(static_cast<std::size_t>(count));
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

using Variables = std::map<std::string, std::string, std::less<>>;

Variables parse_environment(std::string_view text) {
  Variables variables;
  for (const std::string_view entry : split(text, '\0')) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

/// What sudo, doas or pkexec was started with: the nearest process above this one that is called
/// so. Its own environment is the caller's, before it cleaned it. pkexec, and doas without PAM,
/// become the program that they start: then it is that of the nearest process of the caller's,
/// which is what the shell was started with. Only the command gets it, which runs as that user
/// anyway.
Variables environment_of(const Caller& caller) {
  const std::filesystem::path procfs = "/proc";
  constexpr int most_levels = 16;
  constexpr std::size_t largest = std::size_t{4} << 20;
  const auto environment = [&](int pid) {
    const auto text = read_text(procfs / std::to_string(pid) / "environ", largest);
    return text ? parse_environment(*text) : Variables();
  };
  int nearest = 0;
  int pid = ::getppid();
  for (int level = 0; level < most_levels && pid > 0; ++level) {
    const auto stat = process::read_stat(procfs, pid);
    if (!stat) break;
    if (stat->comm == caller.tool.name) return environment(pid);
    struct stat owner {};
    const std::string folder = (procfs / std::to_string(pid)).string();
    if (nearest == 0 && ::stat(folder.c_str(), &owner) == 0 && owner.st_uid == caller.uid)
      nearest = pid;
    pid = stat->ppid;
  }
  return nearest != 0 ? environment(nearest) : Variables();
}

/// Variables that are set to root's or the tool's own: the caller's count.
bool set_for_root(std::string_view name) {
  constexpr std::array names{"PATH", "HOME",     "MAIL",  "LOGNAME",
                             "USER", "USERNAME", "SHELL", "XDG_RUNTIME_DIR"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool of_tool_or_ergo(std::string_view name) {
  return name.starts_with("SUDO_") || name.starts_with("ERGO_") || name == "DOAS_USER" ||
         name == "PKEXEC_UID";
}

/// What to set on top of this process's environment to have the caller's.
Variables variables_for(const Caller& caller) {
  Variables variables;
  if (!caller.name.empty()) {
    variables = {{"HOME", caller.home},
                 {"USER", caller.name},
                 {"LOGNAME", caller.name},
                 {"SHELL", caller.shell}};
  }
  const std::string runtime = "/run/user/" + std::to_string(caller.uid);
  std::error_code ignored;
  if (std::filesystem::is_directory(runtime, ignored)) variables["XDG_RUNTIME_DIR"] = runtime;
  for (auto& [name, value] : environment_of(caller)) {
    const bool given_otherwise = std::getenv(name.c_str()) != nullptr && !set_for_root(name);
    if (!given_otherwise && !of_tool_or_ergo(name)) variables[name] = value;
  }
  return variables;
}

RunAs identity_of(const Caller& caller) {
  if (caller.name.empty()) return {caller.uid, caller.gid, {caller.gid}};
  return {caller.uid, caller.gid, groups_of(caller.name.c_str(), caller.gid)};
}

}  // namespace

void adopt_choice_of_gpus() {
  const auto caller = calling_user();
  if (!caller || !*caller) return;  // what is wrong is told where a command is run
  const Variables variables = environment_of(**caller);
  for (const char* name : {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"}) {
    if (const auto found = variables.find(name); found != variables.end())
      ::setenv(name, found->second.c_str(), 0);
  }
}

Result<void> run_as_calling_user(RunnerOptions& options) {
  const auto caller = calling_user();
  if (!caller) return caller.error();
  if (!*caller) return {};
  const Variables variables = variables_for(**caller);
  options.environment.assign(variables.begin(), variables.end());
  options.run_as = identity_of(**caller);
  return {};
}

Result<void> start_again_as_calling_user(char** argv) {
  const auto caller = calling_user();
  if (!caller) return caller.error();
  if (!*caller) return {};
  const RunAs user = identity_of(**caller);
  for (const auto& [name, value] : variables_for(**caller))
    ::setenv(name.c_str(), value.c_str(), 1);
  for (const Tool& tool : tools)
    ::unsetenv(tool.variable);
  if (::setgroups(user.groups.size(), user.groups.data()) != 0 ||
      ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0) {
    return system_error("cannot become user " + std::to_string(user.uid), errno);
  }
  // By its path, for the name that it then has; by the link where the user cannot go there.
  constexpr const char* self = "/proc/self/exe";
  std::error_code ignored;
  const auto path = std::filesystem::read_symlink(self, ignored);
  if (!path.empty()) ::execv(path.c_str(), argv);
  ::execv(self, argv);
  Error error = system_error("cannot start ergo again as user " + std::to_string(user.uid), errno);
  error.remedy = "install it where that user may run it";
  return error;
}

}  // namespace ergo::cli
