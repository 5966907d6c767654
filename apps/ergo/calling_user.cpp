#include "calling_user.hpp"

#include "ergo/core/parse.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

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

}  // namespace

Result<void> run_as_calling_user(RunnerOptions& options) {
  if (::geteuid() != 0 || std::getenv("SUDO_UID") == nullptr) return {};
  const auto uid = id_from("SUDO_UID");
  if (!uid) return uid.error();
  const auto gid = id_from("SUDO_GID");
  if (!gid) return gid.error();
  if (*uid == 0) return {};
  RunAs user{*uid, *gid, {*gid}};
  if (const passwd* entry = ::getpwuid(*uid)) {
    user.groups = groups_of(entry->pw_name, *gid);
    options.environment.emplace_back("HOME", entry->pw_dir);
    options.environment.emplace_back("USER", entry->pw_name);
    options.environment.emplace_back("LOGNAME", entry->pw_name);
    options.environment.emplace_back("SHELL", entry->pw_shell);
  }
  const std::string runtime = "/run/user/" + std::to_string(*uid);
  std::error_code ignored;
  if (std::filesystem::is_directory(runtime, ignored))
    options.environment.emplace_back("XDG_RUNTIME_DIR", runtime);
  options.run_as = std::move(user);
  return {};
}

}  // namespace ergo::cli
