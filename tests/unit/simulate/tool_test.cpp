// The program ergo-sim from outside.
#include "simulated_node.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

namespace ergo::sim {
namespace {

using std::chrono::milliseconds;

struct Output {
  int code = -1;
  std::string text;
};

Output run(const std::string& arguments) {
  Output output;
  FILE* pipe = popen((std::string(ERGO_SIM_PROGRAM) + " " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr)
    output.text += buffer;
  const int status = pclose(pipe);
  output.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

// `ergo-sim serve …` in the background.
class Serving {
 public:
  explicit Serving(const std::vector<std::string>& arguments) {
    int ends[2] = {-1, -1};
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      std::vector<char*> argv{const_cast<char*>(ERGO_SIM_PROGRAM), const_cast<char*>("serve")};
      for (const std::string& word : arguments)
        argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      execv(ERGO_SIM_PROGRAM, argv.data());
      _exit(127);
    }
    close(ends[1]);
    read_variables(ends[0]);
    close(ends[0]);
  }
  ~Serving() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] std::string operator[](const std::string& name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() ? "" : found->second;
  }
  // Exit code, or nothing if it does not end within ten seconds.
  std::optional<int> end_after(int signal) {
    if (signal != 0) kill(pid_, signal);
    for (int i = 0; i < 1000; ++i) {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    return std::nullopt;
  }

 private:
  void read_variables(int fd) {
    std::string line;
    char c = 0;
    while (!ready_ && read(fd, &c, 1) == 1) {
      if (c != '\n') {
        line += c;
        continue;
      }
      ready_ = line == "ready";
      const std::size_t equals = line.find('=');
      if (equals != std::string::npos) variables_[line.substr(0, equals)] = line.substr(equals + 1);
      line.clear();
    }
  }

  pid_t pid_ = -1;
  bool ready_ = false;
  std::map<std::string, std::string> variables_;
};

TEST(Tool, ServesANodeAndRemovesItsFilesAtTheEnd) {
  Serving serving({"--gpus", "v100,t4", "--packages", "2", "--load", "steady"});
  ASSERT_TRUE(serving.ready());
  EXPECT_TRUE(std::filesystem::exists(serving["ERGO_NVML"]));
  const std::filesystem::path sysfs = serving["ERGO_SYSFS"];
  EXPECT_TRUE(std::filesystem::exists(sysfs / "class/powercap/intel-rapl:1/energy_uj"));
  auto node = Node::open(serving["ERGO_SIM_STATE"]);
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->gpu_count(), 2U);
  EXPECT_EQ(serving.end_after(SIGTERM), 0);
  EXPECT_FALSE(std::filesystem::exists(sysfs.parent_path()));
}

TEST(Tool, KeepsTheTreeUpToDate) {
  Serving serving({"--gpus", "none", "--load", "steady"});
  ASSERT_TRUE(serving.ready());
  const std::filesystem::path file =
      std::filesystem::path(serving["ERGO_SYSFS"]) / "class/powercap/intel-rapl:0/energy_uj";
  const std::string before = read_text(file).value_or("");
  std::string after = before;
  for (int i = 0; i < 500 && after == before; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
    after = read_text(file).value_or("");
  }
  EXPECT_NE(after, before);
}

TEST(Tool, EndsWithTheProcessItServes) {
  const pid_t parent = fork();
  if (parent == 0) {
    pause();
    _exit(0);
  }
  Serving serving({"--gpus", "t4", "--parent-pid", std::to_string(parent)});
  ASSERT_TRUE(serving.ready());
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_EQ(serving.end_after(0), 0);
}

TEST(Tool, LeavesAFolderThatWasThereBefore) {
  const TemporaryFolder folder = test::temporary_folder();
  std::ofstream(folder.path() / "mine") << "keep";
  Serving serving({"--gpus", "t4", "--dir", folder.path().string()});
  ASSERT_TRUE(serving.ready());
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "state"));
  EXPECT_EQ(serving.end_after(SIGTERM), 0);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "mine"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "state"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "sys"));
}

TEST(Tool, TellsTheTruthOfAManualNode) {
  Serving serving({"--gpus", "v100", "--packages", "1", "--load", "steady", "--manual-clock"});
  ASSERT_TRUE(serving.ready());
  const std::string state = " --state " + serving["ERGO_SIM_STATE"];
  EXPECT_EQ(run("advance 10" + state).code, 0);
  auto node = Node::open(serving["ERGO_SIM_STATE"]);
  ASSERT_TRUE(node.ok());
  char expected[64];
  std::snprintf(expected, sizeof expected, "%.3f J", 10.0 * node->gpu(0).point.power_w);
  const Output truth = run("truth" + state);
  EXPECT_EQ(truth.code, 0);
  EXPECT_THAT(truth.text, ::testing::HasSubstr(expected));
  EXPECT_THAT(run("truth --json" + state).text, ::testing::HasSubstr("\"ergo-sim.truth/1\""));
  EXPECT_EQ(run("advance" + state + " -- -1").code, 125);
  EXPECT_EQ(run("truth --to-ns 1" + state).code, 125);
}

TEST(Tool, RunsACommandInsideANode) {
  const Output output = run(
      "env --gpus t4 -- sh -c 'test -e $ERGO_SIM_STATE && test -e $ERGO_NVML; echo $?; exit 3'");
  EXPECT_EQ(output.text, "0\n");
  EXPECT_EQ(output.code, 3);
  EXPECT_EQ(run("env -- /nonexistent/program").code, 127);
  EXPECT_EQ(run("env -- sh -c 'kill -9 $$'").code, 128 + SIGKILL);
}

TEST(Tool, FollowsATrace) {
  const TemporaryFolder folder = test::temporary_folder();
  const auto file = folder.path() / "trace.csv";
  std::ofstream(file) << "# seconds,compute,memory\n1,1,0.5\n2,0,0\n";
  Serving serving({"--gpus", "t4", "--manual-clock", "--load", "trace:" + file.string()});
  ASSERT_TRUE(serving.ready());
  auto node = Node::open(serving["ERGO_SIM_STATE"]);
  ASSERT_TRUE(node.ok());
  node->set_time_ns(node->now_ns() + 30 * kNsPerSecond);
  EXPECT_NEAR(node->gpu(0).busy_s, 10.0, 1e-6);
}

TEST(Tool, WrongWordsAreRefusedWithAHint) {
  const std::map<std::string, std::string> cases{{"--gpus gtx", "choose from: v100"},
                                                 {"--load wild", "choose from: idle"},
                                                 {"--load trace:/nonexistent", "nonexistent"},
                                                 {"--gain big", "exact, drawn"},
                                                 {"--sysfs magic", "choose from: rapl"},
                                                 {"--permission maybe", "choose from: allowed"},
                                                 {"--lose 3@1", "GPU@SECONDS"},
                                                 {"--lose 0", "GPU@SECONDS"},
                                                 {"--driver new", "535.161.08"},
                                                 {"--library /nonexistent.so", "nonexistent.so"},
                                                 {"--packages 9", "at most"}};
  for (const auto& [arguments, hint] : cases) {
    const Output output = run("serve " + arguments);
    EXPECT_EQ(output.code, 125) << arguments;
    EXPECT_THAT(output.text, ::testing::HasSubstr(hint)) << arguments;
  }
}

TEST(Tool, FaultsComeAtTheirTime) {
  Serving serving({"--gpus", "v100,t4", "--manual-clock", "--lose", "1@2.5"});
  ASSERT_TRUE(serving.ready());
  auto node = Node::open(serving["ERGO_SIM_STATE"]);
  ASSERT_TRUE(node.ok());
  EXPECT_FALSE(node->gpu(1).lost());
  node->set_time_ns(node->now_ns() + 3 * kNsPerSecond);
  EXPECT_TRUE(node->gpu(1).lost());
  EXPECT_FALSE(node->gpu(0).lost());
}

}  // namespace
}  // namespace ergo::sim
