#include "networks/keras_optimizers.hpp"

#include <cmath>
#include <utility>

namespace ergo::workload {

KerasOptimizer::KerasOptimizer(std::vector<torch::Tensor> parameters)
    : parameters_(std::move(parameters)) {}

void KerasOptimizer::zero_grad() {
  for (torch::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) parameter.mutable_grad().reset();
  }
}

namespace {

constexpr double keras_epsilon = 1e-7;

std::vector<torch::Tensor> zeros_like_each(const std::vector<torch::Tensor>& parameters) {
  std::vector<torch::Tensor> zeros;
  for (const torch::Tensor& parameter : parameters)
    zeros.push_back(torch::zeros_like(parameter));
  return zeros;
}

class Adadelta final : public KerasOptimizer {
 public:
  Adadelta(std::vector<torch::Tensor> parameters, double learning_rate)
      : KerasOptimizer(std::move(parameters)),
        learning_rate_(learning_rate),
        squared_gradients_(zeros_like_each(parameters_)),
        squared_updates_(zeros_like_each(parameters_)) {}

  void step() override {
    torch::NoGradGuard no_grad;
    constexpr double rho = 0.95;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const torch::Tensor gradient = parameters_[i].grad();
      if (!gradient.defined()) continue;
      squared_gradients_[i].mul_(rho).addcmul_(gradient, gradient, 1 - rho);
      const torch::Tensor update = (squared_updates_[i] + keras_epsilon)
                                       .div_(squared_gradients_[i] + keras_epsilon)
                                       .sqrt_()
                                       .mul_(gradient);
      squared_updates_[i].mul_(rho).addcmul_(update, update, 1 - rho);
      parameters_[i].sub_(update, learning_rate_);
    }
  }

 private:
  double learning_rate_;
  std::vector<torch::Tensor> squared_gradients_;
  std::vector<torch::Tensor> squared_updates_;
};

class Adam final : public KerasOptimizer {
 public:
  Adam(std::vector<torch::Tensor> parameters, double learning_rate)
      : KerasOptimizer(std::move(parameters)),
        learning_rate_(learning_rate),
        first_(zeros_like_each(parameters_)),
        second_(zeros_like_each(parameters_)) {}

  void step() override {
    torch::NoGradGuard no_grad;
    constexpr double beta1 = 0.9, beta2 = 0.999;
    ++steps_;
    const auto t = static_cast<double>(steps_);
    const double rate =
        learning_rate_ * std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t));
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const torch::Tensor gradient = parameters_[i].grad();
      if (!gradient.defined()) continue;
      first_[i].mul_(beta1).add_(gradient, 1 - beta1);
      second_[i].mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
      parameters_[i].addcdiv_(first_[i], second_[i].sqrt().add_(keras_epsilon), -rate);
    }
  }

 private:
  double learning_rate_;
  std::int64_t steps_ = 0;
  std::vector<torch::Tensor> first_;
  std::vector<torch::Tensor> second_;
};

}  // namespace

std::unique_ptr<KerasOptimizer> make_adadelta(std::vector<torch::Tensor> parameters,
                                              double learning_rate) {
  return std::make_unique<Adadelta>(std::move(parameters), learning_rate);
}

std::unique_ptr<KerasOptimizer> make_adam(std::vector<torch::Tensor> parameters,
                                          double learning_rate) {
  return std::make_unique<Adam>(std::move(parameters), learning_rate);
}

}  // namespace ergo::workload
