#pragma once
// What inference and training share: device, number format, memory, and exceptions turned into
// errors. Includes LibTorch.

#include "common/options.hpp"
#include "ergo/core/result.hpp"
#include "networks/network.hpp"
#include "networks/run.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace ergo::workload {

/// Device and number format as LibTorch has them.
struct Session {
  torch::Device device = torch::kCPU;
  torch::ScalarType type = torch::kFloat32;
  std::string description;  ///< "cpu, 2 threads, fp32"

  /// Waits until the device has done all it was given.
  void synchronize() const;
};

/// Checks and applies `execution`: threads, seed, TF32, memory limit. Errors: not_supported when
/// the device or the number format is not there, invalid_argument for names it does not know.
Result<Session> begin_session(const Execution& execution);

/// Moves the network to the session's device and number format.
void place(Network& network, const Session& session, bool channels_last);

/// Parameters, statistics; the caller fills in what it counts while running.
NetworkFacts facts_of(const torch::nn::Module& network);

/// The network of a catalogue entry at a size that suits it, with random weights.
NetworkPtr make_network(std::string_view name, int size, const BertShape& bert = {});

/// An input for it: images of normal numbers, or token ids. Made on the device, so that one that is
/// too large for the device never fills the machine's memory.
Tensor random_input(std::string_view name, int batch, int size, torch::Device device);

/// What LibTorch threw, as an error: memory becomes out_of_memory, missing kernels not_supported.
Error error_of(const std::exception& exception, const std::string& what);

/// Calls `work` and turns what it throws into an error.
template <class T>
Result<T> guarded(const std::string& what, const std::function<Result<T>()>& work) {
  try {
    return work();
  } catch (const std::exception& exception) {
    return error_of(exception, what);
  }
}

}  // namespace ergo::workload
