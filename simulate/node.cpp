#include "node.hpp"

#include "ergo/core/files.hpp"
#include "state_file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <utility>

namespace ergo::sim {
namespace {

// An event adds at most one segment, and so many may be lost if a process dies before it commits.
constexpr int kEventsPerCommit = 4096;
static_assert(kEventsPerCommit < static_cast<int>(kSegmentMargin));

// Looking at /proc costs more than everything else that a read does.
constexpr std::int64_t kDeathCheckNs = 50'000'000;

std::int64_t monotonic_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * kNsPerSecond + t.tv_nsec;
}

// From the start of the simulation the integral is known for ever, whatever the ring has forgotten.
template <class State>
double integral_between(const Cell<State>& cell, std::int64_t from_ns, std::int64_t to_ns) {
  const State& state = cell.now();
  const auto upto = [&](std::int64_t t_ns) {
    if (t_ns == state.start_ns) return 0.0;
    return integral_at(cell.segments, state.segments, state.now_ns, t_ns);
  };
  return upto(to_ns) - upto(from_ns);
}

// A zombie no longer runs anything, though its pid is still taken.
bool is_gone(std::int32_t pid) {
  if (kill(pid, 0) != 0 && errno == ESRCH) return true;
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  const std::size_t end = line.rfind(')');
  return end != std::string::npos && end + 2 < line.size() &&
         (line[end + 2] == 'Z' || line[end + 2] == 'X');
}

}  // namespace

class Node::Lock {
 public:
  explicit Lock(StateFile& file) : file_(file) {
    // The owner died: its staged copy is dropped, the active copies are whole.
    if (pthread_mutex_lock(&file_.lock) == EOWNERDEAD) pthread_mutex_consistent(&file_.lock);
  }
  ~Lock() { pthread_mutex_unlock(&file_.lock); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  StateFile& file_;
};

Node::Node(StateFile* file, std::size_t size) : file_(file), size_(size) {
  info_.driver = file->driver.data();
  info_.driver_branch = file->driver_branch;
  info_.seed = file->seed;
  info_.manual_clock = file->manual_clock != 0;
  info_.permission = static_cast<Permission>(file->permission);
  info_.clamp_limits = file->clamp_limits != 0;
  info_.call_latency_us = file->call_latency_us;
  info_.start_ns = file->start_ns;
  info_.unix_offset_ns = file->unix_offset_ns;
}

Node::Node(Node&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      info_(std::move(other.info_)) {}

Node& Node::operator=(Node&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(size_, other.size_);
  std::swap(info_, other.info_);
  return *this;
}

Node::~Node() {
  if (file_ != nullptr) munmap(file_, size_);
}

Result<Node> Node::open(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return system_error("cannot open the simulated node's state " + path.string(), errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return system_error("cannot examine " + path.string(), errno);
  const Error foreign{Errc::corrupt,
                      path.string() + " is not a state file of this version of ergo-sim",
                      "start a new one: ergo-sim serve --gpus v100"};
  if (status.st_size != static_cast<off_t>(sizeof(StateFile))) return foreign;
  void* memory = mmap(nullptr, sizeof(StateFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return system_error("cannot map " + path.string(), errno);
  auto* file = static_cast<StateFile*>(memory);
  if (file->magic.load(std::memory_order_acquire) != StateFile::kMagic ||
      file->version != StateFile::kVersion || file->gpu_count > kMaxGpus ||
      file->package_count > kMaxPackages) {
    munmap(memory, sizeof(StateFile));
    return foreign;
  }
  return Node(file, sizeof(StateFile));
}

Result<Node> Node::from_environment() {
  const char* path = std::getenv(kStateVariable);  // NOLINT(concurrency-mt-unsafe)
  if (path == nullptr || *path == '\0') {
    return Error{Errc::not_found, "ERGO_SIM_STATE is not set",
                 "run under: ergo-sim env --gpus v100 -- COMMAND"};
  }
  return open(path);
}

std::size_t Node::gpu_count() const {
  return file_->gpu_count;
}
std::size_t Node::package_count() const {
  return file_->package_count;
}

std::int64_t Node::now_ns() const {
  return info_.manual_clock ? file_->manual_now_ns.load(std::memory_order_acquire) : monotonic_ns();
}

bool Node::set_time_ns(std::int64_t ns) {
  if (!info_.manual_clock) return false;
  std::int64_t now = file_->manual_now_ns.load(std::memory_order_acquire);
  while (now <= ns) {
    if (file_->manual_now_ns.compare_exchange_weak(now, ns)) return true;
  }
  return false;
}

void Node::bring_gpu_to_present(std::size_t index) {
  Cell<Gpu>& cell = file_->gpus[index];
  const std::int64_t now = now_ns();
  while (cell.now().now_ns < now) {
    advance(cell.stage(), now, cell.segments, kEventsPerCommit);
    cell.commit();
  }
}

void Node::bring_package_to_present(std::size_t index) {
  Cell<Package>& cell = file_->packages[index];
  const std::int64_t now = now_ns();
  while (cell.now().now_ns < now) {
    advance(cell.stage(), now, cell.segments, kEventsPerCommit);
    cell.commit();
  }
}

void Node::drop_dead_programs(Gpu& gpu) {
  const std::int64_t now = monotonic_ns();
  if (now - gpu.programs_checked_ns < kDeathCheckNs) return;
  gpu.programs_checked_ns = now;
  for (Slot& slot : gpu.slots) {
    if (slot.pid == 0 || slot.unwatched != 0 || slot.pid == getpid()) continue;
    if (is_gone(slot.pid)) slot = Slot{};
  }
}

Node::Editing::Editing(Node& node, std::size_t index)
    : node_(node), index_(index), lock_(std::make_unique<Lock>(*node.file_)) {
  node_.bring_gpu_to_present(index_);
  staged_ = &node_.file_->gpus[index_].stage();
}

Node::Editing::~Editing() = default;

void Node::Editing::commit() {
  Cell<Gpu>& cell = node_.file_->gpus[index_];
  node_.drop_dead_programs(*staged_);
  reconsider(*staged_, cell.segments);
  cell.commit();
}

Gpu Node::gpu(std::size_t index) {
  Gpu copy;
  update(index, [&](const Gpu& gpu) { copy = gpu; });
  return copy;
}

double Node::gpu_energy_j(std::size_t index, std::int64_t from_ns, std::int64_t to_ns) {
  const Lock lock(*file_);
  bring_gpu_to_present(index);
  return integral_between(file_->gpus[index], from_ns, to_ns);
}

double Node::cpu_energy_j(std::size_t package, CpuDomain domain, std::int64_t from_ns,
                          std::int64_t to_ns) {
  const Lock lock(*file_);
  bring_package_to_present(package);
  const double activity_s = integral_between(file_->packages[package], from_ns, to_ns);
  return sim::cpu_energy_j(domain, static_cast<double>(to_ns - from_ns) * 1e-9, activity_s);
}

Package Node::package(std::size_t index) {
  const Lock lock(*file_);
  bring_package_to_present(index);
  return file_->packages[index].now();
}

}  // namespace ergo::sim
