#include "networks/network.hpp"

#include <string>

// gpyjoules' training benchmarks. They follow Keras' defaults: glorot_uniform kernels and zero
// biases unless said otherwise. he_normal is drawn from a normal distribution here, in Keras from a
// truncated one of equal variance.

namespace ergo::workload {
namespace {

namespace nn = torch::nn;

void initialize_glorot(nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (const auto& part : module.modules(false)) {
    if (auto* conv = part->as<nn::Conv2dImpl>()) {
      nn::init::xavier_uniform_(conv->weight);
      conv->bias.zero_();
    } else if (auto* linear = part->as<nn::LinearImpl>()) {
      nn::init::xavier_uniform_(linear->weight);
      linear->bias.zero_();
    }
  }
}

class MnistCnn final : public Network {
 public:
  MnistCnn() {
    conv1_ = register_module("conv1", nn::Conv2d(1, 32, 3));
    conv2_ = register_module("conv2", nn::Conv2d(32, 64, 3));
    dense1_ = register_module("dense1", nn::Linear(64 * 12 * 12, 128));
    dense2_ = register_module("dense2", nn::Linear(128, 10));
    initialize_glorot(*this);
  }
  Tensor forward(Tensor x) override {
    x = conv1_->forward(x).relu_();
    x = conv2_->forward(x).relu_();
    x = torch::dropout(torch::max_pool2d(x, 2), 0.25, is_training());
    x = dense1_->forward(x.flatten(1)).relu_();
    return dense2_->forward(torch::dropout(x, 0.5, is_training()));
  }

 private:
  nn::Conv2d conv1_{nullptr}, conv2_{nullptr};
  nn::Linear dense1_{nullptr}, dense2_{nullptr};
};

class MnistDense final : public Network {
 public:
  MnistDense() {
    constexpr int width = 2048;
    for (int i = 0; i < 10; ++i) {
      hidden_->push_back(nn::Linear(i == 0 ? 28 * 28 : width, width));
      hidden_->push_back(nn::ReLU(nn::ReLUOptions().inplace(true)));
    }
    register_module("hidden", hidden_);
    output_ = register_module("output", nn::Linear(width, 10));
    initialize_glorot(*this);
  }
  Tensor forward(Tensor x) override {
    x = hidden_->forward(x.flatten(1));
    return output_->forward(torch::dropout(x, 0.5, is_training()));
  }

 private:
  nn::Sequential hidden_;
  nn::Linear output_{nullptr};
};

// ---- ResNet-32 v1 ----

nn::Conv2d biased_conv(int in, int out, int kernel, int stride) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2));
}

/// Keras' momentum of 0.99 is what LibTorch calls 0.01.
nn::BatchNorm2d keras_norm(int channels) {
  return nn::BatchNorm2d(nn::BatchNorm2dOptions(channels).eps(1e-3).momentum(0.01));
}

class CifarBlockImpl : public nn::Module {
 public:
  CifarBlockImpl(int in, int out, int stride) {
    conv1_ = register_module("conv1", biased_conv(in, out, 3, stride));
    bn1_ = register_module("bn1", keras_norm(out));
    conv2_ = register_module("conv2", biased_conv(out, out, 3, 1));
    bn2_ = register_module("bn2", keras_norm(out));
    if (stride != 1) shortcut_ = register_module("shortcut", biased_conv(in, out, 1, stride));
  }
  Tensor forward(Tensor x) {
    Tensor y = bn1_->forward(conv1_->forward(x)).relu_();
    y = bn2_->forward(conv2_->forward(y));
    if (!shortcut_.is_empty()) x = shortcut_->forward(x);
    return (x + y).relu_();
  }

 private:
  nn::Conv2d conv1_{nullptr}, conv2_{nullptr}, shortcut_{nullptr};
  nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr};
};
TORCH_MODULE(CifarBlock);

class ResNet32Cifar final : public Network {
 public:
  ResNet32Cifar() {
    conv_ = register_module("conv", biased_conv(3, 16, 3, 1));
    bn_ = register_module("bn", keras_norm(16));
    int in = 16;
    for (int stack = 0; stack < 3; ++stack) {
      for (int block = 0; block < 5; ++block) {
        const int out = 16 << stack;
        blocks_->push_back(CifarBlock(in, out, stack > 0 && block == 0 ? 2 : 1));
        in = out;
      }
    }
    register_module("blocks", blocks_);
    fc_ = register_module("fc", nn::Linear(64, 10));
    initialize_he();
  }
  Tensor forward(Tensor x) override {
    x = bn_->forward(conv_->forward(x)).relu_();
    x = torch::avg_pool2d(blocks_->forward(x), 8);
    return fc_->forward(x.flatten(1));
  }

 private:
  void initialize_he() {
    torch::NoGradGuard no_grad;
    initialize_convolutions_he(*this);
    nn::init::kaiming_normal_(fc_->weight, 0.0, torch::kFanIn, torch::kReLU);
    for (auto& parameter : named_parameters()) {
      if (parameter.key().ends_with("bias")) parameter.value().zero_();
    }
  }

  nn::Conv2d conv_{nullptr};
  nn::BatchNorm2d bn_{nullptr};
  nn::Sequential blocks_;
  nn::Linear fc_{nullptr};
};

}  // namespace

NetworkPtr make_mnist_cnn() {
  return std::make_shared<MnistCnn>();
}
NetworkPtr make_mnist_dense() {
  return std::make_shared<MnistDense>();
}
NetworkPtr make_resnet32_cifar10() {
  return std::make_shared<ResNet32Cifar>();
}

}  // namespace ergo::workload
