#include "sensors/nvml/processes.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace ergo::nvml {
namespace {

constexpr std::size_t spare_processes = 16;
constexpr int list_attempts = 3;
/// "nvidia-cuda-mps-server", as long as the kernel keeps a name.
constexpr std::string_view mps_server_name = "nvidia-cuda-mps";

std::optional<std::vector<GpuProcess>> parse_at(const std::vector<std::byte>& bytes,
                                                std::size_t count, std::size_t stride) {
  constexpr unsigned largest_pid = 1U << 22U;  // the kernel's PID_MAX_LIMIT
  std::vector<GpuProcess> processes;
  for (std::size_t i = 0; i < count; ++i) {
    if ((i + 1) * stride > bytes.size()) return std::nullopt;
    abi::ProcessInfo info{};
    std::memcpy(&info, bytes.data() + i * stride, sizeof info);
    if (info.pid == 0 || info.pid > largest_pid) return std::nullopt;
    GpuProcess process{info.pid, info.used_memory};
    if (info.used_memory == abi::memory_not_available) process.memory_bytes.reset();
    processes.push_back(process);
  }
  return processes;
}

}  // namespace

std::vector<GpuProcess> parse_processes(const std::vector<std::byte>& bytes, std::size_t count) {
  for (const std::size_t stride : {std::size_t{24}, std::size_t{32}}) {
    if (auto processes = parse_at(bytes, count, stride)) return *std::move(processes);
  }
  return {};
}

ProcessReader::ProcessReader(std::shared_ptr<const Library> library, abi::Device device,
                             std::shared_ptr<const ProcessScope> scope,
                             std::filesystem::path procfs)
    : library_(std::move(library)),
      device_(device),
      scope_(std::move(scope)),
      procfs_(std::move(procfs)) {}

bool ProcessReader::works() {
  const Reading reading = read();
  return reading.share || list().has_value();
}

ProcessReader::Reading ProcessReader::read() {
  Reading reading;
  status_ = abi::success;
  const auto processes = list();
  reading.share = share_by_utilization(processes.value_or(Processes{}));
  if (processes) {
    std::size_t own = 0;
    std::size_t all = 0;
    double memory = 0;
    bool memory_known = true;
    for (const GpuProcess& process : *processes) {
      if (process.mps_server) continue;
      ++all;
      if (!scope_->contains(static_cast<int>(process.pid))) continue;
      ++own;
      memory_known = memory_known && process.memory_bytes.has_value();
      memory += static_cast<double>(process.memory_bytes.value_or(0));
    }
    if (memory_known && own > 0) reading.memory_bytes = memory;
    // Without utilisation only the clear cases are known: alone, or not there while others are. An
    // empty list says nothing: a program between start and its first kernel is on no list.
    if (!reading.share && all > 0) {
      if (own == all) reading.share = 1.0;
      if (own == 0) reading.share = 0.0;
    }
  }
  reading.status = status_;
  return reading;
}

/// Whose the work of a server is: its clients', but which one's is not known.
std::optional<double> ProcessReader::share_of_server(const Processes& processes) const {
  std::size_t clients = 0;
  std::size_t own = 0;
  for (const GpuProcess& process : processes) {
    if (process.mps_server) continue;
    ++clients;
    if (scope_->contains(static_cast<int>(process.pid))) ++own;
  }
  if (own == 0) return 0.0;
  if (own == clients) return 1.0;
  return std::nullopt;
}

std::optional<double> ProcessReader::share_by_utilization(const Processes& processes) {
  auto* ask = library_->functions().process_utilization;
  if (ask == nullptr) return std::nullopt;
  abi::Return code = abi::insufficient_size;
  unsigned count = 0;
  for (int attempt = 0; attempt < list_attempts && code == abi::insufficient_size; ++attempt) {
    samples_.assign(std::max<std::size_t>(samples_.size(), count + spare_processes), {});
    count = static_cast<unsigned>(samples_.size());
    code = ask(device_, samples_.data(), &count, last_seen_);
  }
  if (code != abi::success) {
    if (code != abi::not_found) status_ = code;  // not_found: nobody computed since the last time
    return std::nullopt;
  }
  double own = 0;
  double all = 0;
  bool known = true;
  unsigned long long newest = last_seen_;
  for (std::size_t i = 0; i < std::min<std::size_t>(count, samples_.size()); ++i) {
    const auto& sample = samples_[i];
    // Some drivers repeat old entries, or leave garbage in those without activity.
    if (sample.timestamp <= last_seen_ || sample.sm > 100) continue;
    newest = std::max(newest, sample.timestamp);
    all += sample.sm;
    const bool server = std::any_of(
        processes.begin(), processes.end(),
        [&](const GpuProcess& process) { return process.mps_server && process.pid == sample.pid; });
    if (server && sample.sm > 0) {
      const auto share = share_of_server(processes);
      known = known && share.has_value();
      own += share.value_or(0.0) * sample.sm;
    } else if (scope_->contains(static_cast<int>(sample.pid))) {
      own += sample.sm;
    }
  }
  last_seen_ = newest;
  if (all <= 0 || !known) return std::nullopt;
  return own / all;
}

std::optional<std::vector<GpuProcess>> ProcessReader::list() {
  auto* ask = library_->functions().compute_processes;
  auto processes = ask != nullptr ? list_by(ask) : list_v1();
  if (processes) add_mps_clients(*processes);
  return processes;
}

/// Programs that compute through the Multi-Process Service have a list of their own; the common one
/// shows the server in their place.
void ProcessReader::add_mps_clients(Processes& processes) {
  auto* ask = library_->functions().mps_processes;
  if (ask == nullptr || processes.empty()) return;
  const abi::Return before = status_;
  const auto clients = list_by(ask);
  status_ = before;  // a card that knows no such service is not a failure
  if (!clients || clients->empty()) return;
  for (GpuProcess& process : processes) {
    const auto name = read_text(procfs_ / std::to_string(process.pid) / "comm");
    process.mps_server = name && trim(*name) == mps_server_name;
  }
  for (const GpuProcess& client : *clients) {
    const bool listed =
        std::any_of(processes.begin(), processes.end(),
                    [&](const GpuProcess& process) { return process.pid == client.pid; });
    if (!listed) processes.push_back(client);
  }
}

std::optional<std::vector<GpuProcess>> ProcessReader::list_by(ListFunction* ask) {
  constexpr std::size_t largest_entry = 32;
  abi::Return code = abi::insufficient_size;
  unsigned count = 0;
  for (int attempt = 0; attempt < list_attempts && code == abi::insufficient_size; ++attempt) {
    const std::size_t capacity =
        std::max(buffer_.size() / largest_entry, static_cast<std::size_t>(count) + spare_processes);
    buffer_.assign(capacity * largest_entry, std::byte{0});
    count = static_cast<unsigned>(capacity);
    code = ask(device_, &count, reinterpret_cast<abi::ProcessInfo*>(buffer_.data()));
  }
  if (code != abi::success) {
    status_ = code;
    return std::nullopt;
  }
  auto processes = parse_processes(buffer_, count);
  if (processes.size() != count) return std::nullopt;
  return processes;
}

std::optional<std::vector<GpuProcess>> ProcessReader::list_v1() {
  auto* ask = library_->functions().compute_processes_v1;
  if (ask == nullptr) return std::nullopt;
  std::vector<abi::ProcessInfoV1> entries;
  abi::Return code = abi::insufficient_size;
  unsigned count = 0;
  for (int attempt = 0; attempt < list_attempts && code == abi::insufficient_size; ++attempt) {
    entries.assign(count + spare_processes, {});
    count = static_cast<unsigned>(entries.size());
    code = ask(device_, &count, entries.data());
  }
  if (code != abi::success) {
    status_ = code;
    return std::nullopt;
  }
  entries.resize(std::min<std::size_t>(count, entries.size()));
  std::vector<GpuProcess> processes;
  for (const auto& entry : entries) {
    GpuProcess process{entry.pid, entry.used_memory};
    if (entry.used_memory == abi::memory_not_available) process.memory_bytes.reset();
    processes.push_back(process);
  }
  return processes;
}

bool pids_are_the_drivers(const Environment& environment) {
  // The inode number of the first PID namespace is fixed in the kernel (PROC_PID_INIT_INO).
  constexpr std::string_view first_namespace = "pid:[4026531836]";
  std::error_code failed;
  const auto link = std::filesystem::read_symlink(environment.procfs / "self/ns/pid", failed);
  return !failed && link.string() == first_namespace;
}

}  // namespace ergo::nvml
