#include "calling_user.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "sensors/process/procfs.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace ergo::cli {
namespace {

Result<unsigned> id_from(const char* variable) {
  const char* text = std::getenv(variable);
  const auto id = parse_uint(text != nullptr ? text : "");
  if (!id || *id >= 0xffffffff) {
    return Error{Errc::invalid_argument,
                 std::string(variable) + " does not hold the id of a user or group",
                 "unset SUDO_UID to run the command as root"};
  }
  return static_cast<unsigned>(*id);
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

bool under_sudo() {
  return ::geteuid() == 0 && std::getenv("SUDO_UID") != nullptr;
}

Variables parse_environment(std::string_view text) {
  Variables variables;
  for (const std::string_view entry : split(text, '\0')) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

/// What sudo was started with: the nearest process above this one that is called so. Its own
/// environment is the caller's, before sudo cleaned it. Only the command gets it, which runs as
/// that user anyway.
Variables environment_of_caller() {
  const std::filesystem::path procfs = "/proc";
  constexpr int most_levels = 16;
  constexpr std::size_t largest = std::size_t{4} << 20;
  int pid = ::getppid();
  for (int level = 0; level < most_levels && pid > 1; ++level) {
    const auto stat = process::read_stat(procfs, pid);
    if (!stat) return {};
    if (stat->comm == "sudo") {
      const auto text = read_text(procfs / std::to_string(pid) / "environ", largest);
      return text ? parse_environment(*text) : Variables();
    }
    pid = stat->ppid;
  }
  return {};
}

/// Variables that sudo sets to root's or its own: the caller's count.
bool set_by_sudo(std::string_view name) {
  constexpr std::array names{"PATH", "HOME",     "MAIL",  "LOGNAME",
                             "USER", "USERNAME", "SHELL", "XDG_RUNTIME_DIR"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool of_sudo_or_ergo(std::string_view name) {
  return name.starts_with("SUDO_") || name.starts_with("ERGO_");
}

}  // namespace

void adopt_choice_of_gpus() {
  if (!under_sudo()) return;
  const Variables caller = environment_of_caller();
  for (const char* name : {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"}) {
    if (const auto found = caller.find(name); found != caller.end())
      ::setenv(name, found->second.c_str(), 0);
  }
}

Result<void> run_as_calling_user(RunnerOptions& options) {
  if (!under_sudo()) return {};
  const auto uid = id_from("SUDO_UID");
  if (!uid) return uid.error();
  const auto gid = id_from("SUDO_GID");
  if (!gid) return gid.error();
  if (*uid == 0) return {};
  RunAs user{*uid, *gid, {*gid}};
  Variables variables;
  if (const passwd* entry = ::getpwuid(*uid)) {
    user.groups = groups_of(entry->pw_name, *gid);
    variables = {{"HOME", entry->pw_dir},
                 {"USER", entry->pw_name},
                 {"LOGNAME", entry->pw_name},
                 {"SHELL", entry->pw_shell}};
  }
  const std::string runtime = "/run/user/" + std::to_string(*uid);
  std::error_code ignored;
  if (std::filesystem::is_directory(runtime, ignored)) variables["XDG_RUNTIME_DIR"] = runtime;
  for (auto& [name, value] : environment_of_caller()) {
    const bool given_otherwise = std::getenv(name.c_str()) != nullptr && !set_by_sudo(name);
    if (!given_otherwise && !of_sudo_or_ergo(name)) variables[name] = value;
  }
  options.environment.assign(variables.begin(), variables.end());
  options.run_as = std::move(user);
  return {};
}

}  // namespace ergo::cli
