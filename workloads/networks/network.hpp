#pragma once
// The networks of the built-in studies as LibTorch modules. Names of parameters and buffers are
// those of the published weights (torchvision, YOLOv5, Hugging Face), so that such files load
// unchanged. This header includes LibTorch: only the files of this folder use it (compile time).

#include <torch/nn.h>

#include <memory>

namespace ergo::workload {

using torch::Tensor;

/// A module of one input and one output. In evaluation mode forward() may be called from one
/// thread.
class Network : public torch::nn::Module {
 public:
  virtual Tensor forward(Tensor x) = 0;
};

using NetworkPtr = std::shared_ptr<Network>;

/// torchvision's AlexNet. Images [n, 3, s, s], s >= 63, to scores [n, 1000].
NetworkPtr make_alexnet();
/// torchvision's ResNet-50 v1.5 (stride in the 3x3 convolution). Images to scores [n, 1000].
NetworkPtr make_resnet50();
/// torchvision's ViT-B/16 for images of `size` pixels, a multiple of 16; the positional embedding
/// has (size/16)^2 + 1 rows, so the number of parameters is the published one at 224 only.
NetworkPtr make_vit_b_16(int size);
/// YOLOv5s v6/v7, batch normalisation not fused, with its Detect head: images [n, 3, s, s], s a
/// multiple of 32, to decoded boxes [n, 63 (s/32)^2, 85]: centre and size in pixels, objectness,
/// classes.
NetworkPtr make_yolov5s();

struct BertShape {
  int layers = 12;
  int hidden = 768;  ///< the feed-forward layers have four times as many
  int heads = 12;
};
/// BERT-base (uncased) with Hugging Face's sequence classifier of two labels. Token ids [n, tokens]
/// (int64, at most 512 tokens) to scores [n, 2]. All tokens are attended to.
NetworkPtr make_bert_classifier(const BertShape& shape);
/// BERT with two span heads without bias (Keras' SQuAD example). Input [n, 3, tokens]: ids, token
/// types, attention mask; output [n, 2, tokens]: scores of the start and of the end.
NetworkPtr make_bert_squad(const BertShape& shape);

/// gpyjoules' training benchmarks, initialised as Keras does (glorot_uniform, he_normal).
NetworkPtr make_mnist_cnn();
NetworkPtr make_mnist_dense();
NetworkPtr make_resnet32_cifar10();

/// Convolutions as He et al. (2015), normal, by fan-in; keeps activations at a realistic size
/// through many layers, which matters because the power of arithmetic units depends on the numbers.
void initialize_convolutions_he(torch::nn::Module& module);

}  // namespace ergo::workload
