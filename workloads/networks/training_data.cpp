#include "networks/training_data.hpp"

#include "data/images.hpp"
#include "data/spans.hpp"

#include <utility>
#include <vector>

namespace ergo::workload {
namespace {

class ImageTrainingData final : public TrainingData {
 public:
  /// `subtract_mean`: of each pixel over the data, as Keras' CIFAR-10 example does.
  ImageTrainingData(ImageDataset data, bool subtract_mean, const Session& session)
      : source_(std::move(data.source)) {
    const auto count = static_cast<std::int64_t>(data.count());
    pixels_ = torch::from_blob(data.pixels.data(), {count, data.channels, data.height, data.width},
                               torch::kUInt8)
                  .to(session.device, torch::kUInt8, false, true);
    labels_ = torch::from_blob(data.labels.data(), {count}, torch::kUInt8)
                  .to(session.device, torch::kInt64);
    if (subtract_mean) mean_ = pixels_.to(torch::kFloat32).mean(0) / 255;
  }

  [[nodiscard]] std::int64_t samples() const override { return labels_.size(0); }
  [[nodiscard]] const std::string& source() const override { return source_; }

  [[nodiscard]] TrainingBatch batch(const Tensor& indices) const override {
    Tensor images = pixels_.index_select(0, indices).to(torch::kFloat32) / 255;
    if (mean_.defined()) images -= mean_;
    return {images, labels_.index_select(0, indices)};
  }

  [[nodiscard]] StepResult judge(const Tensor& output, const Tensor& target) const override {
    return {torch::cross_entropy_loss(output, target), (output.detach().argmax(1) == target).sum()};
  }

 private:
  std::string source_;
  Tensor pixels_, labels_, mean_;
};

class SpanTrainingData final : public TrainingData {
 public:
  SpanTrainingData(SpanDataset data, const Session& session) : source_(std::move(data.source)) {
    const auto count = static_cast<std::int64_t>(data.count());
    const auto whole = [&](std::vector<std::int32_t>& values, std::vector<std::int64_t> shape) {
      return torch::from_blob(values.data(), shape, torch::kInt32)
          .to(session.device, torch::kInt64);
    };
    const std::vector<std::int64_t> grid{count, data.tokens};
    input_ =
        torch::stack({whole(data.ids, grid), whole(data.types, grid), whole(data.mask, grid)}, 1);
    target_ = torch::stack({whole(data.start, {count}), whole(data.end, {count})}, 1);
  }

  [[nodiscard]] std::int64_t samples() const override { return target_.size(0); }
  [[nodiscard]] const std::string& source() const override { return source_; }

  [[nodiscard]] TrainingBatch batch(const Tensor& indices) const override {
    return {input_.index_select(0, indices), target_.index_select(0, indices)};
  }

  /// The sum of both ends' losses, as Keras adds the losses of two outputs.
  [[nodiscard]] StepResult judge(const Tensor& output, const Tensor& target) const override {
    const auto end_loss = [&](std::int64_t which) {
      return torch::cross_entropy_loss(output.select(1, which), target.select(1, which));
    };
    const Tensor hits = (output.detach().argmax(2) == target).sum();
    return {end_loss(0) + end_loss(1), hits.to(torch::kFloat32) / 2};
  }

 private:
  std::string source_;
  Tensor input_, target_;
};

}  // namespace

Result<std::unique_ptr<TrainingData>> load_training_data(const TrainingOptions& options,
                                                         std::int64_t limit, int tokens,
                                                         const Session& session) {
  const auto count = static_cast<std::size_t>(limit);
  const std::uint64_t seed = options.execution.seed;
  const bool synthetic = options.data.empty();
  if (options.network == "bert-squad") {
    Result<SpanDataset> data =
        synthetic ? synthetic_spans(tokens, count, seed) : read_squad(options.data, tokens, count);
    if (!data) return data.error();
    return std::unique_ptr<TrainingData>(
        std::make_unique<SpanTrainingData>(std::move(data).value(), session));
  }
  const bool cifar = options.network == "resnet32-cifar10";
  Result<ImageDataset> data = synthetic
                                  ? synthetic_images(cifar ? 3 : 1, cifar ? 32 : 28, count, seed)
                              : cifar ? read_cifar10(options.data, count)
                                      : read_mnist(options.data, count);
  if (!data) return data.error();
  return std::unique_ptr<TrainingData>(
      std::make_unique<ImageTrainingData>(std::move(data).value(), cifar, session));
}

}  // namespace ergo::workload
