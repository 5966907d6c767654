#include "networks/catalog.hpp"

#include <fmt/format.h>

namespace ergo::workload {

const std::vector<CatalogEntry>& catalog() {
  using enum NetworkUse;
  static const std::vector<CatalogEntry> entries{
      {"alexnet", inference, "AlexNet, 1000 classes", "pixels", 224, 63, 1, 0},
      {"resnet50", inference, "ResNet-50 v1.5, 1000 classes", "pixels", 224, 1, 1, 0},
      {"vit_b_16", inference, "ViT-B/16, 1000 classes", "pixels", 224, 16, 16, 0},
      {"yolov5s", inference, "YOLOv5s with its Detect head", "pixels", 640, 32, 32, 0},
      {"bert", inference, "BERT-base uncased, classifier of two labels", "tokens", 128, 2, 1, 512},
      {"mnist-cnn", training, "two convolutions on MNIST, Adadelta", "pixels", 28, 28, 1, 28},
      {"mnist-dense", training, "ten dense layers of 2048 on MNIST, Adadelta", "pixels", 28, 28, 1,
       28},
      {"resnet32-cifar10", training, "ResNet-32 v1 on CIFAR-10, Adam", "pixels", 32, 32, 1, 32},
      {"bert-squad", training, "BERT-base with span heads on SQuAD v1.1, Adam", "tokens", 384, 8, 1,
       512},
  };
  return entries;
}

Result<CatalogEntry> find_network(std::string_view name) {
  std::string names;
  for (const CatalogEntry& entry : catalog()) {
    if (entry.name == name) return entry;
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return Error{Errc::invalid_argument, fmt::format("there is no network named \"{}\"", name),
               "choose one of " + names};
}

Result<int> checked_size(const CatalogEntry& entry, int size) {
  if (size == 0) return entry.usual_size;
  if (size >= entry.smallest && size % entry.multiple_of == 0 &&
      (entry.largest == 0 || size <= entry.largest)) {
    return size;
  }
  std::string rule = fmt::format("{} takes sizes from {}", entry.name, entry.smallest);
  if (entry.largest > 0) rule += fmt::format(" to {}", entry.largest);
  rule += fmt::format(" {}", entry.unit);
  if (entry.multiple_of > 1) rule += fmt::format(", multiples of {}", entry.multiple_of);
  return Error{Errc::invalid_argument, fmt::format("size {} does not suit {}", size, entry.name),
               rule};
}

}  // namespace ergo::workload
