#include "ergo/experiment/latency.hpp"

#include "ergo/core/files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Latency, OneNumberPerLineInAnyNotation) {
  EXPECT_THAT(*parse_latencies("1.5e-03\n0.002\n\n"), ElementsAre(0.0015, 0.002));
}

TEST(Latency, AHeaderIsRefusedWithItsLine) {
  const auto values = parse_latencies("latency\n0.1\n");
  ASSERT_FALSE(values.ok());
  EXPECT_THAT(values.error().message, HasSubstr("line 1"));
  EXPECT_FALSE(parse_latencies("0.1\n-0.1\n").ok());
}

TEST(Latency, AProgramThatLeavesNoFileHasNoLatencies) {
  const auto folder = TemporaryFolder::create("ergo-test");
  EXPECT_TRUE(read_latencies(folder->path())->empty());
  EXPECT_FALSE(summarize_latencies({}));
}

TEST(Latency, PercentilesAreThoseOfTheValues) {
  std::vector<double> v;
  for (int i = 1; i <= 101; ++i)
    v.push_back(i);
  const auto s = summarize_latencies(v);
  EXPECT_DOUBLE_EQ(s->median.value(), 51);
  EXPECT_DOUBLE_EQ(s->p95.value(), 96);
  EXPECT_DOUBLE_EQ(s->p99.value(), 100);
}

}  // namespace
}  // namespace ergo
