#pragma once
// A simulated node, a state folder, and programs that hold a limit.

#include "ergo/control/power_limit.hpp"
#include "unit/simulate/simulated_node.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace ergo::control::test {

namespace fs = std::filesystem;

inline std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// A program of this test's own, killed when the object goes.
class Program {
 public:
  explicit Program(const std::vector<std::string>& words) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    EXPECT_EQ(::pipe2(in.data(), O_CLOEXEC) + ::pipe2(out.data(), O_CLOEXEC), 0);
    std::vector<char*> argv;
    for (const std::string& word : words)
      argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::setpgid(pid_, pid_);
    Fd(in[0]).reset();
    Fd(out[1]).reset();
    in_ = Fd(in[1]);
    out_ = Fd(out[0]);
  }
  ~Program() {
    if (running_) end(SIGKILL, false);
  }

  [[nodiscard]] int pid() const { return pid_; }
  /// One line of its output, "" at its end.
  std::string line() {
    std::string text;
    for (char c = 0; ::read(out_.get(), &c, 1) == 1 && c != '\n';)
      text += c;
    return text;
  }
  void close_input() { in_.reset(); }
  /// For limit_holder: reads the limits again; what it saw.
  std::string check() {
    EXPECT_EQ(::write(in_.get(), "c", 1), 1);
    return line();
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    running_ = false;
    return status;
  }
  void end(int signal, bool group) {
    ::kill(group ? -pid_ : pid_, signal);
    wait();
  }

 private:
  int pid_ = -1;
  bool running_ = true;
  Fd in_, out_;
};

class Control : public ::testing::Test {
 protected:
  /// V100s (300 W, from 150 W) unless a test says otherwise.
  void start(sim::NodeOptions options = sim::test::one_gpu("v100")) {
    node_ = std::make_unique<sim::test::TestNode>(options);
    environment_.nvml_library = ERGO_SIM_NVML;
    environment_.state_dir = node_->folder.path() / "limits";
    ::setenv(sim::kStateVariable, node_->state().c_str(), 1);
    ::setenv("ERGO_NVML", ERGO_SIM_NVML, 1);
    ::setenv("ERGO_STATE_DIR", environment_.state_dir.c_str(), 1);
    options_.guardian = {ERGO_LIMIT_HOLDER, "guardian"};
  }
  ~Control() override {
    for (const char* name :
         {sim::kStateVariable, "ERGO_NVML", "ERGO_STATE_DIR", "FILE_SIZE", "ODD_NVML_NEEDS"})
      ::unsetenv(name);
  }
  void use_odd_nvml() {
    environment_.nvml_library = ERGO_ODD_NVML;
    ::setenv("ERGO_NVML", ERGO_ODD_NVML, 1);
  }

  std::string uuid(std::size_t gpu = 0) { return node_->node.gpu(gpu).id.uuid.data(); }
  double limit(std::size_t gpu = 0) { return node_->node.gpu(gpu).limit_mw * 1e-3; }
  void set_from_outside(double watts, std::size_t gpu = 0) {
    node_->node.update(gpu, [&](sim::Gpu& g) { g.limit_mw = static_cast<unsigned>(watts * 1e3); });
  }
  void set_faults(const sim::Faults& faults, std::size_t gpu = 0) {
    node_->node.update(gpu, [&](sim::Gpu& g) { g.faults = faults; });
  }
  auto set(double watts) {
    return set_power_limit(environment_, std::vector{uuid()}, Watts(watts), options_);
  }
  fs::path run_file(std::size_t gpu = 0) { return environment_.state_dir / (uuid(gpu) + ".run"); }
  fs::path kept_file(std::size_t gpu = 0) { return environment_.state_dir / (uuid(gpu) + ".kept"); }
  std::vector<std::string> holder(const std::string& how, double watts) {
    return {ERGO_LIMIT_HOLDER, how, std::to_string(watts), uuid()};
  }
  /// 0: there is none.
  int guardian_pid() {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string command = text_of(entry.path() / "cmdline");
      const bool ours = command.find(node_->folder.path().string()) != std::string::npos;
      if (ours && command.find("guardian") != std::string::npos)
        return std::stoi(entry.path().filename());
    }
    return 0;
  }
  /// Until no process, and no guardian, holds the GPU.
  void wait_until_free() {
    const Fd lock(
        ::open((environment_.state_dir / (uuid() + ".lock")).c_str(), O_RDONLY | O_CLOEXEC));
    if (!lock) return;  // nobody came so far
    for (int i = 0; i < 30'000; ++i) {
      if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL() << "the GPU is still held";
  }

  std::unique_ptr<sim::test::TestNode> node_;
  Environment environment_;
  LimitOptions options_;
};

inline void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

}  // namespace ergo::control::test
