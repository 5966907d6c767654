#include "common/exit_code.hpp"
#include "networks/run.hpp"

#include <gtest/gtest.h>

// These tests use small sizes where they run a network, and the published size where they count.

namespace ergo::workload {
namespace {

struct Published {
  const char* network;
  int size;
  std::int64_t parameters;
  std::int64_t batch_norm_statistics;
  std::int64_t multiply_adds;
};
void PrintTo(const Published& published, std::ostream* out) {
  *out << published.network;
}

class NetworkFactsTest : public testing::TestWithParam<Published> {};

TEST_P(NetworkFactsTest, AreThePublishedOnes) {
  const Published& published = GetParam();
  const auto facts = network_facts(published.network, published.size);
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts->parameters, published.parameters);
  EXPECT_EQ(facts->batch_norm_statistics, published.batch_norm_statistics);
  EXPECT_EQ(facts->multiply_adds, published.multiply_adds);
}

constexpr std::int64_t bert_macs(std::int64_t n) {
  constexpr std::int64_t d = 768;
  return 12 * (n * (4 * d * d + 2 * d * 3072) + 2 * n * n * d) + d * d + 2 * d;
}
static_assert(bert_macs(512) == 48'318'973'440);

// torchvision's documentation (parameters and _ops), YOLOv5's release table, Hugging Face's BERT,
// and for the training networks what Keras' summary() prints: 470,218 for ResNet-32 is its 467,946
// and its 2,272.
INSTANTIATE_TEST_SUITE_P(
    All, NetworkFactsTest,
    testing::Values(
        Published{"alexnet", 224, 61'100'840, 0, 714'188'480},
        Published{"resnet50", 224, 25'557'032, 53'120, 4'089'184'256},
        Published{"vit_b_16", 224, 86'567'656, 0, 17'563'828'224},
        Published{"yolov5s", 640, 7'235'389, 2 * 9'504, 8'216'780'800},
        Published{"bert", 50, 109'483'778, 0, bert_macs(50)},
        Published{"mnist-cnn", 28, 1'199'882, 0, 11'992'448},
        Published{"mnist-dense", 28, 39'395'338, 0, 39'374'848},
        Published{"resnet32-cifar10", 32, 467'946, 470'218 - 467'946, 69'124'736},
        // Encoder, pooler and embeddings of BERT-base, and two heads of 768 without bias.
        Published{"bert-squad", 64, 109'482'240 + 2 * 768, 0,
                  bert_macs(64) - 768 * 768 - 2 * 768 + 64 * 2 * 768}),
    [](const auto& info) {
      std::string name = info.param.network;
      for (char& c : name)
        c = c == '-' ? '_' : c;
      return name;
    });

TEST(NetworkFacts, WorkGrowsWithTheSizeAndParametersDoNot) {
  const auto small = network_facts("yolov5s", 64), large = network_facts("yolov5s", 128);
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_EQ(large->multiply_adds, 4 * small->multiply_adds);
  EXPECT_EQ(large->parameters, small->parameters);
  EXPECT_EQ(large->output_shape, (std::vector<std::int64_t>{63 * 16, 85}));
}

TEST(NetworkFacts, PositionsOfViTFollowTheImage) {
  const auto facts = network_facts("vit_b_16", 32);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->parameters, 86'567'656 - (197 - 5) * 768);
}

InferenceOptions small_alexnet() {
  InferenceOptions options;
  options.network = "alexnet";
  options.size = 63;
  options.iterations = 4;
  options.warmup = 1;
  options.execution.threads = 1;
  return options;
}

TEST(Inference, ReportsOneLatencyForEachBatch) {
  InferenceOptions options = small_alexnet();
  options.batch = 2;
  const auto report = run_inference(options);
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->latencies.size(), 4u);
  EXPECT_EQ(report->facts.parameters, 61'100'840);
  Seconds sum;
  for (Seconds latency : report->latencies) {
    EXPECT_GT(latency.value(), 0.0);
    sum += latency;
  }
  EXPECT_LE(sum.value(), report->duration.value() + 1e-9);
}

TEST(Inference, MultiplyAddsAreOfOneSampleWhateverTheBatch) {
  InferenceOptions options = small_alexnet();
  const auto one = run_inference(options);
  options.batch = 3;
  const auto three = run_inference(options);
  ASSERT_TRUE(one.ok() && three.ok());
  EXPECT_EQ(one->facts.multiply_adds, three->facts.multiply_adds);
}

TEST(Inference, FormatsThatTheDeviceLacksAreRefusedAsSuch) {
  InferenceOptions options = small_alexnet();
  const auto refusal = [&](const char* device, const char* dtype) {
    options.execution.device = device;
    options.execution.dtype = dtype;
    const auto report = run_inference(options);
    return report.ok() ? Errc::canceled : report.error().code;
  };
  EXPECT_EQ(refusal("cpu", "tf32"), Errc::not_supported);
  EXPECT_EQ(refusal("cpu", "fp8"), Errc::invalid_argument);
  EXPECT_EQ(refusal("gpu", "fp32"), Errc::invalid_argument);
  EXPECT_EQ(refusal("cuda:x", "fp32"), Errc::invalid_argument);
}

TEST(Inference, ChannelsLastAndBfloat16Run) {
  InferenceOptions options = small_alexnet();
  options.execution.channels_last = true;
  EXPECT_TRUE(run_inference(options).ok());
  options.execution.dtype = "bf16";
  const auto report = run_inference(options);
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_NE(report->device.find("bf16"), std::string::npos);
}

TrainingOptions training(const char* network, std::int64_t samples, int batch, double rate) {
  TrainingOptions options;
  options.network = network;
  options.limit_samples = samples;
  options.batch = batch;
  options.learning_rate = rate;
  options.epochs = 3;
  return options;
}

/// The loss of every epoch is below that of the one before, and the last below `part` of the first.
void expect_learning(const TrainingOptions& options, double part) {
  const auto report = run_training(options);
  ASSERT_TRUE(report.ok()) << report.error().text();
  ASSERT_EQ(report->epochs.size(), static_cast<std::size_t>(options.epochs));
  EXPECT_EQ(report->samples, options.limit_samples);
  EXPECT_EQ(report->data.substr(0, 10), "synthetic:");
  for (std::size_t i = 1; i < report->epochs.size(); ++i) {
    EXPECT_LT(report->epochs[i].loss, report->epochs[i - 1].loss) << "epoch " << i + 1;
  }
  EXPECT_LT(report->epochs.back().loss, part * report->epochs.front().loss);
  EXPECT_GT(report->epochs.back().accuracy, report->epochs.front().accuracy);
}

TEST(Training, MnistCnnLearnsSyntheticDigits) {
  expect_learning(training("mnist-cnn", 256, 32, 1.0), 0.7);
}

TEST(Training, MnistDenseLearnsSyntheticDigits) {
  // Ten layers of 2048 learn slowly: Keras' initial weights halve the signal in each of them.
  TrainingOptions options = training("mnist-dense", 64, 16, 0.1);
  expect_learning(options, 0.96);
}

TEST(Training, ResNet32LearnsSyntheticPictures) {
  expect_learning(training("resnet32-cifar10", 64, 16, 1e-3), 0.7);
}

TEST(Training, BertLearnsToFindMarkedAnswers) {
  TrainingOptions options = training("bert-squad", 64, 8, 1e-3);
  options.layers = 2;
  options.hidden = 96;
  options.size = 24;
  expect_learning(options, 0.7);
}

TEST(Training, KerasRatesAreTheDefaultAndALastSmallBatchCounts) {
  TrainingOptions options = training("mnist-cnn", 70, 32, 1.0);
  options.learning_rate.reset();
  options.epochs = 1;
  options.mark_steps = true;
  const auto report = run_training(options);
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->samples, 70);
  EXPECT_NEAR(report->epochs[0].loss, 2.3,
              0.3);  // at 0.001 three steps of Adadelta learn nothing yet
}

TEST(Training, ImpossibleRequestsAreRefused) {
  TrainingOptions options = training("bert-squad", 8, 8, 1e-3);
  options.hidden = 100;
  EXPECT_EQ(run_training(options).error().code, Errc::invalid_argument);
  options = training("mnist-cnn", 8, 8, 1.0);
  options.execution.dtype = "bf16";
  EXPECT_EQ(run_training(options).error().code, Errc::not_supported);
  options.execution.dtype = "fp32";
  options.data = "/nonexistent";
  EXPECT_EQ(run_training(options).error().code, Errc::not_found);
}

}  // namespace
}  // namespace ergo::workload
