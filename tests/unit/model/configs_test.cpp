#include "model/configs.hpp"

#include "ergo/model/predict.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

namespace ergo {
namespace {

Curve curve_of(const std::string& workload, const std::string& config) {
  Curve curve;
  curve.gpu = "g";
  curve.workload = workload;
  curve.config = config;
  return curve;
}

class Configs : public ::testing::Test {
 protected:
  [[nodiscard]] double close(const std::string& a, const std::string& b) const {
    const ConfigSpace space({&small_, &middle_, &large_, &other_});
    return closeness(space.place(a), space.place(b));
  }

 private:
  Curve small_ = curve_of("net", "bs8-adam");
  Curve middle_ = curve_of("net", "bs64-adam");
  Curve large_ = curve_of("net", "bs512-adam");
  Curve other_ = curve_of("other", "bs1000000");
};

TEST_F(Configs, AreCloserTheNearerTheRatioOfTheirNumbersIsToOne) {
  EXPECT_EQ(close("bs64-adam", "bs64-sgd"), 1.0);
  EXPECT_GT(close("bs64", "bs96"), close("bs64", "bs128"));
  EXPECT_NEAR(close("bs64", "bs128"), close("bs64", "bs32"), 1e-12);
  EXPECT_LT(close("bs8", "bs512"), 0.01);
}

TEST_F(Configs, WithoutANumberInCommonCannotBeToldApart) {
  EXPECT_EQ(close("ollama", "tgi"), 1.0);
  EXPECT_EQ(close("bs64", "seq64"), 1.0);
  EXPECT_EQ(close("bs0", "bs64"), 1.0);
  EXPECT_EQ(close("", ""), 1.0);
}

TEST(ConfigsOfEveryKind, ANumberThatDiffersInNoWorkloadTellsNothing) {
  const Curve a = curve_of("net", "fp16 bs8");
  const Curve b = curve_of("net", "fp16 bs64");
  const ConfigSpace space({&a, &b});
  EXPECT_EQ(closeness(space.place("fp16 bs8"), space.place("fp32 bs8")), 1.0);
}

TEST(ConfigsOfEveryKind, NamesMayBeJoinedToTheirNumbersInAnyUsualWay) {
  const Curve a = curve_of("net", "bs=8, lr=0.1");
  const Curve b = curve_of("net", "bs=64, lr=0.001");
  const ConfigSpace space({&a, &b});
  for (const char* label : {"bs=8, lr=0.1", "bs8-lr0.1", "bs_8/lr_0.1", "bs 8 lr 0.1"}) {
    const ConfigPlace place = space.place(label);
    ASSERT_EQ(place.size(), 2U) << label;
    EXPECT_EQ(place, space.place("bs=8, lr=0.1")) << label;
  }
}

/// Three limits, slower under the lower ones the larger the batch is.
void add(std::vector<Curve>& curves, const std::string& workload, int batch) {
  Curve curve = curve_of(workload, "bs" + std::to_string(batch));
  for (double limit : {100.0, 150.0, 200.0, 250.0}) {
    const double slower = std::log(250.0 / limit) * 0.1 * std::log2(batch);
    curve.points.push_back({limit, slower, std::log(0.9 * limit)});
  }
  curves.push_back(curve);
}

std::vector<Curve> two_networks() {
  std::vector<Curve> curves;
  for (int batch : {2, 4, 8, 16, 32, 64, 128, 256}) {
    add(curves, "net", batch);
    add(curves, "other", batch);
  }
  return curves;
}

Target probed_under_the_default(const Curve& curve) {
  Target target;
  target.probes = curve;
  target.probes.points = {curve.points.back()};
  target.limits = {100.0};
  target.range = {100.0, 250.0};
  return target;
}

TEST(ConfigsOfEveryKind, AnUnmeasuredBatchIsPredictedFromTheBatchesNextToIt) {
  const std::vector<Curve> curves = two_networks();
  for (const std::string method : {"nearest", "gp", "ergo"}) {
    for (const Curve& hidden : curves) {
      if (hidden.config != "bs4" && hidden.config != "bs128") continue;
      Training train;
      for (const Curve& c : curves) {
        if (&c != &hidden) train.push_back(&c);
      }
      const auto made = make_method(method);
      ASSERT_TRUE(made);
      (*made)->fit(train);
      const auto predicted = predict_curve(**made, probed_under_the_default(hidden));
      EXPECT_NEAR(predicted[0].log_time, hidden.points.front().log_time, 0.12)
          << method << " " << hidden.config;
    }
  }
}

TEST(ConfigsOfEveryKind, APredictionDoesNotDependOnWhatWasAskedBefore) {
  const std::vector<Curve> curves = two_networks();
  Training train;
  std::vector<Target> targets;
  for (const Curve& c : curves) {
    if (c.config == "bs4" || c.config == "bs128") {
      targets.push_back(probed_under_the_default(c));
    } else {
      train.push_back(&c);
    }
  }
  for (const std::string method : {"physical", "nearest", "gp", "ergo"}) {
    const auto asked_all = make_method(method);
    ASSERT_TRUE(asked_all);
    (*asked_all)->fit(train);
    for (const Target& target : targets) {
      const auto fresh = make_method(method);
      (*fresh)->fit(train);
      const Prediction a = predict_curve(**asked_all, target).front();
      const Prediction b = predict_curve(**fresh, target).front();
      EXPECT_EQ(a.log_time, b.log_time) << method << " " << target.probes.config;
      EXPECT_EQ(a.var_time, b.var_time) << method << " " << target.probes.config;
      EXPECT_EQ(a.tail_time, b.tail_time) << method << " " << target.probes.config;
    }
  }
}

}  // namespace
}  // namespace ergo
