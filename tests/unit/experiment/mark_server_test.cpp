// Marks from real senders in C, C++ and Python, through a real socket.

#include "ergo/core/files.hpp"
#include "ergo/experiment/child.hpp"
#include "ergo/experiment/marks.hpp"
#include "test_paths.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <set>

namespace ergo {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// Runs a sender under a server, as `ergo run` does.
struct Session {
  MarkServer server = MarkServer::start().value();
  int exit_code = -1;
  int pid = 0;
  Instant begin;

  MarkedRun run(std::vector<std::string> argv,
                std::vector<std::pair<std::string, std::string>> environment = {}) {
    ChildSpec spec;
    spec.argv = std::move(argv);
    spec.environment = std::move(environment);
    spec.environment.emplace_back("ERGO_MARKS", server.path());
    spec.environment.emplace_back("PYTHONPATH", ERGO_SOURCE_DIR "/python");
    spec.environment.emplace_back("PYTHONDONTWRITEBYTECODE", "1");
    auto child = launch(spec);
    EXPECT_TRUE(child);
    pid = child->pid();
    begin = child->started();
    const ChildEnd end = *child->wait();
    exit_code = end.exit_code;
    server.stop();
    return server.windows(child->started(), end.time);
  }
};

std::map<std::string, int> count_by_name(const MarkedRun& run) {
  std::map<std::string, int> out;
  for (const MarkedWindow& window : run.windows)
    ++out[window.name];
  return out;
}

bool have_python() {
  return ::system("python3 -c '' >/dev/null 2>&1") == 0;
}

void send_text(const std::filesystem::path& path, const std::string& text) {
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::sendto(socket.get(), text.data(), text.size(), 0,
                     reinterpret_cast<sockaddr*>(&address), sizeof address),
            static_cast<ssize_t>(text.size()));
}

TEST(MarkServer, ItsSocketIsPrivateAndGoneAfterwards) {
  std::filesystem::path path;
  {
    auto server = MarkServer::start();
    ASSERT_TRUE(server);
    path = server->path();
    struct stat info {};
    ASSERT_EQ(::stat(path.parent_path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U);
    EXPECT_LT(path.native().size(), sizeof(sockaddr_un::sun_path));
  }
  EXPECT_FALSE(std::filesystem::exists(path.parent_path()));
}

TEST(MarkServer, ALongTemporaryFolderDoesNotMakeThePathTooLong) {
  const char* before = std::getenv("TMPDIR");
  const std::string saved = before != nullptr ? before : "";
  auto folder = TemporaryFolder::create("marks");
  ASSERT_TRUE(folder);
  const auto deep = folder->path() / std::string(100, 'd');
  std::filesystem::create_directory(deep);
  ::setenv("TMPDIR", deep.c_str(), 1);
  auto server = MarkServer::start();
  before != nullptr ? ::setenv("TMPDIR", saved.c_str(), 1) : ::unsetenv("TMPDIR");
  ASSERT_TRUE(server) << server.error().text();
  EXPECT_LT(server->path().native().size(), sizeof(sockaddr_un::sun_path));
}

TEST(MarkServer, TakesMarksFromCpp) {
  Session session;
  const MarkedRun run = session.run({ERGO_MARK_SENDER, "windows"});
  EXPECT_EQ(session.exit_code, 0);
  EXPECT_THAT(run.warnings, IsEmpty());
  ASSERT_EQ(run.windows.size(), 6U);
  EXPECT_EQ(run.windows[0].name, "epoch");
  EXPECT_EQ(run.windows[0].count, 100);
  EXPECT_EQ(run.windows[0].pid, session.pid);
  EXPECT_EQ(run.windows[1].name, "step");
  EXPECT_EQ(run.windows[1].count, 10);
  EXPECT_EQ(run.windows[5].index, 2);
  EXPECT_EQ(run.windows[5].count, 12);
  EXPECT_LE(run.windows[0].begin, run.windows[1].begin);
  EXPECT_LE(run.windows[1].end, run.windows[0].end);
  ASSERT_EQ(run.events.size(), 1U);
  EXPECT_EQ(run.events[0].name, "done");
}

TEST(MarkServer, TakesMarksFromC) {
  Session session;
  const MarkedRun run = session.run({ERGO_MARK_SENDER_C});
  EXPECT_EQ(session.exit_code, 0) << "errno was not kept";
  EXPECT_THAT(run.warnings, IsEmpty());
  ASSERT_EQ(run.windows.size(), 2U);
  EXPECT_EQ(run.windows[0].name, "c_window");
  EXPECT_EQ(run.windows[0].count, 7);
  EXPECT_EQ(run.windows[1].name, "c.counted");
  EXPECT_EQ(run.windows[1].count, 3);
  ASSERT_EQ(run.events.size(), 2U);
  EXPECT_EQ(run.events[0].name, "c.event");
  EXPECT_EQ(run.events[1].name, "_");
}

TEST(MarkServer, TakesMarksFromPython) {
  if (!have_python()) GTEST_SKIP() << "there is no python3";
  Session session;
  const MarkedRun run = session.run({"python3", "-c", R"(
import os, sys
from ergometer import mark
for epoch in range(2):
    with mark.window("épo que", count=5) as w:
        w.count = 6 + epoch
@mark.window("call")
def call(depth):
    "doc"
    return call(depth - 1) if depth else 42
assert call(1) == 42 and call.__doc__ == "doc"
mark.begin("open"); mark.event("e\tf"); mark.end("open", count=3)
try:
    with mark.window("fails"):
        raise KeyError
except KeyError:
    pass
pid = os.fork()
if pid == 0:
    with mark.window("forked"):
        pass
    sys.exit(0)
os.waitpid(pid, 0)
mark.begin("x" * 400); mark.end("x" * 400)
mark.begin(7, count="nonsense"); mark.end(None, count=-1)
)"});
  EXPECT_EQ(session.exit_code, 0);
  const auto count = count_by_name(run);
  EXPECT_EQ(count.at("épo_que"), 2);
  EXPECT_EQ(count.at("call"), 2);
  EXPECT_EQ(count.at("open"), 1);
  EXPECT_EQ(count.at("fails"), 1);
  EXPECT_EQ(count.at("forked"), 1);
  EXPECT_EQ(count.at(std::string(255, 'x')), 1);
  EXPECT_EQ(run.windows[1].count, 7);
  ASSERT_EQ(run.events.size(), 1U);
  EXPECT_EQ(run.events[0].name, "e_f");
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_THAT(run.warnings[0], HasSubstr("end None"));
  for (const MarkedWindow& window : run.windows)
    EXPECT_EQ(window.pid == session.pid, window.name != "forked");
}

TEST(MarkServer, LosesNothingInAFlood) {
  Session session;
  constexpr int windows = 10'000;
  const MarkedRun run = session.run({ERGO_MARK_SENDER, "many", std::to_string(windows)});
  EXPECT_EQ(session.exit_code, 0);
  EXPECT_THAT(run.warnings, IsEmpty());
  EXPECT_EQ(run.windows.size(), static_cast<std::size_t>(windows));
}

TEST(MarkServer, TellsWhenAFloodWasTooMuch) {
  Session session;
  constexpr std::size_t windows = 100'000;
  const MarkedRun run = session.run({ERGO_MARK_SENDER, "many", std::to_string(windows)});
  EXPECT_EQ(session.exit_code, 0);
  std::string warnings;
  for (const std::string& warning : run.warnings)
    warnings += warning + "\n";
  EXPECT_LE(run.windows.size(), windows);
  EXPECT_EQ(run.windows.size() < windows, warnings.find("lost") != std::string::npos) << warnings;
}

TEST(MarkServer, LosesNothingInAFloodFromPython) {
  if (!have_python()) GTEST_SKIP() << "there is no python3";
  Session session;
  const MarkedRun run = session.run({"python3", "-c", R"(
from ergometer import mark
for i in range(5000):
    with mark.window("step", count=1):
        pass
)"});
  EXPECT_EQ(session.exit_code, 0);
  EXPECT_THAT(run.warnings, IsEmpty());
  EXPECT_EQ(run.windows.size(), 5000U);
}

TEST(MarkServer, SendersWorkInThreads) {
  Session session;
  const MarkedRun run = session.run({ERGO_MARK_SENDER, "threads", "500"});
  EXPECT_EQ(session.exit_code, 0);
  EXPECT_THAT(run.warnings, IsEmpty());
  const auto count = count_by_name(run);
  for (int t = 0; t < 4; ++t)
    EXPECT_EQ(count.at("thread" + std::to_string(t)), 500);
}

TEST(MarkServer, AForkedChildSendsForItself) {
  Session session;
  const MarkedRun run = session.run({ERGO_MARK_SENDER, "fork"});
  EXPECT_THAT(run.warnings, IsEmpty());
  std::set<int> pids;
  for (const MarkedWindow& window : run.windows) {
    EXPECT_EQ(window.pid == session.pid, window.name == "parent");
    pids.insert(window.pid);
  }
  EXPECT_EQ(pids.size(), 2U);
  // std::exit runs no destructor of main's scope, so the child does not end the parent's window a
  // second time. for std::exit.
  EXPECT_EQ(run.windows.size(), 2U);
}

TEST(MarkServer, ASenderWhoseDescriptorWasClosedWritesIntoNobodysFile) {
  auto folder = TemporaryFolder::create("marks");
  ASSERT_TRUE(folder);
  const std::string file = folder->path() / "precious";
  Session session;
  const MarkedRun run = session.run({ERGO_MARK_SENDER, "closed", file});
  EXPECT_EQ(session.exit_code, 0);
  EXPECT_EQ(run.events.size(), 2U);
  EXPECT_EQ(read_text(file).value(), "");
}

TEST(MarkServer, LongAndOddNamesBecomeValidOnes) {
  Session session;
  const MarkedRun run = session.run({ERGO_MARK_SENDER, "long"});
  EXPECT_THAT(run.warnings, IsEmpty());
  const auto count = count_by_name(run);
  EXPECT_EQ(count.at(std::string(255, 'x')), 1);
  EXPECT_EQ(count.at("ä_b_c_"), 1);
}

TEST(MarkServer, MalformedDatagramsAreCountedWhateverTheirSize) {
  auto server = MarkServer::start();
  ASSERT_TRUE(server);
  const Instant now = SystemClock().now();
  send_text(server->path(), "");
  send_text(server->path(), std::string(5000, 'x'));
  send_text(server->path(), std::string(100, '\0'));
  send_text(server->path(), fmt::format("ergo1 event fine {}", now.ns));
  server->stop();
  const MarkedRun run = server->windows(now, SystemClock().now());
  EXPECT_EQ(run.events.size(), 1U);
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_THAT(run.warnings[0], HasSubstr("3 marks could not be understood"));
}

TEST(MarkServer, TellsOfEachMarkAsItComes) {
  std::mutex mutex;
  std::vector<std::string> seen;
  int sender = 0;
  MarkServerOptions options;
  options.on_mark = [&](const MarkMessage& mark, int pid) {
    const std::lock_guard lock(mutex);
    seen.push_back(mark.name);
    sender = pid;
  };
  auto server = MarkServer::start(options);
  ASSERT_TRUE(server);
  send_text(server->path(), "ergo1 begin live 1");
  for (int i = 0; i < 1000; ++i) {
    {
      const std::lock_guard lock(mutex);
      if (!seen.empty()) break;
    }
    ::usleep(10'000);
  }
  const std::lock_guard lock(mutex);
  EXPECT_THAT(seen, testing::ElementsAre("live"));
  EXPECT_EQ(sender, ::getpid());
}

TEST(MarkSenders, AreSilentAndCheapWithoutASocket) {
  ChildSpec spec;
  spec.unset = {"ERGO_MARKS"};
  for (const std::string& target :
       {std::string(), std::string("/nonexistent/marks"), std::string(300, 'x')}) {
    spec.environment = {{"PYTHONPATH", ERGO_SOURCE_DIR "/python"},
                        {"PYTHONDONTWRITEBYTECODE", "1"}};
    if (!target.empty()) spec.environment.emplace_back("ERGO_MARKS", target);
    const std::string nothing_written = "test -z \"$(\"$@\" 2>&1)\"";
    spec.argv = {"sh", "-c", nothing_written, "sh", ERGO_MARK_SENDER, "windows"};
    EXPECT_EQ(launch(spec)->wait()->exit_code, 0) << target;
    // Nanoseconds per mark: it takes tens; the limit leaves room for a loaded machine and for
    // sanitizers. times that.
    spec.argv = {
        "sh",   "-c",    "test \"$(\"$@\" | cut -d. -f1)\" -lt 2000", "sh", ERGO_MARK_SENDER,
        "cost", "100000"};
    EXPECT_EQ(launch(spec)->wait()->exit_code, 0) << target;
    if (have_python()) {
      spec.argv = {"sh",
                   "-c",
                   nothing_written,
                   "sh",
                   "python3",
                   "-c",
                   "from ergometer import mark\nwith mark.window('a'): mark.event('b')"};
      EXPECT_EQ(launch(spec)->wait()->exit_code, 0) << target;
    }
  }
}

TEST(MarkSenders, OutliveTheirServer) {
  auto server = MarkServer::start();
  ASSERT_TRUE(server);
  auto folder = TemporaryFolder::create("marks");
  ASSERT_TRUE(folder);
  ChildSpec spec;
  spec.argv = {ERGO_MARK_SENDER, "many", "1000"};
  spec.environment = {{"ERGO_MARKS", server->path()}};
  spec.before_exec = [&](int) -> Result<void> {
    server->stop();
    return {};
  };
  EXPECT_EQ(launch(spec)->wait()->exit_code, 0);
}

TEST(MarkSenders, AreNeverHeldUpByAServerThatDoesNotRead) {
  auto folder = TemporaryFolder::create("marks");
  ASSERT_TRUE(folder);
  const std::string path = folder->path() / "deaf";
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  std::vector<std::vector<std::string>> commands{{ERGO_MARK_SENDER, "many", "50000"}};
  if (have_python()) {
    commands.push_back(
        {"python3", "-c", "from ergometer import mark\nfor i in range(30000): mark.event('e')"});
  }
  for (const auto& argv : commands) {
    ChildSpec spec;
    spec.argv = argv;
    spec.environment = {{"ERGO_MARKS", path},
                        {"PYTHONPATH", ERGO_SOURCE_DIR "/python"},
                        {"PYTHONDONTWRITEBYTECODE", "1"}};
    const Instant before = SystemClock().now();
    EXPECT_EQ(launch(spec)->wait()->exit_code, 0);
    EXPECT_LT(SystemClock().now() - before, Seconds(15));
  }
}

}  // namespace
}  // namespace ergo
