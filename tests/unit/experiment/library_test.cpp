// The C interface used from C, and the documentation's examples, as programs of their own.

#include "monitored_node.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>

namespace ergo {
namespace {

using testing::MonitoredNode;

struct Ran {
  int status = -1;
  std::string output;
};

Ran run(const MonitoredNode& node, const std::string& program) {
  const std::string folder = node.folder().string();
  const std::string command =
      "env -u CUDA_VISIBLE_DEVICES ERGO_NVML=" ERGO_SIM_NVML " ERGO_SYSFS=" + folder +
      "/sys ERGO_SIM_STATE=" + folder + "/state '" + program + "' 2>&1";
  Ran ran;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 512> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr)
    ran.output += buffer.data();
  ran.status = ::pclose(pipe);
  return ran;
}

TEST(CInterface, DoesInCWhatItsHeaderSays) {
  MonitoredNode node("v100", false);
  const std::int64_t begin = node.node().now_ns();
  const Ran ran = run(node, ERGO_C_CHECKS);
  ASSERT_EQ(ran.status, 0) << ran.output;
  double low = 0.0;
  double joules = 0.0;
  double high = 0.0;
  ASSERT_EQ(std::sscanf(ran.output.c_str(), "%lf %lf %lf", &low, &joules, &high), 3) << ran.output;
  EXPECT_GT(low, 0.0);
  EXPECT_LE(low, joules);
  EXPECT_LE(joules, high);
  EXPECT_LT(low, node.truth(begin, node.node().now_ns())) << "a part costs less than the whole";
}

TEST(Documentation, TheCExampleRuns) {
  const MonitoredNode node("v100", false);
  const Ran ran = run(node, ERGO_C_EXAMPLE);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_NE(ran.output.find("gpu0 "), std::string::npos) << ran.output;
  EXPECT_NE(ran.output.find("measured in all "), std::string::npos) << ran.output;
}

TEST(Documentation, TheCppExampleRuns) {
  const MonitoredNode node("v100", false);
  const Ran ran = run(node, ERGO_CPP_EXAMPLE);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_NE(ran.output.find("training: "), std::string::npos) << ran.output;
  EXPECT_NE(ran.output.find("measured in all "), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace ergo
