#include "common/exit_code.hpp"
#include "ergo/core/clock.hpp"
#include "ergo/mark.hpp"
#include "networks/catalog.hpp"
#include "networks/keras_optimizers.hpp"
#include "networks/mac_counter.hpp"
#include "networks/run.hpp"
#include "networks/session.hpp"
#include "networks/training_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace ergo::workload {
namespace {

/// How gpyjoules trains a network.
struct TrainingRecipe {
  int epochs;
  int batch;
  std::int64_t samples;
  double learning_rate;
  bool adadelta;    ///< else Adam
  double l2 = 0.0;  ///< penalty on the squared weights of convolutions
};

TrainingRecipe recipe_of(const TrainingOptions& options) {
  TrainingRecipe recipe{5, 128, 60'000, 1e-3, true};  // mnist-cnn and mnist-dense
  if (options.network == "resnet32-cifar10") recipe = {3, 128, 50'000, 1e-3, false, 1e-4};
  if (options.network == "bert-squad") recipe = {3, 8, 88, 5e-5, false};  // 0.001 of SQuAD's 87,599
  if (options.epochs > 0) recipe.epochs = options.epochs;
  if (options.batch > 0) recipe.batch = options.batch;
  if (options.limit_samples > 0) recipe.samples = options.limit_samples;
  if (options.learning_rate) recipe.learning_rate = *options.learning_rate;
  return recipe;
}

Result<BertShape> bert_shape(const TrainingOptions& options) {
  BertShape shape;
  if (options.layers > 0) shape.layers = options.layers;
  if (options.hidden > 0) shape.hidden = options.hidden;
  if (shape.hidden % shape.heads != 0) {
    return Error{Errc::invalid_argument,
                 fmt::format("a width of {} does not divide among 12 heads", shape.hidden),
                 "give --hidden as a multiple of 12"};
  }
  return shape;
}

class Trainer {
 public:
  Trainer(Network& network, const TrainingData& data, const TrainingRecipe& recipe,
          const Session& session, bool mark_steps)
      : network_(network),
        data_(data),
        recipe_(recipe),
        session_(session),
        mark_steps_(mark_steps) {
    optimizer_ = recipe.adadelta ? make_adadelta(network.parameters(), recipe.learning_rate)
                                 : make_adam(network.parameters(), recipe.learning_rate);
  }

  EpochReport epoch() {
    const SystemClock clock;
    const std::int64_t samples = data_.samples();
    network_.train();
    session_.synchronize();
    const Instant begin = clock.now();
    const Mark window("epoch", samples);
    const auto whole = torch::TensorOptions(torch::kInt64).device(session_.device);
    const Tensor order = torch::randperm(samples, whole);
    // Sums stay on the device, so that no step waits for the one before.
    Tensor loss = torch::zeros({}, torch::TensorOptions(torch::kFloat64).device(session_.device));
    Tensor correct = loss.clone();
    for (std::int64_t at = 0; at < samples; at += recipe_.batch) {
      const std::int64_t count = std::min<std::int64_t>(recipe_.batch, samples - at);
      const StepResult result = step(order.slice(0, at, at + count), count);
      loss += result.loss.detach() * count;
      correct += result.correct;
    }
    EpochReport report;
    const auto n = static_cast<double>(samples);
    report.loss = loss.item<double>() / n;
    report.accuracy = correct.item<double>() / n;
    report.duration = clock.now() - begin;
    return report;
  }

 private:
  StepResult step(const Tensor& indices, std::int64_t count) {
    std::optional<Mark> window;
    if (mark_steps_) window.emplace("step", count);
    const TrainingBatch batch = data_.batch(indices);
    optimizer_->zero_grad();
    StepResult result = data_.judge(network_.forward(batch.input), batch.target);
    result.loss.backward();
    if (recipe_.l2 > 0) add_penalty();
    optimizer_->step();
    return result;
  }

  /// The gradient of l2 times the squared weights of convolutions; the loss is reported without it.
  void add_penalty() {
    torch::NoGradGuard no_grad;
    for (Tensor& parameter : network_.parameters()) {
      if (parameter.dim() == 4) parameter.mutable_grad().add_(parameter, 2 * recipe_.l2);
    }
  }

  Network& network_;
  const TrainingData& data_;
  TrainingRecipe recipe_;
  const Session& session_;
  bool mark_steps_;
  std::unique_ptr<KerasOptimizer> optimizer_;
};

NetworkFacts count_facts(Network& network, const TrainingData& data, const Session& session) {
  const torch::NoGradGuard no_grad;
  network.eval();
  NetworkFacts facts = facts_of(network);
  const Tensor input =
      data.batch(torch::zeros({1}, torch::TensorOptions(torch::kInt64).device(session.device)))
          .input;
  const MacCounter counter;
  facts.output_shape = network.forward(input).sizes().slice(1).vec();
  facts.multiply_adds = counter.total();
  return facts;
}

Result<TrainingReport> train(const TrainingOptions& options) {
  const Result<CatalogEntry> entry = find_network(options.network);
  if (!entry) return entry.error();
  const Result<int> size = checked_size(*entry, options.size);
  if (!size) return size.error();
  const Result<BertShape> shape = bert_shape(options);
  if (!shape) return shape.error();
  if (options.execution.dtype != "fp32" && options.execution.dtype != "tf32") {
    return Error{Errc::not_supported,
                 fmt::format("training in {} is not offered", options.execution.dtype),
                 "use --dtype fp32 or tf32"};
  }
  const Result<Session> session = begin_session(options.execution);
  if (!session) return session.error();

  const TrainingRecipe recipe = recipe_of(options);
  const auto data = load_training_data(options, recipe.samples, *size, *session);
  if (!data) return data.error();
  const NetworkPtr network = make_network(entry->name, *size, *shape);
  place(*network, *session, options.execution.channels_last);

  TrainingReport report;
  report.facts = count_facts(*network, **data, *session);
  report.device = session->description;
  report.data = (*data)->source();
  report.samples = (*data)->samples();
  report.batch = recipe.batch;
  Trainer trainer(*network, **data, recipe, *session, options.mark_steps);
  for (int i = 0; i < recipe.epochs; ++i)
    report.epochs.push_back(trainer.epoch());
  return report;
}

}  // namespace

Result<TrainingReport> run_training(const TrainingOptions& options) {
  return guarded<TrainingReport>(options.network, [&] { return train(options); });
}

}  // namespace ergo::workload
