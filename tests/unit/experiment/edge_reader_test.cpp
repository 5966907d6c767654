#include "experiment/edge_reader.hpp"

#include "unit/sampling/fake_sensor.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace ergo {
namespace {

class Edges : public ::testing::Test {
 protected:
  Edges() {
    sensor_.pace();
    sampler_->start();
    edges_.use(sampler_);
  }
  /// How many readings the edges of a window cause that begins a second from now.
  int readings(const std::string& name, Seconds length) {
    clock_.advance(Seconds(1));
    const int before = sensor_.at_edges();
    mark(MarkKind::begin, name);
    clock_.advance(length);
    mark(MarkKind::end, name);
    return sensor_.at_edges() - before;
  }
  void mark(MarkKind kind, const std::string& name) {
    MarkMessage message;
    message.kind = kind;
    message.name = name;
    message.time = clock_.now();
    edges_.at(message);
  }

  ManualClock clock_;
  Timeline timeline_;
  testing::FakeSensor sensor_{"a", testing::counting()};
  std::shared_ptr<Sampler> sampler_ = std::make_shared<Sampler>(
      std::vector<Sensor*>{&sensor_}, timeline_, clock_, SamplerOptions{});
  EdgeReader edges_;
};

TEST_F(Edges, LongWindowsAreReadAtBothTheirEdges) {
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(readings("epoch", Seconds(2)), 2);
}

TEST_F(Edges, WindowsThatWereShortBeforeAreReadAtNone) {
  EXPECT_EQ(readings("step", Seconds(0.2)), 2) << "nobody knows yet that it is short";
  EXPECT_EQ(readings("step", Seconds(0.2)), 0);
  EXPECT_EQ(readings("epoch", Seconds(2)), 2) << "another name is none the worse for it";
  EXPECT_EQ(readings("step", Seconds(2)), 1) << "at its end it is known that it was long";
  EXPECT_EQ(readings("step", Seconds(2)), 2);
}

TEST_F(Edges, AnEventIsNoEdge) {
  clock_.advance(Seconds(1));
  mark(MarkKind::event, "checkpoint");
  EXPECT_EQ(sensor_.at_edges(), 0);
}

TEST_F(Edges, AnEndedSamplerIsLeftAlone) {
  sampler_.reset();
  EXPECT_EQ(readings("epoch", Seconds(2)), 0);
}

TEST_F(Edges, EndlesslyManyNamesAreNotAllRemembered) {
  for (int i = 0; i < 10000; ++i)
    mark(MarkKind::begin, "window" + std::to_string(i));
  EXPECT_EQ(readings("epoch", Seconds(2)), 2);
}

}  // namespace
}  // namespace ergo
