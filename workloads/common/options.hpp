#pragma once
// What the command line asks for, as plain data. One structure for each kind of workload.

#include "ergo/core/units.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ergo::workload {

/// Where the arithmetic runs and in which number format. Shared by all networks.
struct Execution {
  std::string device = "cpu";  ///< "cpu", "cuda" or "cuda:1"
  std::string dtype = "fp32";  ///< fp32, tf32 (CUDA only), fp16, bf16
  int threads = 0;             ///< CPU threads; 0 leaves LibTorch's choice
  std::uint64_t seed = 0;
  bool channels_last = false;
  /// Bytes this process may allocate on the CPU; absent: what is free when it starts.
  std::optional<std::uint64_t> memory_limit;
};

/// One input of a TorchScript module.
struct InputShape {
  std::vector<std::int64_t> dimensions;
  bool whole_numbers = false;  ///< int64 zeros and ones (token ids) in place of normal numbers
};

struct InferenceOptions {
  std::string network;  ///< a name of network_names(), or "torchscript"
  Execution execution;
  int batch = 1;
  int size = 0;  ///< image side in pixels, or tokens for bert; 0: the network's usual size
  int iterations = 100;
  int warmup = 10;
  std::filesystem::path weights;   ///< safetensors or TorchScript; empty: random
  std::filesystem::path input;     ///< safetensors with one tensor "input"; empty: random
  std::filesystem::path output;    ///< the last output is written here as safetensors; empty: not
  std::filesystem::path model;     ///< torchscript only: the module's file
  std::vector<InputShape> shapes;  ///< torchscript only: one for each input
};

struct TrainingOptions {
  std::string network;
  Execution execution;
  int epochs = 0;                  ///< 0: the number of gpyjoules' benchmark
  int batch = 0;                   ///< 0: likewise
  std::int64_t limit_samples = 0;  ///< 0: all of the data (synthetic: the size of the real set)
  std::optional<double> learning_rate;  ///< absent: the optimiser's usual one
  std::filesystem::path data;           ///< a folder with the real data; empty: synthetic
  bool mark_steps = false;              ///< a window for each step, beside those of the epochs
  int layers = 0;                       ///< bert-squad only: 0 is 12
  int hidden = 0;                       ///< bert-squad only: 0 is 768
  int size = 0;                         ///< bert-squad only: tokens of one sample, 0 is 384
};

struct NBodyOptions {
  std::int64_t bodies = 16384;
  int steps = 10;
  int warmup = 1;
  int threads = 0;
  bool double_precision = false;
  double time_step = 1e-3;
  std::uint64_t seed = 0;
  std::string device = "cpu";
};

struct SyntheticOptions {
  std::optional<Seconds> seconds;          ///< stop after this time …
  std::optional<std::int64_t> iterations;  ///< … or after this many iterations
  Seconds iteration{0.05};                 ///< how long one iteration takes at the highest clock
  double compute = 0.8;                    ///< fraction of the arithmetic units kept busy, 0…1
  double memory = 0.3;                     ///< fraction of the memory bandwidth kept busy, 0…1
  double memory_bound = 0.3;               ///< part of the time that no clock changes, 0…1
  Seconds burst_period{0.0};               ///< length of one burst with its pause; 0: no bursts
  double duty = 1.0;                       ///< part of the burst period in which there is work
  std::int64_t epoch_iterations = 0;       ///< iterations in one "epoch" window; 0: no such windows
  unsigned gpu = 0;                        ///< of the simulated node
};

}  // namespace ergo::workload
