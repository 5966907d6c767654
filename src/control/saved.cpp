#include "control/saved.hpp"

#include "control/card.hpp"
#include "ergo/core/parse.hpp"
#include "sensors/process/procfs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <thread>

namespace ergo::control {
namespace {

constexpr std::string_view first_line = "ergo-power-limit 1";
constexpr std::string_view last_line = "end";
constexpr std::size_t largest_file = 4096;

std::string_view name_of(SavedLimit::Kind kind) {
  return kind == SavedLimit::Kind::run ? "run" : "kept";
}

unsigned long long milliwatts(Watts w) {
  return static_cast<unsigned long long>(std::llround(w.value() * 1e3));
}

/// Names of devices become names of files ("GPU-…", "PCI-0000:03:00.0").
bool is_file_name(std::string_view uuid) {
  return !uuid.empty() && uuid.size() < 100 && uuid.front() != '.' &&
         std::all_of(uuid.begin(), uuid.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':';
         });
}

Error state_error(const std::string& what, int number) {
  Error error = system_error(what, number);
  error.remedy = "free space there, or set ERGO_STATE_DIR to a folder that can be written";
  return error;
}

/// "PID START" as the lock's holder wrote it; pid 0 when it has not yet.
Owner read_owner(int fd) {
  char text[64] = {};
  Owner owner;
  if (::pread(fd, text, sizeof text - 1, 0) <= 0) return owner;
  unsigned long long start = 0;
  if (std::sscanf(text, "%d %llu", &owner.pid, &start) != 2) return {};
  owner.start_ticks = start;
  return owner;
}

Error guardian_busy(const std::string& uuid, const Owner& owner) {
  return {
      Errc::busy,
      fmt::format("process {} (ergo) died, and its limit-guardian has not yet put back the power "
                  "limit of {}",
                  owner.pid, uuid),
      "wait for it; one that hangs: kill it (ps -C limit-guardian), then " + restore_command()};
}

}  // namespace

Error busy(const std::string& uuid, const Owner& owner) {
  if (owner.pid == 0) {
    return {Errc::busy, fmt::format("another ergo process holds the power limit of {}", uuid),
            "wait for its end"};
  }
  return {Errc::busy, fmt::format("process {} (ergo) holds the power limit of {}", owner.pid, uuid),
          fmt::format("wait for its end, or end it: kill {}", owner.pid)};
}

std::string format_saved(const SavedLimit& saved) {
  return fmt::format(
      "{}\ngpu {}\nkind {}\nboot {}\npid {}\nstart_ticks {}\nfound_mw {}\nasked_mw {}\n{}\n",
      first_line, saved.uuid, name_of(saved.kind), saved.boot_id, saved.pid, saved.start_ticks,
      milliwatts(saved.found), milliwatts(saved.asked), last_line);
}

Result<SavedLimit> parse_saved(std::string_view text, const std::string& name) {
  const auto damaged = [&](std::string_view why) {
    return Error{Errc::corrupt, fmt::format("{} is damaged: {}", name, why),
                 fmt::format("the limit that it kept is lost: rm {}, then, if 'ergo limits show' "
                             "does not show the right one, {} limits set W",
                             name, ergo_as_typed())};
  };
  std::map<std::string, std::string, std::less<>> values;
  const auto lines = split(text, '\n');
  if (lines.size() < 2 || lines.front() != first_line) return damaged("not a saved power limit");
  if (!lines.back().empty() || lines[lines.size() - 2] != last_line)
    return damaged("it is cut off");
  for (const std::string_view line : lines) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    values[std::string(line.substr(0, space))] = line.substr(space + 1);
  }
  SavedLimit saved;
  saved.uuid = values["gpu"];
  saved.boot_id = values["boot"];
  const auto pid = parse_uint(values["pid"]);
  const auto start = parse_uint(values["start_ticks"]);
  const auto found = parse_uint(values["found_mw"]);
  const auto asked = parse_uint(values["asked_mw"]);
  const std::string& kind = values["kind"];
  if (!is_file_name(saved.uuid) || saved.boot_id.empty() || !pid || !start || !found || !asked ||
      *found == 0 || *found > 100'000'000 || *pid > 0x7fffffff ||
      (kind != "run" && kind != "kept")) {
    return damaged("a value is missing or wrong");
  }
  saved.kind = kind == "run" ? SavedLimit::Kind::run : SavedLimit::Kind::kept;
  saved.pid = static_cast<int>(*pid);
  saved.start_ticks = *start;
  saved.found = Watts(static_cast<double>(*found) * 1e-3);
  saved.asked = Watts(static_cast<double>(*asked) * 1e-3);
  return saved;
}

Result<std::string> boot_id(const Environment& environment) {
  auto text = read_text(environment.procfs / "sys/kernel/random/boot_id", 128);
  if (!text) return text.error();
  while (!text->empty() && text->back() == '\n')
    text->pop_back();
  if (!is_file_name(*text)) return Error{Errc::corrupt, "the kernel's boot_id is unreadable", {}};
  return text;
}

Result<Owner> this_process(const Environment& environment) {
  const auto stat = process::read_stat(environment.procfs, ::getpid());
  if (!stat) return stat.error();
  return Owner{::getpid(), stat->start_ticks};
}

bool is_alive(const Environment& environment, const Owner& owner) {
  const auto stat = process::read_stat(environment.procfs, owner.pid);
  return stat && stat->start_ticks == owner.start_ticks && stat->state != 'Z' && stat->state != 'X';
}

std::optional<Owner> StateFolder::living_owner(const SavedLimit& saved) const {
  const Owner owner{saved.pid, saved.start_ticks};
  const auto now = boot();
  const bool other = saved.kind == SavedLimit::Kind::run && saved.pid != ::getpid();
  if (!other || !now || *now != saved.boot_id || !is_alive(environment_, owner))
    return std::nullopt;
  return owner;
}

Result<void> StateFolder::prepare() const {
  const auto& folder = environment_.state_dir;
  std::error_code failure;
  std::filesystem::create_directories(folder.parent_path(), failure);
  const bool made = ::mkdir(folder.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) {
    return state_error("cannot make the folder " + folder.string(), errno);
  }
  // In a folder like /tmp somebody else may have been there first.
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return state_error(folder.string(), errno);
  if (!S_ISDIR(info.st_mode) || (info.st_uid != ::geteuid() && info.st_uid != 0) ||
      (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{Errc::permission,
                 folder.string() + " is not a folder that only this user can write",
                 "chmod go-w it, or set ERGO_STATE_DIR to another folder"};
  }
  return {};
}

Result<GpuLock> StateFolder::lock(const std::string& uuid) const {
  if (!is_file_name(uuid)) {
    return Error{Errc::invalid_argument, fmt::format("'{}' is no UUID of a GPU", uuid), {}};
  }
  const auto path = environment_.state_dir / (uuid + ".lock");
  GpuLock lock{Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644)), uuid};
  if (!lock.fd) return state_error("cannot open " + path.string(), errno);
  if (lock.fd.get() <= STDERR_FILENO) {  // the guardian has other uses for these
    lock.fd = Fd(::fcntl(lock.fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  }
  constexpr int patience = 100;
  for (int attempt = 0; ::flock(lock.fd.get(), LOCK_EX | LOCK_NB) != 0; ++attempt) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return state_error("cannot lock " + path.string(), errno);
    }
    const Owner owner = read_owner(lock.fd.get());
    const bool alive = owner.pid != 0 && is_alive(environment_, owner);
    if (alive || (owner.pid == 0 && attempt >= patience)) return busy(uuid, owner);
    if (attempt >= patience) return guardian_busy(uuid, owner);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // its guardian is at work
  }
  const auto self = this_process(environment_);
  if (!self) return self.error();
  const std::string text = fmt::format("{} {}\n", self->pid, self->start_ticks);
  if (::ftruncate(lock.fd.get(), 0) != 0 ||
      ::pwrite(lock.fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return state_error("cannot write " + path.string(), errno);
  }
  return lock;
}

std::filesystem::path StateFolder::file(const std::string& uuid, SavedLimit::Kind kind) const {
  return environment_.state_dir / fmt::format("{}.{}", uuid, name_of(kind));
}

Result<void> StateFolder::sync() const {
  const Fd folder(::open(environment_.state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) {
    return state_error("cannot write " + environment_.state_dir.string(), errno);
  }
  return {};
}

Result<void> StateFolder::save(const SavedLimit& saved) const {
  const auto path = file(saved.uuid, saved.kind);
  // One name for all attempts, under the lock: what a killed process left is overwritten.
  const std::string temporary = path.string() + ".new";
  ::unlink(temporary.c_str());
  const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return state_error("cannot create " + temporary, errno);
  const auto give_up = [&](Error error) {
    ::unlink(temporary.c_str());
    return error;
  };
  if (auto written = write_all(fd.get(), format_saved(saved), temporary); !written) {
    Error error = written.error();
    error.remedy = state_error({}, 0).remedy;
    return give_up(std::move(error));
  }
  if (::fsync(fd.get()) != 0) return give_up(state_error("cannot write " + temporary, errno));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return give_up(state_error("cannot write " + path.string(), errno));
  }
  return sync();
}

Result<SavedLimit> StateFolder::load(const std::string& uuid, SavedLimit::Kind kind) const {
  const auto path = file(uuid, kind);
  const auto text = read_text(path, largest_file);
  if (!text) return text.error();
  auto saved = parse_saved(*text, path.string());
  if (saved && (saved->uuid != uuid || saved->kind != kind)) {
    return Error{Errc::corrupt, path.string() + " is damaged: it belongs to another GPU", {}};
  }
  return saved;
}

Result<void> StateFolder::remove(const std::string& uuid, SavedLimit::Kind kind) const {
  const auto path = file(uuid, kind);
  if (::unlink(path.c_str()) == 0) return sync();
  if (errno == ENOENT) return {};  // with its folder, perhaps
  return state_error("cannot remove " + path.string(), errno);
}

Result<std::vector<SavedState>> StateFolder::all(std::vector<std::string>& warnings) const {
  std::vector<SavedState> found;
  std::error_code failure;
  std::filesystem::directory_iterator entries(environment_.state_dir, failure);
  if (failure == std::errc::no_such_file_or_directory) return found;
  if (failure) {
    return system_error("cannot read " + environment_.state_dir.string(), failure.value());
  }
  const auto boot = boot_id(environment_);
  if (!boot) return boot.error();
  for (const auto& entry : entries) {
    const std::string extension = entry.path().extension();
    if (extension != ".run" && extension != ".kept") continue;
    const auto saved = load(entry.path().stem(),
                            extension == ".run" ? SavedLimit::Kind::run : SavedLimit::Kind::kept);
    if (!saved) {
      if (saved.error().code != Errc::not_found) warnings.push_back(saved.error().text());
      continue;
    }
    SavedState state{*saved, entry.path(), false, saved->boot_id == *boot};
    state.owner_alive = state.this_boot && is_alive(environment_, {saved->pid, saved->start_ticks});
    state.of_root = environment_.state_dir == environment_.roots_state_dir;
    found.push_back(std::move(state));
  }
  std::sort(found.begin(), found.end(),
            [](const SavedState& a, const SavedState& b) { return a.file < b.file; });
  return found;
}

std::optional<std::vector<SavedState>> saved_by_root(const Environment& environment,
                                                     std::vector<std::string>& warnings) {
  if (environment.roots_state_dir.empty()) return std::nullopt;
  Environment of_root = environment;
  of_root.state_dir = environment.roots_state_dir;
  auto all = StateFolder(of_root).all(warnings);
  if (!all) return std::nullopt;
  return std::move(all).value();
}

}  // namespace ergo::control
