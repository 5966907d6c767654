#include "common/run_record.hpp"

#include "common/exit_code.hpp"
#include "ergo/core/files.hpp"

#include <gtest/gtest.h>

namespace ergo::workload {
namespace {

TEST(RunRecord, LatenciesAreOneALineAndReadBackExactly) {
  const auto folder = TemporaryFolder::create("ergo-latency");
  const std::vector<Seconds> latencies{Seconds(0.1), Seconds(1.0 / 3.0), Seconds(2e-6)};
  ASSERT_TRUE(write_latencies(folder->path(), latencies).ok());
  EXPECT_EQ(*read_text(folder->path() / "latency.csv"), "0.1\n0.3333333333333333\n2e-06\n");
}

TEST(RunRecord, AFolderThatIsNotThereIsAnError) {
  EXPECT_FALSE(write_latencies("/nonexistent/folder", {Seconds(1)}).ok());
}

TEST(RunRecord, QuantilesInterpolateBetweenNeighbours) {
  const std::vector<Seconds> latencies{Seconds(4), Seconds(1), Seconds(3), Seconds(2)};
  EXPECT_DOUBLE_EQ(quantile(latencies, 0.5).value(), 2.5);
  EXPECT_DOUBLE_EQ(quantile(latencies, 0.0).value(), 1.0);
  EXPECT_DOUBLE_EQ(quantile(latencies, 1.0).value(), 4.0);
  EXPECT_DOUBLE_EQ(quantile({Seconds(7)}, 0.95).value(), 7.0);
}

TEST(RunRecord, NumbersAreWrittenForPeople) {
  EXPECT_EQ(with_commas(61100840), "61,100,840");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(-1234), "-1,234");
  EXPECT_EQ(readable(Seconds(0.01234)), "12.3 ms");
  EXPECT_EQ(readable_rate(4.712e9), "4.71 G");
  EXPECT_EQ(readable_rate(999.9), "1 k");
}

TEST(ExitCode, OnlyMemoryMakesAStudySkipTheCell) {
  EXPECT_EQ(exit_code_of(out_of_memory("x")), exit_too_large);
  EXPECT_EQ(exit_code_of(Error{Errc::not_supported, "", ""}), exit_refused);
  EXPECT_EQ(exit_code_of(Error{Errc::invalid_argument, "", ""}), exit_refused);
  EXPECT_EQ(exit_code_of(Error{Errc::corrupt, "", ""}), exit_failed);
  EXPECT_EQ(exit_code_of(Error{Errc::lost, "", ""}), exit_failed);
}

}  // namespace
}  // namespace ergo::workload
