#include "networks/network.hpp"

#include <string>

namespace ergo::workload {

namespace nn = torch::nn;

void initialize_convolutions_he(nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (const auto& part : module.modules(false)) {
    if (auto* conv = part->as<nn::Conv2dImpl>()) {
      nn::init::kaiming_normal_(conv->weight, 0.0, torch::kFanIn, torch::kReLU);
    }
  }
}

namespace {

nn::Conv2d conv(int in, int out, int kernel, int stride, int padding, bool bias) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding).bias(bias));
}

nn::BatchNorm2d norm(int channels, double eps = 1e-5) {
  return nn::BatchNorm2d(nn::BatchNorm2dOptions(channels).eps(eps));
}

// ---- AlexNet ----

nn::ReLU relu() {
  return nn::ReLU(nn::ReLUOptions().inplace(true));
}

nn::MaxPool2d pool_3_2() {
  return nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2));
}

class AlexNet final : public Network {
 public:
  AlexNet() {
    features_ = register_module(
        "features",
        nn::Sequential(conv(3, 64, 11, 4, 2, true), relu(), pool_3_2(),
                       conv(64, 192, 5, 1, 2, true), relu(), pool_3_2(),
                       conv(192, 384, 3, 1, 1, true), relu(), conv(384, 256, 3, 1, 1, true), relu(),
                       conv(256, 256, 3, 1, 1, true), relu(), pool_3_2()));
    classifier_ =
        register_module("classifier", nn::Sequential(nn::Dropout(), nn::Linear(256 * 6 * 6, 4096),
                                                     relu(), nn::Dropout(), nn::Linear(4096, 4096),
                                                     relu(), nn::Linear(4096, 1000)));
  }

  Tensor forward(Tensor x) override {
    x = features_->forward(x);
    x = torch::adaptive_avg_pool2d(x, {6, 6});
    return classifier_->forward(x.flatten(1));
  }

 private:
  nn::Sequential features_{nullptr};
  nn::Sequential classifier_{nullptr};
};

// ---- ResNet-50 ----

class BottleneckImpl : public nn::Module {
 public:
  BottleneckImpl(int in, int planes, int stride) {
    conv1_ = register_module("conv1", conv(in, planes, 1, 1, 0, false));
    bn1_ = register_module("bn1", norm(planes));
    conv2_ = register_module("conv2", conv(planes, planes, 3, stride, 1, false));
    bn2_ = register_module("bn2", norm(planes));
    conv3_ = register_module("conv3", conv(planes, 4 * planes, 1, 1, 0, false));
    bn3_ = register_module("bn3", norm(4 * planes));
    if (stride != 1 || in != 4 * planes) {
      downsample_ = register_module(
          "downsample",
          nn::Sequential(conv(in, 4 * planes, 1, stride, 0, false), norm(4 * planes)));
    }
  }

  Tensor forward(Tensor x) {
    const Tensor shortcut = downsample_.is_empty() ? x : downsample_->forward(x);
    x = bn1_->forward(conv1_->forward(x)).relu_();
    x = bn2_->forward(conv2_->forward(x)).relu_();
    x = bn3_->forward(conv3_->forward(x));
    x += shortcut;
    return x.relu_();
  }

 private:
  nn::Conv2d conv1_{nullptr}, conv2_{nullptr}, conv3_{nullptr};
  nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr}, bn3_{nullptr};
  nn::Sequential downsample_{nullptr};
};
TORCH_MODULE(Bottleneck);

class ResNet50 final : public Network {
 public:
  ResNet50() {
    conv1_ = register_module("conv1", conv(3, 64, 7, 2, 3, false));
    bn1_ = register_module("bn1", norm(64));
    int in = 64;
    const auto stage = [&](int index, int blocks, int planes) {
      nn::Sequential layer;
      for (int block = 0; block < blocks; ++block) {
        layer->push_back(Bottleneck(in, planes, block == 0 && index > 1 ? 2 : 1));
        in = 4 * planes;
      }
      return register_module("layer" + std::to_string(index), layer);
    };
    layer1_ = stage(1, 3, 64);
    layer2_ = stage(2, 4, 128);
    layer3_ = stage(3, 6, 256);
    layer4_ = stage(4, 3, 512);
    fc_ = register_module("fc", nn::Linear(2048, 1000));
    initialize_convolutions_he(*this);
  }

  Tensor forward(Tensor x) override {
    x = bn1_->forward(conv1_->forward(x)).relu_();
    x = torch::max_pool2d(x, 3, 2, 1);
    x = layer1_->forward(x);
    x = layer2_->forward(x);
    x = layer3_->forward(x);
    x = layer4_->forward(x);
    x = torch::adaptive_avg_pool2d(x, {1, 1}).flatten(1);
    return fc_->forward(x);
  }

 private:
  nn::Conv2d conv1_{nullptr};
  nn::BatchNorm2d bn1_{nullptr};
  nn::Sequential layer1_{nullptr}, layer2_{nullptr}, layer3_{nullptr}, layer4_{nullptr};
  nn::Linear fc_{nullptr};
};

}  // namespace

NetworkPtr make_alexnet() {
  return std::make_shared<AlexNet>();
}
NetworkPtr make_resnet50() {
  return std::make_shared<ResNet50>();
}

}  // namespace ergo::workload
