#pragma once
// What the command line calls to run a network. This header is free of LibTorch; networks/
// implements it where LibTorch is there, and without_libtorch.cpp where it is not.

#include "common/options.hpp"
#include "ergo/core/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ergo::workload {

struct NetworkFacts {
  std::int64_t parameters = 0;  ///< all weights that are learnt
  std::int64_t batch_norm_statistics =
      0;  ///< running means and variances, which Keras counts as parameters too
  std::int64_t multiply_adds = 0;          ///< of one inference of one sample, counted while it ran
  std::vector<std::int64_t> output_shape;  ///< of one sample
};

struct InferenceReport {
  NetworkFacts facts;
  std::string device;              ///< "cpu, 2 threads" or "cuda:0"
  std::string weights;             ///< where they came from
  std::vector<Seconds> latencies;  ///< one for each measured batch, in order
  Seconds duration;                ///< of the measured part
  int size = 0;                    ///< as used
};

struct EpochReport {
  double loss = 0.0;      ///< mean over the samples of the epoch
  double accuracy = 0.0;  ///< on the training samples, with dropout on; of both ends for bert-squad
  Seconds duration;
};

struct TrainingReport {
  NetworkFacts facts;
  std::string device;
  std::string data;          ///< "synthetic …" or the files read
  std::int64_t samples = 0;  ///< in one epoch
  int batch = 0;
  std::vector<EpochReport> epochs;
};

/// All errors of these functions that concern memory are Errc::unavailable (exit_code.hpp).

/// One inference of one sample at `size` (0: usual) with random weights on the CPU.
Result<NetworkFacts> network_facts(const std::string& network, int size);
/// Builds, warms up, measures; writes latency.csv and sends marks ("inference").
Result<InferenceReport> run_inference(const InferenceOptions& options);
/// Trains; sends marks ("epoch", and "step" on request).
Result<TrainingReport> run_training(const TrainingOptions& options);

}  // namespace ergo::workload
