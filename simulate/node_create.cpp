// Making a new state file.
#include "ergo/core/files.hpp"
#include "random.hpp"
#include "state_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace ergo::sim {
namespace {

// Streams of random numbers; device i uses stream + i.
constexpr std::uint64_t kGpuGainStream = 1000;
constexpr std::uint64_t kPackageGainStream = 2000;
constexpr std::uint64_t kPhaseStream = 3000;
constexpr std::uint64_t kUuidStream = 4000;
constexpr std::uint64_t kCounterStream = 5000;
constexpr std::uint64_t kLoadStream = 6000;
constexpr std::uint64_t kPackageLoadStream = 7000;
constexpr double kNormal95 = 1.959963984540054;
constexpr std::int64_t kManualEpochNs =
    1'700'000'000 * kNsPerSecond;  // time zero of a manual clock, since 1970

template <std::size_t N>
void copy_text(std::array<char, N>& to, const std::string& from) {
  std::snprintf(to.data(), N, "%s", from.c_str());
}

std::string default_driver(const NodeOptions& options) {
  bool recent = false;
  for (const GpuOptions& gpu : options.gpus) {
    const Preset* preset = find_preset(gpu.preset);
    if (preset->newest_branch == 470) return "470.223.02";
    recent = recent || preset->record_since_branch > 0;
  }
  return recent ? "580.159.04" : "535.161.08";
}

double drawn_gain(const NodeOptions& options, std::uint64_t stream) {
  return 1.0 + options.gain_u95 / kNormal95 * random_normal(options.seed, stream, 0);
}

std::string uuid_text(std::uint64_t seed, std::uint64_t index) {
  const std::uint64_t high = random_bits(seed, kUuidStream + index, 0);
  const std::uint64_t low = random_bits(seed, kUuidStream + index, 1);
  char text[64];
  std::snprintf(text, sizeof text, "GPU-%08x-%04x-%04x-%04x-%012llx",
                static_cast<unsigned>(high >> 32U), static_cast<unsigned>(high >> 16U & 0xffffU),
                static_cast<unsigned>(high & 0xffffU), static_cast<unsigned>(low >> 48U),
                static_cast<unsigned long long>(low & 0xffffffffffffULL));
  return text;
}

std::int64_t after_start(std::int64_t start_ns, std::int64_t offset_ns) {
  return offset_ns == kNever ? kNever : start_ns + offset_ns;
}

LoadSpec own_load(LoadSpec load, std::uint64_t seed, std::uint64_t stream) {
  load.seed = random_bits(seed, stream, load.seed);
  return load;
}

void fill_gpu(StateFile& file, const NodeOptions& options, std::size_t index) {
  Cell<Gpu>& cell = file.gpus[index];
  const GpuOptions& wanted = options.gpus[index];
  Gpu& gpu = cell.copies[0];
  gpu.id.preset = static_cast<std::int32_t>(find_preset(wanted.preset) - presets().data());
  gpu.id.bus = static_cast<std::uint32_t>(0x06 + 0x10 * index);
  copy_text(gpu.id.uuid, uuid_text(options.seed, index));
  copy_text(gpu.id.serial, std::to_string(1'560'000'000'000ULL +
                                          random_bits(options.seed, index, 9) % 1'000'000'000ULL));
  gpu.id.gain = wanted.gain ? *wanted.gain : drawn_gain(options, kGpuGainStream + index);
  gpu.id.heat_drift_per_k = options.heat_drift_per_k;
  gpu.id.counter_start_j = 1e6 * random_unit(options.seed, kCounterStream + index, 0);
  const double call_s = options.manual_clock ? 0.0 : find_preset(wanted.preset)->counter_call_s;
  gpu.id.counter_call_ns =
      wanted.counter_call_ns.value_or(static_cast<std::int64_t>(std::llround(call_s * 1e9)));
  gpu.faults = wanted.faults;
  gpu.faults.lost_at_ns = after_start(file.start_ns, wanted.faults.lost_at_ns);
  gpu.faults.counter_reset_at_ns = after_start(file.start_ns, wanted.faults.counter_reset_at_ns);
  start_gpu(gpu, own_load(wanted.load, options.seed, kLoadStream + index), file.start_ns,
            random_unit(options.seed, kPhaseStream + index, 0),
            options.counter_exact || find_preset(wanted.preset)->counter_exact, cell.segments);
}

void fill_package(StateFile& file, const NodeOptions& options, std::size_t index) {
  Cell<Package>& cell = file.packages[index];
  Package& package = cell.copies[0];
  package.gain = options.package_gain ? *options.package_gain
                                      : drawn_gain(options, kPackageGainStream + index);
  start_package(package, own_load(options.package_load, options.seed, kPackageLoadStream + index),
                file.start_ns, cell.segments);
}

Result<void> make_lock(pthread_mutex_t& lock) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int failed = pthread_mutex_init(&lock, &attributes);
  pthread_mutexattr_destroy(&attributes);
  if (failed != 0) return system_error("cannot make the simulated node's lock", failed);
  return {};
}

void fill_header(StateFile& file, const NodeOptions& options, const std::string& driver) {
  timespec monotonic{};
  timespec wall{};
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  clock_gettime(CLOCK_REALTIME, &wall);
  const std::int64_t now = monotonic.tv_sec * kNsPerSecond + monotonic.tv_nsec;
  file.version = StateFile::kVersion;
  file.gpu_count = static_cast<std::uint32_t>(options.gpus.size());
  file.package_count = static_cast<std::uint32_t>(options.packages);
  file.call_latency_us = options.call_latency_us;
  file.manual_clock = options.manual_clock ? 1 : 0;
  file.permission = static_cast<std::int32_t>(options.permission);
  file.clamp_limits = options.clamp_limits ? 1 : 0;
  file.driver_branch = std::atoi(driver.c_str());  // NOLINT(cert-err34-c): checked by the caller
  copy_text(file.driver, driver);
  file.seed = options.seed;
  file.start_ns = options.manual_clock ? options.manual_start_ns : now;
  file.manual_now_ns = file.start_ns;
  file.unix_offset_ns =
      options.manual_clock ? kManualEpochNs : wall.tv_sec * kNsPerSecond + wall.tv_nsec - now;
}

Result<void> check(const NodeOptions& options) {
  if (options.gpus.size() > kMaxGpus || options.packages < 0 ||
      static_cast<std::size_t>(options.packages) > kMaxPackages) {
    return Error{Errc::invalid_argument, "a simulated node has at most 8 GPUs and 4 packages", ""};
  }
  for (const GpuOptions& gpu : options.gpus) {
    if (find_preset(gpu.preset) == nullptr) {
      return Error{Errc::invalid_argument,
                   "there is no simulated GPU called \"" + gpu.preset + "\"",
                   "choose from: v100, t4, k80, a100, h200"};
    }
  }
  if (!options.driver.empty() && std::atoi(options.driver.c_str()) <= 0) {
    return Error{Errc::invalid_argument, "\"" + options.driver + "\" is no driver version",
                 "for example 535.161.08"};
  }
  return {};
}

}  // namespace

Result<Node> Node::create(const std::filesystem::path& path, const NodeOptions& options) {
  if (auto checked = check(options); !checked) return checked.error();
  const Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return system_error("cannot create the simulated node's state " + path.string(), errno);
  if (ftruncate(fd.get(), sizeof(StateFile)) != 0)
    return system_error("cannot size " + path.string(), errno);
  void* memory = mmap(nullptr, sizeof(StateFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return system_error("cannot map " + path.string(), errno);
  // The file reads as zeros, which is what the untouched devices' cells should hold: they stay
  // holes on the disk.
  auto* file = static_cast<StateFile*>(memory);
  fill_header(*file, options, options.driver.empty() ? default_driver(options) : options.driver);
  if (auto made = make_lock(file->lock); !made) {
    munmap(memory, sizeof(StateFile));
    return made.error();
  }
  for (std::size_t i = 0; i < options.gpus.size(); ++i) {
    new (&file->gpus[i].copies) std::array<Gpu, 2>{};
    fill_gpu(*file, options, i);
  }
  for (std::size_t i = 0; i < file->package_count; ++i) {
    new (&file->packages[i].copies) std::array<Package, 2>{};
    fill_package(*file, options, i);
  }
  file->magic.store(StateFile::kMagic, std::memory_order_release);
  return Node(file, sizeof(StateFile));
}

}  // namespace ergo::sim
