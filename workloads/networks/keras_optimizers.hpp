#pragma once
// Keras' optimisers with Keras' defaults, which differ from LibTorch's in small ways (where epsilon
// stands) and in number (LibTorch's C++ interface has no Adadelta). Includes LibTorch.

#include <torch/nn.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace ergo::workload {

/// Updates parameters from their gradients. Not thread-safe.
class KerasOptimizer {
 public:
  virtual ~KerasOptimizer() = default;
  /// One update; parameters without a gradient stay.
  virtual void step() = 0;
  void zero_grad();

 protected:
  explicit KerasOptimizer(std::vector<torch::Tensor> parameters);
  std::vector<torch::Tensor> parameters_;
};

/// Zeiler (2012), arXiv 1212.5701, with the learning rate that Keras adds; rho 0.95, epsilon 1e-7.
/// The usual rate of tf.keras is 0.001.
std::unique_ptr<KerasOptimizer> make_adadelta(std::vector<torch::Tensor> parameters,
                                              double learning_rate);

/// Kingma and Ba (2015), the form before section 2.1 with "epsilon hat" 1e-7; betas 0.9 and 0.999.
std::unique_ptr<KerasOptimizer> make_adam(std::vector<torch::Tensor> parameters,
                                          double learning_rate);

}  // namespace ergo::workload
