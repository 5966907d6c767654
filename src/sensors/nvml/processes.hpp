#pragma once
// Whose work a GPU does: the measured program's share of SM utilisation and its memory.

#include "ergo/sensors/registry.hpp"
#include "sensors/nvml/library.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace ergo::nvml {

/// A process with a compute context.
struct GpuProcess {
  unsigned pid = 0;
  std::optional<std::uint64_t> memory_bytes;
  /// The server of the Multi-Process Service: it computes for its clients, which are listed, too.
  bool mps_server = false;
};

/// Reads a driver's list of compute processes from `bytes` (`count` entries). Drivers agree on 24
/// bytes an entry, but a layout of 32 bytes exists; it is recognised by implausible process ids at
/// a distance of 24. Empty when neither fits.
std::vector<GpuProcess> parse_processes(const std::vector<std::byte>& bytes, std::size_t count);

/// The processes of one GPU. Calls are slow (milliseconds) and take the driver's lock: at most once
/// a second.
class ProcessReader {
 public:
  /// `procfs` tells a server of the Multi-Process Service by its name.
  ProcessReader(std::shared_ptr<const Library> library, abi::Device device,
                std::shared_ptr<const ProcessScope> scope, std::filesystem::path procfs);

  struct Reading {
    /// 0..1: own SM utilisation over everybody's since the last reading; absent when the driver
    /// cannot tell.
    std::optional<double> share;
    /// Of the measured program; absent while it has no context on the GPU, or the driver hides it.
    std::optional<double> memory_bytes;
    abi::Return status = abi::success;  ///< the last failure, to notice a lost device
  };
  Reading read();

  /// The driver answers at least one of the two questions.
  [[nodiscard]] bool works();
  /// What the driver said when it does not.
  [[nodiscard]] abi::Return status() const { return status_; }

 private:
  using ListFunction = abi::DeviceGetComputeRunningProcesses_v3;
  using Processes = std::vector<GpuProcess>;

  std::optional<double> share_by_utilization(const Processes& processes);
  std::optional<double> share_of_server(const Processes& processes) const;
  std::optional<Processes> list();
  std::optional<Processes> list_by(ListFunction* ask);
  std::optional<Processes> list_v1();
  void add_mps_clients(Processes& processes);

  std::shared_ptr<const Library> library_;
  abi::Device device_;
  std::shared_ptr<const ProcessScope> scope_;
  std::filesystem::path procfs_;
  unsigned long long last_seen_ = 0;
  std::vector<abi::ProcessUtilizationSample> samples_;
  std::vector<std::byte> buffer_;
  abi::Return status_ = abi::success;
};

/// True when process ids mean to us what they mean to the driver: we are in the machine's first PID
/// namespace.
bool pids_are_the_drivers(const Environment& environment);

}  // namespace ergo::nvml
