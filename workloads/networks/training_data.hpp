#pragma once
// Training data on the device, handed out in batches. Includes LibTorch.

#include "common/options.hpp"
#include "ergo/core/result.hpp"
#include "networks/network.hpp"
#include "networks/session.hpp"

#include <memory>
#include <string>

namespace ergo::workload {

struct TrainingBatch {
  Tensor input;
  Tensor target;
};

struct StepResult {
  Tensor loss;     ///< mean over the batch
  Tensor correct;  ///< number of right predictions (halves count for spans)
};

/// All samples of one epoch. The raw data lie on the device; a batch is gathered and converted
/// there.
class TrainingData {
 public:
  virtual ~TrainingData() = default;
  [[nodiscard]] virtual std::int64_t samples() const = 0;
  [[nodiscard]] virtual const std::string& source() const = 0;
  /// The samples of these indices (int64, on the device).
  virtual TrainingBatch batch(const Tensor& indices) const = 0;
  /// Loss and hits of a network's output.
  virtual StepResult judge(const Tensor& output, const Tensor& target) const = 0;
};

/// Real data from `options.data`, else synthetic; at most `limit` samples; `tokens` is for
/// bert-squad.
Result<std::unique_ptr<TrainingData>> load_training_data(const TrainingOptions& options,
                                                         std::int64_t limit, int tokens,
                                                         const Session& session);

}  // namespace ergo::workload
