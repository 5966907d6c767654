#include "networks/network.hpp"

#include <array>
#include <string>
#include <vector>

// Layer numbers and names are those of yolov5s.yaml, so that published weights load unchanged.

namespace ergo::workload {
namespace {

namespace nn = torch::nn;

/// Convolution, batch normalisation, SiLU.
class YoloConvImpl : public nn::Module {
 public:
  YoloConvImpl(int in, int out, int kernel = 1, int stride = 1, int padding = -1) {
    if (padding < 0) padding = kernel / 2;
    conv_ = register_module(
        "conv",
        nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding).bias(false)));
    bn_ = register_module("bn", nn::BatchNorm2d(nn::BatchNorm2dOptions(out).eps(1e-3)));
  }
  Tensor forward(const Tensor& x) {
    Tensor y = bn_->forward(conv_->forward(x));
    return torch::silu_(y);
  }

 private:
  nn::Conv2d conv_{nullptr};
  nn::BatchNorm2d bn_{nullptr};
};
TORCH_MODULE(YoloConv);

class YoloBottleneckImpl : public nn::Module {
 public:
  YoloBottleneckImpl(int channels, bool shortcut) : shortcut_(shortcut) {
    cv1_ = register_module("cv1", YoloConv(channels, channels, 1));
    cv2_ = register_module("cv2", YoloConv(channels, channels, 3));
  }
  Tensor forward(const Tensor& x) {
    Tensor y = cv2_->forward(cv1_->forward(x));
    return shortcut_ ? x + y : y;
  }

 private:
  bool shortcut_;
  YoloConv cv1_{nullptr}, cv2_{nullptr};
};
TORCH_MODULE(YoloBottleneck);

/// CSP bottleneck with three convolutions.
class C3Impl : public nn::Module {
 public:
  C3Impl(int in, int out, int repeats, bool shortcut) {
    const int half = out / 2;
    cv1_ = register_module("cv1", YoloConv(in, half));
    cv2_ = register_module("cv2", YoloConv(in, half));
    cv3_ = register_module("cv3", YoloConv(2 * half, out));
    for (int i = 0; i < repeats; ++i)
      m_->push_back(YoloBottleneck(half, shortcut));
    register_module("m", m_);
  }
  Tensor forward(const Tensor& x) {
    return cv3_->forward(torch::cat({m_->forward(cv1_->forward(x)), cv2_->forward(x)}, 1));
  }

 private:
  YoloConv cv1_{nullptr}, cv2_{nullptr}, cv3_{nullptr};
  nn::Sequential m_;
};
TORCH_MODULE(C3);

/// Spatial pyramid pooling, the fast form: three 5x5 maxima in a row.
class SppfImpl : public nn::Module {
 public:
  SppfImpl(int in, int out) {
    cv1_ = register_module("cv1", YoloConv(in, in / 2));
    cv2_ = register_module("cv2", YoloConv(in * 2, out));
  }
  Tensor forward(const Tensor& x) {
    const Tensor a = cv1_->forward(x);
    const Tensor b = torch::max_pool2d(a, 5, 1, 2);
    const Tensor c = torch::max_pool2d(b, 5, 1, 2);
    return cv2_->forward(torch::cat({a, b, c, torch::max_pool2d(c, 5, 1, 2)}, 1));
  }

 private:
  YoloConv cv1_{nullptr}, cv2_{nullptr};
};
TORCH_MODULE(Sppf);

constexpr int anchors = 3;
constexpr int outputs = 85;  // x, y, width, height, objectness, 80 classes
constexpr std::array<double, 3> strides{8, 16, 32};
constexpr std::array<std::array<double, 6>, 3> anchor_sizes{
    {{10, 13, 16, 30, 33, 23}, {30, 61, 62, 45, 59, 119}, {116, 90, 156, 198, 373, 326}}};

/// 1x1 convolutions to raw predictions, and their decoding into boxes (models/yolo.py of YOLOv5
/// v7).
class DetectImpl : public nn::Module {
 public:
  explicit DetectImpl(const std::array<int, 3>& channels) {
    nn::ModuleList convolutions;
    for (int in : channels) {
      convolutions->push_back(nn::Conv2d(nn::Conv2dOptions(in, anchors * outputs, 1)));
    }
    m_ = register_module("m", convolutions);
  }

  Tensor forward(const std::array<Tensor, 3>& levels) {
    std::vector<Tensor> boxes;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const Tensor raw = m_->at<nn::Conv2dImpl>(i).forward(levels[i]);
      boxes.push_back(decode(raw, i));
    }
    return torch::cat(boxes, 1);
  }

 private:
  Tensor decode(const Tensor& raw, std::size_t level) {
    const auto n = raw.size(0), height = raw.size(2), width = raw.size(3);
    const Tensor y = raw.view({n, anchors, outputs, height, width})
                         .permute({0, 1, 3, 4, 2})
                         .contiguous()
                         .sigmoid();
    prepare(raw, level);
    const Tensor center = (y.slice(4, 0, 2) * 2 + grid_[level]) * strides[level];
    const Tensor size = (y.slice(4, 2, 4) * 2).pow(2) * anchor_[level];
    return torch::cat({center, size, y.slice(4, 4)}, 4)
        .view({n, anchors * height * width, outputs});
  }

  /// Grid and anchors of this level, kept between calls of the same size as the original does.
  void prepare(const Tensor& raw, std::size_t level) {
    const auto height = raw.size(2), width = raw.size(3);
    Tensor& grid = grid_[level];
    if (grid.defined() && grid.size(2) == height && grid.size(3) == width &&
        grid.options().device() == raw.options().device() && grid.dtype() == raw.dtype()) {
      return;
    }
    const auto rows = torch::arange(height, raw.options());
    const auto columns = torch::arange(width, raw.options());
    grid = torch::stack({columns.view({1, width}).expand({height, width}),
                         rows.view({height, 1}).expand({height, width})},
                        2)
               .view({1, 1, height, width, 2}) -
           0.5;
    const auto& sizes = anchor_sizes[level];
    anchor_[level] = torch::tensor(std::vector<double>(sizes.begin(), sizes.end()), raw.options())
                         .view({1, anchors, 1, 1, 2});
  }

  nn::ModuleList m_{nullptr};
  std::array<Tensor, 3> grid_;
  std::array<Tensor, 3> anchor_;
};
TORCH_MODULE(Detect);

class YoloV5s final : public Network {
 public:
  YoloV5s() {
    c0_ = add(0, YoloConv(3, 32, 6, 2, 2));
    c1_ = add(1, YoloConv(32, 64, 3, 2));
    c2_ = add(2, C3(64, 64, 1, true));
    c3_ = add(3, YoloConv(64, 128, 3, 2));
    c4_ = add(4, C3(128, 128, 2, true));
    c5_ = add(5, YoloConv(128, 256, 3, 2));
    c6_ = add(6, C3(256, 256, 3, true));
    c7_ = add(7, YoloConv(256, 512, 3, 2));
    c8_ = add(8, C3(512, 512, 1, true));
    c9_ = add(9, Sppf(512, 512));
    c10_ = add(10, YoloConv(512, 256, 1));
    c13_ = add(13, C3(512, 256, 1, false));
    c14_ = add(14, YoloConv(256, 128, 1));
    c17_ = add(17, C3(256, 128, 1, false));
    c18_ = add(18, YoloConv(128, 128, 3, 2));
    c20_ = add(20, C3(256, 256, 1, false));
    c21_ = add(21, YoloConv(256, 256, 3, 2));
    c23_ = add(23, C3(512, 512, 1, false));
    detect_ = add(24, Detect(std::array<int, 3>{128, 256, 512}));
    register_module("model", layers_);
    initialize_convolutions_he(*this);
  }

  Tensor forward(Tensor x) override {
    x = c2_->forward(c1_->forward(c0_->forward(x)));
    const Tensor p3 = c4_->forward(c3_->forward(x));
    const Tensor p4 = c6_->forward(c5_->forward(p3));
    x = c9_->forward(c8_->forward(c7_->forward(p4)));
    const Tensor top = c10_->forward(x);
    x = c13_->forward(torch::cat({doubled(top), p4}, 1));
    const Tensor middle = c14_->forward(x);
    const Tensor small = c17_->forward(torch::cat({doubled(middle), p3}, 1));
    const Tensor medium = c20_->forward(torch::cat({c18_->forward(small), middle}, 1));
    const Tensor large = c23_->forward(torch::cat({c21_->forward(medium), top}, 1));
    return detect_->forward({small, medium, large});
  }

 private:
  /// A plain container: its children carry the numbers of the layers.
  struct Layers : nn::Module {};

  template <class Holder>
  Holder add(int number, Holder layer) {
    return layers_->register_module(std::to_string(number), layer);
  }

  static Tensor doubled(const Tensor& x) {
    return torch::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
  }

  std::shared_ptr<Layers> layers_ = std::make_shared<Layers>();
  YoloConv c0_{nullptr}, c1_{nullptr}, c3_{nullptr}, c5_{nullptr}, c7_{nullptr}, c10_{nullptr};
  YoloConv c14_{nullptr}, c18_{nullptr}, c21_{nullptr};
  C3 c2_{nullptr}, c4_{nullptr}, c6_{nullptr}, c8_{nullptr}, c13_{nullptr}, c17_{nullptr};
  C3 c20_{nullptr}, c23_{nullptr};
  Sppf c9_{nullptr};
  Detect detect_{nullptr};
};

}  // namespace

NetworkPtr make_yolov5s() {
  return std::make_shared<YoloV5s>();
}

}  // namespace ergo::workload
