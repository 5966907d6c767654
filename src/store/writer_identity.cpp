#include "store/writer_identity.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <system_error>

namespace ergo::store {
namespace {

std::string boot_id() {
  const auto text = read_text("/proc/sys/kernel/random/boot_id");
  return text ? std::string(trim(*text)) : std::string("unknown");
}

std::string pid_namespace() {
  std::error_code failed;
  const auto target = std::filesystem::read_symlink("/proc/self/ns/pid", failed);
  return failed ? std::string("unknown") : target.string();
}

/// Field 22 of /proc/PID/stat; empty when there is no such process or it is a zombie.
std::string start_time(std::string_view pid) {
  const auto text = read_text(fmt::format("/proc/{}/stat", pid));
  if (!text) return {};
  // The name may hold blanks and brackets: count from the last bracket.
  const auto end_of_name = text->rfind(')');
  if (end_of_name == std::string::npos) return {};
  const auto fields = split(trim(std::string_view(*text).substr(end_of_name + 1)), ' ');
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return {};
  return std::string(fields[19]);
}

}  // namespace

std::string own_identity() {
  const std::string pid = std::to_string(::getpid());
  return boot_id() + "|" + pid_namespace() + "|" + pid + "|" + start_time(pid);
}

bool is_alive(const std::string& identity, std::int64_t seen_unix_ns) {
  const auto parts = split(identity, '|');
  if (parts.size() != 4) return false;
  const bool same_boot = parts[0] == boot_id();
  if (same_boot && parts[1] == pid_namespace())
    return !parts[3].empty() && start_time(parts[2]) == parts[3];
  constexpr std::int64_t patience_ns = 30'000'000'000;
  return unix_now_ns() - seen_unix_ns < patience_ns;
}

std::int64_t unix_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace ergo::store
